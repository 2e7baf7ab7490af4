//! `netosync oauth connect`.

use clap::Args;
use serde_json::json;

use super::party::PartyArgs;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::connect::{Connected, Outcome, domain};
use crate::connector::neto::oauth::Version;
use crate::storage::oauth_states::Purpose;
use crate::storage::stores;

/// Connect a store by its merchant's consent.
///
/// Prints the address where an administrator of the store consents, waits for the answer, and stores the token, sealed. A store
/// that is here already, by the vendor's name of it or by its domain, gets the new token; another is added. The answer is bound to
/// the domain, good for ten minutes and for one use.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync oauth connect --store-domain www.shop.example\n  \
    netosync oauth connect main --store-domain www.shop.example --oauth-version 1\n  \
    netosync oauth connect --store-domain www.shop.example --redirect-uri https://we.example/callback --paste\n\n\
    The client's id and secret come from oauth.client_id and oauth.client_secret_file, or from --client-id and\n\
    --client-secret-file. --redirect-uri must be one that is registered for the client. Neto's hosts are\n\
    oauth.v1_url and oauth.v2_url, so that a rehearsal can have its own.")]
pub struct ConnectArgs {
    /// Its name here; without it a new store is named after its domain.
    store: Option<String>,
    /// The store's domain, such as www.shop.example.
    #[arg(long, value_name = "DOMAIN")]
    store_domain: String,
    /// Which of Neto's OAuth versions the client was issued for, when not the configured one.
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u32).range(1..=2))]
    oauth_version: Option<u32>,
    #[command(flatten)]
    party: PartyArgs,
    /// Print a JSON object: the store, scopes and who has consented.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &ConnectArgs) -> Result<Exit, CliError> {
    let domain = domain(&args.store_domain, app.config.transport.allow_loopback)
        .map_err(|error| CliError::usage(format!("--store-domain: {error}")))?;
    let client = args.party.client(app)?;
    let version = match args.oauth_version.unwrap_or(app.config.oauth.version) {
        1 => Version::V1,
        _ => Version::V2,
    };
    let db = app.database().await?;
    if let Some(name) = &args.store
        && stores::find_store(&db, name).await.is_err()
    {
        stores::check_new_name(&db, name).await?;
    }
    let connect = args.party.connect(app, &db, client, version).await?;
    let show = |line: &str| if args.json { crate::cli::complain(line) } else { crate::cli::say(line) };
    let outcome = args.party.consent(app, &connect, Purpose::Connect, &domain, args.store.as_deref(), show).await?;
    let Outcome::Connected(connected) = outcome else {
        return Err(CliError::new(Exit::Failed, "the answer was that of a disconnection"));
    };
    if args.json {
        let Connected { store, added, scopes, title, user } = &*connected;
        crate::cli::say(json!({
            "store": store.name, "added": added, "scopes": scopes, "title": title, "user": user, "domain": store.domain,
            "url": store.url, "pending_url": store.pending_url, "remote_id": store.remote_id,
        }));
    } else {
        crate::cli::say(news(&connected));
    }
    Ok(Exit::Done)
}

fn news(connected: &Connected) -> String {
    let Connected { store, added, scopes, title, user } = connected;
    let name = &store.name;
    let done = if *added { "connected, and added as" } else { "connected" };
    let mut lines = vec![format!("{done} {name} ({})", title.as_deref().or(store.domain.as_deref()).unwrap_or(name))];
    lines.push(format!("granted: {}", scopes.as_deref().unwrap_or("what the client was issued for")));
    lines.extend(user.as_ref().map(|user| format!("consented: {user}")));
    match &store.pending_url {
        Some(url) => lines.push(format!(
            "its domain has changed: `netosync store set {name} --url {url}` approves that its key goes there; until then it rests"
        )),
        None => lines.push(format!("next: `netosync sync {name}` fetches the catalogue")),
    }
    lines.join("\n")
}
