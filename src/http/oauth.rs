//! The pages on which merchants connect their stores, without a password of ours: what they may do is proved by the vendor.
//!
//! | page | does |
//! |---|---|
//! | `GET /oauth/neto/install?store_domain=…` | sends the browser on to the vendor, to consent |
//! | `GET /oauth/neto/callback?code=…&state=…` | connects the store and says so, or what went wrong |
//! | `POST /oauth/neto/uninstall` | the vendor says that a merchant has removed the add-on |
//!
//! They are there when `oauth.public_url` and an OAuth client are configured. An error page names no store but that which was asked
//! about, and shows no answer of the vendor in full.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::{debug, info, warn};

use super::Shared;
use super::page::page;
use crate::config::Config;
use crate::connect::{Connect, ConnectError, Outcome, Party, UninstallNotice, Wish, domain};
use crate::connector::neto::oauth::Version;
use crate::domain::secret::Secret;
use crate::storage::oauth_states::Purpose;
use crate::tokens::{Tokens, configured_client, hosts, secret_in};

/// How long a browser is kept waiting for the vendor: less than a connection may take ([`super::serve::LIFETIME`]).
const PATIENCE: Duration = Duration::from_secs(10);

/// A notice is small.
const MOST_NOTICE_BYTES: usize = 16 << 10;

/// What a query holds.
type Parameters = Query<HashMap<String, String>>;

/// What connects stores, by the configuration of this moment.
fn connect(shared: &Shared) -> Result<(Connect, Arc<Config>, String), Box<Response>> {
    let config = shared.pages.config.get();
    let Some(public) = &config.oauth.public_url else {
        return Err(Box::new(page(StatusCode::NOT_FOUND, "Not here", "This service connects no stores.")));
    };
    let callback = format!("{}/oauth/neto/callback", public.as_str().trim_end_matches('/'));
    let client = configured_client(&config).map_err(|error| {
        warn!("a merchant wanted to connect a store, and {error}");
        Box::new(page(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not ready",
            "This service is not set up yet. Please tell whoever runs it.",
        ))
    })?;
    let version = if config.oauth.version == 1 { Version::V1 } else { Version::V2 };
    let tokens = Tokens { config: config.clone(), ..shared.pages.tokens.clone() };
    let party = Party::Neto { version, hosts: hosts(&config) };
    Ok((Connect { tokens, client, party }, config, callback))
}

/// `GET /oauth/neto/install`.
pub async fn install(State(shared): State<Arc<Shared>>, Query(query): Parameters) -> Response {
    match connect(&shared) {
        Ok((connect, config, callback)) => begin(&connect, &config, callback, &query).await,
        Err(response) => *response,
    }
}

/// `GET /oauth/neto/callback`: the answer to a consent. A merchant who installs the add-on from the control panel lands here first,
/// with his store's domain and no code (spec: Neto API §6.1).
pub async fn callback(State(shared): State<Arc<Shared>>, Query(query): Parameters) -> Response {
    let (connect, config, callback) = match connect(&shared) {
        Ok(ready) => ready,
        Err(response) => return *response,
    };
    let get = |name: &str| query.get(name).map(String::as_str).filter(|text| !text.is_empty());
    match (get("state"), get("code"), get("error")) {
        (None, None, None) if get("store_domain").is_some() => begin(&connect, &config, callback, &query).await,
        (None, ..) => {
            wrong(&ConnectError::State("the answer has no state, so nobody here has asked for it; begin here"))
        }
        (Some(state), code, error) => {
            let begun = match connect.take(&Secret::new(state)).await {
                Ok(begun) => begun,
                Err(error) => return wrong(&error),
            };
            let Some(code) = code else {
                let said = match error {
                    Some("access_denied") => "The store was not connected, because access was not granted.",
                    _ => "The store was not connected: Neto answered without a code.",
                };
                return page(StatusCode::BAD_REQUEST, "Not connected", said);
            };
            // A token that is on its way is stored, whether the browser waits for it or not.
            let code = Secret::new(code);
            let finished = tokio::spawn(async move { connect.finish(&begun, &code, false).await });
            match tokio::time::timeout(PATIENCE, finished).await {
                Ok(Ok(Ok(outcome))) => told(&outcome),
                Ok(Ok(Err(error))) => wrong(&error),
                Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                Err(_) => {
                    let said =
                        "Neto takes long to answer. The store is connected when it does; you can close this page.";
                    page(StatusCode::ACCEPTED, "One moment", said)
                }
            }
        }
    }
}

