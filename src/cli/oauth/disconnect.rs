//! `netosync oauth disconnect`.

use clap::Args;

use super::party::PartyArgs;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::connect::{Outcome, Party, forget};
use crate::connector::neto::oauth::Version;
use crate::domain::store::{Scheme, Store};
use crate::storage::oauth_states::Purpose;
use crate::storage::{Database, credentials, stores};
use crate::tokens::{self, hosts};

/// Take a store's consent back, at the vendor's and here.
///
/// Prints the address where an administrator of the store takes it back, waits for the answer, and forgets the token. The store
/// rests then, with all that was read of it; `netosync oauth connect` connects it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  netosync oauth disconnect main\n  netosync oauth disconnect main --forget")]
pub struct DisconnectArgs {
    /// Name of the store.
    store: String,
    /// Ask nobody: only forget the token here.
    #[arg(long)]
    forget: bool,
    #[command(flatten)]
    party: PartyArgs,
    /// Print the store as a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &DisconnectArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let store = stores::find_store(&db, &args.store).await?;
    let Some(found) = credentials::load_credential(&db, store.id).await? else {
        return Err(CliError::usage(format!("{} is not connected", store.name)));
    };
    let scheme = found.sealed.scheme;
    if !tokens::by_consent(scheme, found.sealed.client_id.as_deref()) {
        let message = format!(
            "{0} has a credential of scheme {scheme}, which came of no consent; `netosync store rekey {0}` replaces it",
            store.name
        );
        return Err(CliError::usage(message));
    }
    let rested = if args.forget {
        forget(&db, &store, "by netosync oauth disconnect --forget").await?
    } else {
        let version = match scheme {
            Scheme::Oauth => Version::V1,
            Scheme::Bearer => Version::V2,
            _ => {
                let message = format!(
                    "connector {} describes no way to take a consent back: do it there, and --forget forgets the token here",
                    store.connector
                );
                return Err(CliError::usage(message));
            }
        };
        taken_back(app, args, &db, &store, version).await?
    };
    let name = &rested.name;
    let sentence = format!("disconnected {name}: its token is forgotten, and it rests with all that was read of it");
    crate::cli::store::tell(app, &db, name, args.json, &sentence).await
}

/// Leads a person to the vendor to take the consent back.
async fn taken_back(
    app: &App,
    args: &DisconnectArgs,
    db: &Database,
    store: &Store,
    version: Version,
) -> Result<Store, CliError> {
    let client = args.party.client_of(app, db, store).await?;
    let connect = args.party.connect(app, db, client, Party::Neto { version, hosts: hosts(&app.config) }).await?;
    let domain = store.domain.as_deref().or(store.url.host_str()).unwrap_or_default();
    let show = |line: &str| if args.json { crate::cli::complain(line) } else { crate::cli::say(line) };
    match args.party.consent(app, &connect, Purpose::Disconnect, domain, None, show).await? {
        Outcome::Disconnected(store) => Ok(*store),
        Outcome::Connected(_) => Err(CliError::new(Exit::Failed, "the answer was that of a connection")),
    }
}
