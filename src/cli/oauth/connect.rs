//! `netosync oauth connect`.

use clap::Args;
use serde_json::json;
use url::Url;

use super::party::PartyArgs;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::store::address;
use crate::connect::{self, Connected, Outcome, Party};
use crate::connector::neto::oauth::Version;
use crate::storage::oauth_states::Purpose;
use crate::storage::stores;
use crate::tokens::hosts;

/// Connect a store by a person's consent.
///
/// Prints the address where an administrator of the store consents, waits for the answer, and stores the token, sealed. A store
/// that is here already, by the vendor's name of it or by its domain, gets the new token; another is added. The answer is bound to
/// what was asked about, good for ten minutes and for one use. With a described connector, the store is the one of that name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync oauth connect --store-domain www.shop.example\n  \
    netosync oauth connect main --store-domain www.shop.example --oauth-version 1\n  \
    netosync oauth connect --store-domain www.shop.example --redirect-uri https://we.example/callback --paste\n  \
    netosync oauth connect profile --connector neos --client-id ID --client-secret-file FILE --redirect-uri http://localhost:8080\n\n\
    The client's id and secret come from oauth.client_id and oauth.client_secret_file, or from --client-id and\n\
    --client-secret-file. --redirect-uri must be one that is registered for the client. Neto's hosts are\n\
    oauth.v1_url and oauth.v2_url, so that a rehearsal can have its own.")]
pub struct ConnectArgs {
    /// Its name here; without it a new store is named after its domain.
    store: Option<String>,
    /// The Neto store's domain, such as www.shop.example.
    #[arg(long, value_name = "DOMAIN", required_unless_present = "connector", conflicts_with = "connector")]
    store_domain: Option<String>,
    /// A described connector with an authorization code, instead of Neto.
    #[arg(long, value_name = "NAME", requires = "store")]
    connector: Option<String>,
    /// Its store's address, when the connector knows none or another is meant.
    #[arg(long, requires = "connector")]
    url: Option<String>,
    /// Where its tokens are got, when not where the connector says.
    #[arg(long, value_name = "URL", requires = "connector")]
    token_url: Option<Url>,
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
    let (party, subject) = party(app, args)?;
    let client = args.party.client(app)?;
    let db = app.database().await?;
    if let Some(name) = &args.store
        && stores::find_store(&db, name).await.is_err()
    {
        stores::check_new_name(&db, name).await?;
    }
    let ready = args.party.connect(app, &db, client, party).await?;
    let show = |line: &str| if args.json { crate::cli::complain(line) } else { crate::cli::say(line) };
    let outcome = args.party.consent(app, &ready, Purpose::Connect, &subject, args.store.as_deref(), show).await?;
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

/// Whose consent is asked, and about what.
fn party(app: &App, args: &ConnectArgs) -> Result<(Party, String), CliError> {
    let allow_loopback = app.config.transport.allow_loopback;
    if let Some(domain) = &args.store_domain {
        let domain = connect::domain(domain, allow_loopback)
            .map_err(|error| CliError::usage(format!("--store-domain: {error}")))?;
        let version = match args.oauth_version.unwrap_or(app.config.oauth.version) {
            1 => Version::V1,
            _ => Version::V2,
        };
        return Ok((Party::Neto { version, hosts: hosts(&app.config) }, domain));
    }
    let name = args.connector.as_deref().unwrap_or_default();
    let connectors = app.connectors();
    let description = connectors.get(name).map_err(|error| CliError::new(Exit::Configuration, error.to_string()))?;
    let url = match (&args.url, &description.default_url) {
        (Some(url), _) => address::parse(url, allow_loopback)?,
        (None, Some(known)) => known.clone(),
        (None, None) => {
            return Err(CliError::usage(format!(
                "connector {name} knows no address of its own: give the store's with --url"
            )));
        }
    };
    let party = Party::described(description, &url, args.token_url.clone())
        .map_err(|error| CliError::usage(error.to_string()))?;
    Ok((party, url.to_string()))
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
        None => lines.push(format!("next: `netosync sync {name}` fetches {}", if store.has_records() { "the records" } else { "the catalogue" })),
    }
    lines.join("\n")
}