/// `POST /oauth/neto/uninstall`.
pub async fn uninstall(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let (connect, config, callback) = match connect(&shared) {
        Ok(ready) => ready,
        Err(response) => return *response,
    };
    let notice = Some(&body).filter(|body| body.len() <= MOST_NOTICE_BYTES);
    let Some(notice) = notice.and_then(|body| serde_json::from_slice::<UninstallNotice>(body).ok()) else {
        return page(StatusCode::BAD_REQUEST, "Not understood", "This is not an uninstall notice.");
    };
    let vouched = match vouches(&config, &headers) {
        Ok(vouched) => vouched,
        Err(status) => return page(status, "Not believed", "The verification key is missing or wrong."),
    };
    match connect.uninstalled(&notice, &callback, vouched).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => wrong(&error),
    }
}

/// Whether the notice has the verification key, when one is configured. Which header it comes in is not documented.
fn vouches(config: &Config, headers: &HeaderMap) -> Result<bool, StatusCode> {
    let Some(file) = &config.oauth.uninstall_key_file else { return Ok(false) };
    let key = secret_in(file).map_err(|reason| {
        warn!("the file {} of oauth.uninstall_key_file cannot be used: {reason}", file.display());
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    // Digests, so that how long the comparison takes tells nothing.
    let digest = |text: &[u8]| blake3::hash(text);
    let found = headers.values().any(|value| digest(value.as_bytes()) == digest(key.expose().as_bytes()));
    if found { Ok(true) } else { Err(StatusCode::FORBIDDEN) }
}

async fn begin(connect: &Connect, config: &Config, callback: String, query: &HashMap<String, String>) -> Response {
    let asked = query.get("store_domain").map(String::as_str).unwrap_or_default();
    let Ok(domain) = domain(asked, config.transport.allow_loopback) else {
        let said = "The address of this page lacks the store: it ends with ?store_domain=www.your-store.example";
        return page(StatusCode::BAD_REQUEST, "Which store?", said);
    };
    let wish = Wish { purpose: Purpose::Connect, subject: domain, store_name: None, redirect_uri: callback };
    let begun = match connect.has_room().await {
        Ok(()) => connect.begin(&wish).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok((url, _)) => {
            let no_store = (header::CACHE_CONTROL, "no-store".to_owned());
            (StatusCode::SEE_OTHER, [no_store, (header::LOCATION, url.into())]).into_response()
        }
        Err(error) => wrong(&error),
    }
}

fn told(outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Connected(connected) => {
            let store = &connected.store;
            let title = connected.title.as_deref().or(store.domain.as_deref()).unwrap_or(&store.name);
            let scopes = connected.scopes.as_deref().unwrap_or("what the add-on was issued for");
            let waits = if store.pending_url.is_some() {
                " Its address has changed, so whoever runs this service has to approve it before anything is read."
            } else {
                ""
            };
            info!(store.name = store.name, "a merchant has connected {}", store.name);
            let said = format!("{title} is connected. Granted: {scopes}.{waits} You can close this page.");
            page(StatusCode::OK, "Connected", &said)
        }
        Outcome::Disconnected(store) => {
            let name = store.domain.as_deref().unwrap_or(&store.name);
            page(StatusCode::OK, "Disconnected", &format!("{name} is disconnected. You can close this page."))
        }
    }
}

fn wrong(error: &ConnectError) -> Response {
    if matches!(error, ConnectError::State(_)) {
        // Anybody may send these.
        debug!("an answer was turned away: {error}");
    } else {
        warn!("a store was not connected: {error}");
    }
    let said = format!("The store was not connected: {error}.");
    match error {
        ConnectError::State(_) | ConnectError::OtherStore { .. } => {
            page(StatusCode::BAD_REQUEST, "Not connected", &said)
        }
        ConnectError::Busy => page(StatusCode::SERVICE_UNAVAILABLE, "Not connected", &said),
        _ if error.is_refusal() => page(StatusCode::BAD_REQUEST, "Not connected", &said),
        // What is wrong here is for whoever runs this, and is in the log.
        _ => {
            let said =
                "The store was not connected, because something went wrong here or at Neto. Please try again later.";
            page(StatusCode::BAD_GATEWAY, "Not connected", said)
        }
    }
}
