//! `netosync store add`.

use std::path::PathBuf;

use clap::Args;

use super::identity::{self, Identity};
use super::{CALLS_PER_MINUTE, address, secret};
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::domain::store::Scheme;
use crate::storage::stores::{self, NewStore};

/// The one connector there is.
const CONNECTOR: &str = "neto";

/// Add a store with its credential.
///
/// The key or token is read from a file, from standard input, or asked for on the terminal; never from the command line
/// or the environment, where others can see it. It is sealed before it reaches the database.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store add main --url https://www.shop.example\n  \
    netosync store add main --url www.shop.example --username sync --key-file key.txt\n  \
    pass show shop/api | netosync store add main --url www.shop.example --key-file -\n\n\
    A key made on a staff user needs that user's name (--username); a store-wide key does not.")]
pub struct AddArgs {
    /// Its name here: 1 to 64 of a-z, 0-9, dot, underscore and hyphen.
    name: String,
    /// Its address, such as https://www.shop.example.
    #[arg(long)]
    url: String,
    /// How it is to be convinced.
    #[arg(long, default_value = "api-key", value_parser = identity::scheme())]
    auth: Scheme,
    /// Staff user of a user-based API key.
    #[arg(long, value_parser = identity::header)]
    username: Option<String>,
    /// Client id that belongs to an OAuth token.
    #[arg(long, value_parser = identity::header)]
    client_id: Option<String>,
    /// File that holds the key or token, - for standard input.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The store's time zone, such as Australia/Brisbane.
    #[arg(long, value_name = "TZ", value_parser = super::timezone)]
    timezone: Option<String>,
    /// Calls a minute it gets from us, when not the configured number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(CALLS_PER_MINUTE))]
    calls_per_minute: Option<u32>,
    /// Print the store as a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &AddArgs) -> Result<Exit, CliError> {
    let name = args.name.as_str();
    let url = address::parse(&args.url, app.config.transport.allow_loopback)?;
    let identity = Identity::new(args.auth, args.username.clone(), args.client_id.clone())?;
    let db = app.database().await?;
    stores::check_new_name(&db, name).await?;
    let secret = secret::read(args.key_file.as_deref(), name, identity.scheme)?;
    let vault = app.vault(&db).await?;
    let new = NewStore {
        name: name.to_owned(),
        connector: CONNECTOR.to_owned(),
        url,
        timezone: args.timezone.clone(),
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: args.calls_per_minute,
    };
    let store = stores::add_store(&db, &new).await?;
    if let Err(error) = vault.put(&db, store.id, identity.with(secret)).await {
        // A store without its credential would be synced in vain.
        stores::remove_store(&db, name).await?;
        let CliError { exit, message, .. } = error.into();
        return Err(CliError::new(exit, format!("{message}; the store {name} was not added")));
    }
    let next = format!(
        "added the store {name} ({})\nnext: `netosync store check {name}` tests the key, `netosync sync {name}` fetches the catalogue",
        store.url
    );
    super::tell(app, &db, name, args.json, &next).await
}
