//! `netosync store rekey`.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::identity::{self, Identity};
use super::secret;
use crate::cli::app::App;
use crate::cli::complain;
use crate::cli::exit::{CliError, Exit};
use crate::domain::store::{CredentialState, Scheme};
use crate::storage::{credentials, stores};

/// Replace a store's key or token.
///
/// The new one starts as ok and untested; a store whose key was revoked is synced again. What is not given (scheme, user name,
/// client id) stays as it was.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store rekey main\n  \
    netosync store rekey main --key-file key.txt --username sync\n  \
    netosync store rekey main --auth bearer --key-file -")]
pub struct RekeyArgs {
    /// Name of the store.
    name: String,
    /// How it is to be convinced.
    #[arg(long, value_parser = identity::scheme())]
    auth: Option<Scheme>,
    /// Staff user of a user-based API key.
    #[arg(long, value_parser = identity::header, conflicts_with = "no_username")]
    username: Option<String>,
    /// Send no user name any more: the key is a store-wide one.
    #[arg(long)]
    no_username: bool,
    /// Client id that belongs to an OAuth token, a header pair or a client secret.
    #[arg(long, value_parser = identity::header)]
    client_id: Option<String>,
    /// Where tokens are got, when that is not where the connector says.
    #[arg(long, value_name = "URL", value_parser = identity::token_url)]
    token_url: Option<Url>,
    /// File that holds the key or token, - for standard input.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Print the store as a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &RekeyArgs) -> Result<Exit, CliError> {
    let name = args.name.as_str();
    let db = app.database().await?;
    let store = stores::find_store(&db, name).await?;
    super::warn_imported(&store, "brings back the key of its row");
    let old = credentials::load_credential(&db, store.id).await?;
    let asked = args.auth.or(old.as_ref().map(|old| old.sealed.scheme));
    let scheme = identity::way_in(&app.connectors(), &store.connector, asked)?;
    // What belonged to another scheme does not stay.
    let kept = old.as_ref().map(|old| &old.sealed).filter(|sealed| sealed.scheme == scheme);
    let username = args.username.clone().or_else(|| kept?.username.clone()).filter(|_| !args.no_username);
    // A token that a consent has brought came by a client, and one that is given takes its place without.
    let kept_client = kept.filter(|sealed| sealed.scheme != Scheme::Bearer);
    let client_id = args.client_id.clone().or_else(|| kept_client?.client_id.clone());
    let kept_url = || kept?.token_url.as_ref()?.parse().ok();
    let token_url = args.token_url.clone().or_else(kept_url);
    let identity = Identity::new(scheme, username, client_id, token_url)?;
    let secret = secret::read(args.key_file.as_deref(), name, scheme)?;
    let vault = app.vault(&db).await?;
    vault.put(&db, store.id, identity.with(secret)).await?;
    let new = credentials::load_credential(&db, store.id).await?;
    if let (Some(old), Some(new)) = (old, new)
        && old.sealed.fingerprint == new.sealed.fingerprint
        && old.state != CredentialState::Ok
    {
        complain(&format!("warning: this is the same key as before, and it was {}", old.state));
    }
    let sentence = format!("{name} has a new key\nnext: `netosync store check {name}` tests it");
    super::tell(app, &db, name, args.json, &sentence).await
}
