//! `netosync store add`.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::identity::{self, Identity};
use super::{CALLS_PER_MINUTE, address, secret};
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::domain::store::{NETO, Scheme};
use crate::storage::store_removal;
use crate::storage::stores::{self, NewStore};

/// Add a store with its credential.
///
/// The key or token is read from a file, from standard input, or asked for on the terminal; never from the command line
/// or the environment, where others can see it. It is sealed before it reaches the database.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store add main --url https://www.shop.example\n  \
    netosync store add main --url www.shop.example --username sync --key-file key.txt\n  \
    pass show shop/api | netosync store add main --url www.shop.example --key-file -\n  \
    netosync store add crm --connector net-api --url https://api.crm.example --auth bearer\n  \
    netosync store add files --connector netexplorer --url https://files.example --client-id app --key-file secret.txt\n\n\
    A key made on a staff user needs that user's name (--username); a store-wide key does not.")]
pub struct AddArgs {
    /// Its name here: 1 to 64 of a-z, 0-9, dot, underscore and hyphen.
    name: String,
    /// Its address, such as https://www.shop.example; may be left out where the connector knows one.
    #[arg(long)]
    url: Option<String>,
    /// Which connector speaks to it: neto, or one of `netosync connector list`.
    #[arg(long, value_name = "NAME", default_value = NETO)]
    connector: String,
    /// How it is to be convinced [default: the connector's first way in, for neto api-key].
    #[arg(long, value_parser = identity::scheme())]
    auth: Option<Scheme>,
    /// Staff user of a user-based API key, or the user of a login.
    #[arg(long, value_parser = identity::header)]
    username: Option<String>,
    /// Client id that belongs to an OAuth token, a header pair or a client secret.
    #[arg(long, value_parser = identity::header)]
    client_id: Option<String>,
    /// Where tokens are got, when that is not where the connector says.
    #[arg(long, value_name = "URL", value_parser = identity::token_url)]
    token_url: Option<Url>,
    /// File that holds the key, token, client secret or password, - for standard input.
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
    let connectors = app.connectors();
    let scheme = identity::way_in(&connectors, &args.connector, args.auth)?;
    let known = connectors.get(&args.connector).ok().and_then(|description| description.default_url.clone());
    let url = match (&args.url, known) {
        (Some(url), _) => address::parse(url, app.config.transport.allow_loopback)?,
        (None, Some(known)) => known,
        (None, None) => {
            let message =
                format!("connector {} knows no address of its own: give the store's with --url", args.connector);
            return Err(CliError::usage(message));
        }
    };
    let identity = Identity::new(scheme, args.username.clone(), args.client_id.clone(), args.token_url.clone())?;
    let db = app.database().await?;
    stores::check_new_name(&db, name).await?;
    let secret = secret::read(args.key_file.as_deref(), name, identity.scheme)?;
    let vault = app.vault(&db).await?;
    let new = NewStore {
        name: name.to_owned(),
        connector: args.connector.clone(),
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
        store_removal::remove_store(&db, name).await?;
        let CliError { exit, message, .. } = error.into();
        return Err(CliError::new(exit, format!("{message}; the store {name} was not added")));
    }
    let what = if store.has_records() { "records" } else { "catalogue" };
    let next = format!(
        "added the store {name} ({})\nnext: `netosync store check {name}` tests the key, `netosync sync {name}` fetches the {what}",
        store.url
    );
    super::tell(app, &db, name, args.json, &next).await
}
