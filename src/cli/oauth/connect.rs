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
use crate::domain::store::{NETO, Scheme, Store};
use crate::storage::oauth_states::Purpose;
use crate::storage::{Database, StorageError, credentials, stores};
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
    netosync oauth connect main                    (a store that is here, once more)\n  \
    netosync oauth connect --store-domain www.shop.example --redirect-uri https://we.example/callback --paste\n  \
    netosync oauth connect profile --connector neos --client-id ID --client-secret-file FILE --redirect-uri http://localhost:8080\n\n\
    The client's id and secret come from oauth.client_id and oauth.client_secret_file, or from --client-id and\n\
    --client-secret-file. --redirect-uri must be one that is registered for the client. Neto's hosts are\n\
    oauth.v1_url and oauth.v2_url, so that a rehearsal can have its own.")]
pub struct ConnectArgs {
    /// Its name here; without it a new store is named after its domain.
    store: Option<String>,
    /// The Neto store's domain, such as www.shop.example; of a store that is here, the one it has if it is not given.
    #[arg(long, value_name = "DOMAIN", required_unless_present = "store", conflicts_with = "connector")]
    store_domain: Option<String>,
    /// The connector of a new store, when it is not Neto: a described one with an authorization code.
    #[arg(long, value_name = "NAME", requires = "store")]
    connector: Option<String>,
    /// Its address, when the connector knows none or another is meant.
    #[arg(long, conflicts_with = "store_domain")]
    url: Option<String>,
    /// Where its tokens are got, when not where the connector says.
    #[arg(long, value_name = "URL", conflicts_with = "store_domain")]
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
    let db = app.database().await?;
    let here = match &args.store {
        Some(name) => here(&db, name).await?,
        None => None,
    };
    let (party, subject) = match connector(args, here.as_ref()) {
        NETO => neto(app, &db, args, here.as_ref()).await?,
        name => described(app, &db, args, name, here.as_ref()).await?,
    };
    let client = match &here {
        Some(store) => args.party.client_of(app, &db, store).await?,
        None => args.party.client(app)?,
    };
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

/// The store of that name, if it is here; a name that no store can have is refused.
async fn here(db: &Database, name: &str) -> Result<Option<Store>, CliError> {
    match stores::find_store(db, name).await {
        Ok(store) => Ok(Some(store)),
        Err(StorageError::UnknownStore { .. }) => {
            stores::check_new_name(db, name).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn connector<'a>(args: &'a ConnectArgs, here: Option<&'a Store>) -> &'a str {
    args.connector.as_deref().or_else(|| Some(here?.connector.as_str())).unwrap_or(NETO)
}

/// Whose consent is asked, and about what: of a store that is here what it was connected with, if nothing else is given.
async fn neto(app: &App, db: &Database, args: &ConnectArgs, here: Option<&Store>) -> Result<(Party, String), CliError> {
    let known = here.and_then(|store| store.domain.as_deref().or(store.url.host_str()));
    let Some(domain) = args.store_domain.as_deref().or(known) else {
        return Err(CliError::usage("give the store's domain with --store-domain"));
    };
    let domain = connect::domain(domain, app.config.transport.allow_loopback)
        .map_err(|error| CliError::usage(format!("--store-domain: {error}")))?;
    let credential = match here {
        Some(store) => credentials::load_credential(db, store.id).await?,
        None => None,
    };
    let version = match (args.oauth_version, credential.map(|found| found.sealed)) {
        (Some(1), _) => Version::V1,
        (Some(_), _) => Version::V2,
        (None, Some(sealed)) if sealed.scheme == Scheme::Oauth => Version::V1,
        (None, Some(sealed)) if sealed.scheme == Scheme::Bearer && sealed.client_id.is_some() => Version::V2,
        (None, _) if app.config.oauth.version == 1 => Version::V1,
        (None, _) => Version::V2,
    };
    Ok((Party::Neto { version, hosts: hosts(&app.config) }, domain))
}

/// The same for a described connector.
async fn described(
    app: &App,
    db: &Database,
    args: &ConnectArgs,
    name: &str,
    here: Option<&Store>,
) -> Result<(Party, String), CliError> {
    let connectors = app.connectors();
    let description = connectors.get(name).map_err(|error| CliError::new(Exit::Configuration, error.to_string()))?;
    let known = here.map(|store| &store.url).or(description.default_url.as_ref());
    let url = match (&args.url, known) {
        (Some(url), _) => address::parse(url, app.config.transport.allow_loopback)?,
        (None, Some(known)) => known.clone(),
        (None, None) => {
            return Err(CliError::usage(format!(
                "connector {name} knows no address of its own: give the store's with --url"
            )));
        }
    };
    let kept = match here {
        Some(store) => credentials::load_credential(db, store.id).await?.and_then(|found| found.sealed.token_url),
        None => None,
    };
    let token_url = args.token_url.clone().or_else(|| kept?.parse().ok());
    let party = Party::described(description, &url, token_url).map_err(|error| CliError::usage(error.to_string()))?;
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
