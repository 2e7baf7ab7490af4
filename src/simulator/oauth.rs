//! The vendor's OAuth beside the store: consent, codes, tokens of both versions, refresh with rotation, disconnection (spec: Neto
//! API §6). Consent is given at once, by whoever asks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::store::{StoreState, lock};

/// What the vendor's side is like.
#[derive(Clone, Debug)]
pub struct OauthConfig {
    /// The client it knows. Anyone may know both.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// For how long a token of the second version is good, by the store's clock.
    pub lifetime: TimeDelta,
    /// The store's identity.
    pub store_id: String,
    /// The store in the addresses of the shared host.
    pub api_id: String,
    /// The store's domain as it is told; `None` = where it listens.
    pub domain: Option<String>,
    /// Whether the token endpoint of the first version takes no POST.
    pub get_only: bool,
    /// Whether it says nothing about its stores: `properties` is HTTP 404.
    pub reticent: bool,
    /// Whether the user's names are spelt like `firstName`.
    pub camel_case: bool,
}

impl Default for OauthConfig {
    fn default() -> Self {
        Self {
            client_id: "simulated-client".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            lifetime: TimeDelta::minutes(30),
            store_id: "N000001".to_owned(),
            api_id: "a1b2c3d4e5".to_owned(),
            domain: None,
            get_only: false,
            reticent: false,
            camel_case: false,
        }
    }
}

/// What was asked of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCall {
    /// `authorization_code`, `refresh_token` or what else was sent.
    pub grant: String,
    /// How it was sent.
    pub method: String,
    /// The status of the answer.
    pub status: u16,
}

/// Tokens given and taken back.
#[derive(Default)]
pub(super) struct OauthState {
    config: OauthConfig,
    address: String,
    given: u64,
    /// Codes that wait: what for, and where they were sent.
    codes: HashMap<String, (Purpose, String)>,
    /// Access tokens of the second version, and when they end.
    access: HashMap<String, DateTime<Utc>>,
    /// Access tokens of the first version, which do not end by themselves.
    lasting: HashSet<String>,
    refresh: HashSet<String>,
    calls: Vec<TokenCall>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Connect,
    Disconnect,
}

impl OauthState {
    pub(super) fn new(config: OauthConfig, address: String) -> Self {
        Self { config, address, ..Self::default() }
    }

    /// Whether a call with these headers may read the store of the shared host, or the store's own where `own` is set.
    pub(super) fn admits(&self, headers: &HeaderMap, own: bool, now: DateTime<Utc>) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if own {
            return header("x_access_key") == Some(self.config.client_id.as_str())
                && header("x_secret_key").is_some_and(|token| self.lasting.contains(token));
        }
        let token = header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        token.and_then(|token| self.access.get(token)).is_some_and(|until| now < *until)
    }

    pub(super) fn is_store(&self, api_id: &str) -> bool {
        self.config.api_id == api_id
    }

    pub(super) fn calls(&self) -> Vec<TokenCall> {
        self.calls.clone()
    }

    /// Every access token is refused from now on.
    pub(super) fn end_access(&mut self) {
        self.access.clear();
        self.lasting.clear();
    }

    /// Every refresh token is refused from now on.
    pub(super) fn end_refresh(&mut self) {
        self.refresh.clear();
    }

    pub(super) fn set_domain(&mut self, domain: &str) {
        self.config.domain = Some(domain.to_owned());
    }

    fn domain(&self) -> &str {
        self.config.domain.as_deref().unwrap_or(&self.address)
    }

    fn next(&mut self, what: &str) -> String {
        self.given += 1;
        format!("simulated-{what}-{}", self.given)
    }

    fn consent(&mut self, purpose: Purpose, query: &HashMap<String, String>) -> Response {
        let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        if get("client_id") != self.config.client_id || get("redirect_uri").is_empty() {
            return (StatusCode::BAD_REQUEST, "unknown client").into_response();
        }
        let code = self.next("code");
        self.codes.insert(code.clone(), (purpose, get("redirect_uri").to_owned()));
        let Ok(mut back) = url::Url::parse(get("redirect_uri")) else {
            return (StatusCode::BAD_REQUEST, "unusable redirect_uri").into_response();
        };
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", get("state"));
        (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
    }

    fn token(&mut self, second: bool, sent: &HashMap<String, String>, now: DateTime<Utc>) -> (StatusCode, Value) {
        let get = |name: &str| sent.get(name).map(String::as_str).unwrap_or_default();
        let refuse =
            |error: &str, said: &str| (StatusCode::BAD_REQUEST, json!({ "error": error, "error_description": said }));
        if get("client_id") != self.config.client_id || get("client_secret") != self.config.client_secret {
            return (StatusCode::UNAUTHORIZED, json!({ "error": "invalid_client" }));
        }
        match get("grant_type") {
            "authorization_code" => {
                let given = if second { get("code") } else { sent.get("access_code").map_or(get("code"), |code| code) };
                match self.codes.remove(given) {
                    Some((purpose, redirect_uri)) if redirect_uri == get("redirect_uri") => match purpose {
                        Purpose::Connect => (StatusCode::OK, self.give(second, now)),
                        Purpose::Disconnect => {
                            self.end_access();
                            self.end_refresh();
                            (StatusCode::OK, json!({ "store_id": self.config.store_id, "store_domain": self.domain() }))
                        }
                    },
                    _ => refuse("invalid_grant", "Code doesn&#39;t exist or is not valid for this client"),
                }
            }
            "refresh_token" if second && self.refresh.remove(get("refresh_token")) => {
                (StatusCode::OK, self.give(true, now))
            }
            "refresh_token" => refuse("invalid_request", "The refresh token is invalid."),
            _ => refuse("unsupported_grant_type", "unknown grant"),
        }
    }

    fn give(&mut self, second: bool, now: DateTime<Utc>) -> Value {
        let access = self.next("access");
        if second {
            let refresh = self.next("refresh");
            self.access.insert(access.clone(), now + self.config.lifetime);
            self.refresh.insert(refresh.clone());
            return json!({
                "token_type": "Bearer", "expires_in": self.config.lifetime.num_seconds(), "access_token": access,
                "refresh_token": refresh, "scope": "api openid", "api_id": self.config.api_id, "username": "mokafor",
            });
        }
        self.lasting.insert(access.clone());
        let user = if self.config.camel_case {
            json!({ "firstName": "Marisol", "lastName": "Okafor" })
        } else {
            json!({ "first_name": "Marisol", "last_name": "Okafor" })
        };
        json!({
            "scope": "api user address", "store_id": self.config.store_id, "store_domain": self.domain(),
            "store_name": "Harbour &amp; Fern", "store_timezone": "Australia/Sydney", "access_token": access, "user": user,
        })
    }
}

/// The vendor's pages, beside the store's own.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(store: &Arc<StoreState>) -> Router<S> {
    Router::new()
        .route("/oauth/v2/auth", get(authorize))
        .route("/oauth/v2/deauth", get(deauthorize))
        .route("/oauth/v2/token", get(token).post(token))
        .route("/v2/stores/{api_id}/properties", get(properties))
        .with_state(Arc::clone(store))
}

type Shared = State<Arc<StoreState>>;

async fn authorize(State(store): Shared, RawQuery(query): RawQuery) -> Response {
    lock(&store.oauth).consent(Purpose::Connect, &pairs(&query.unwrap_or_default()))
}

async fn deauthorize(State(store): Shared, RawQuery(query): RawQuery) -> Response {
    lock(&store.oauth).consent(Purpose::Disconnect, &pairs(&query.unwrap_or_default()))
}

async fn token(State(store): Shared, method: Method, RawQuery(query): RawQuery, body: String) -> Response {
    let queried = pairs(&query.unwrap_or_default());
    let second = queried.get("version").is_some_and(|version| version == "2");
    let mut oauth = lock(&store.oauth);
    let sent = if method == Method::POST { pairs(&body) } else { queried };
    let (status, answer) = if oauth.config.get_only && method == Method::POST {
        (StatusCode::METHOD_NOT_ALLOWED, json!({ "error": "method" }))
    } else {
        oauth.token(second, &sent, store.config.clock.now())
    };
    let grant = sent.get("grant_type").cloned().unwrap_or_default();
    oauth.calls.push(TokenCall { grant, method: method.to_string(), status: status.as_u16() });
    (status, axum::Json(answer)).into_response()
}

async fn properties(State(store): Shared, Path(api_id): Path<String>, headers: HeaderMap) -> Response {
    let oauth = lock(&store.oauth);
    if oauth.config.reticent {
        return (StatusCode::NOT_FOUND, axum::Json(json!({ "success": false }))).into_response();
    }
    if !oauth.is_store(&api_id) || !oauth.admits(&headers, false, store.config.clock.now()) {
        let body = json!({ "success": false, "messages": [], "errors": ["Unauthorized"] });
        return (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response();
    }
    let result = json!({
        "domain": oauth.domain(), "business_name": "Harbour & Fern Pty Ltd", "timezone": "Australia/Sydney", "country": "AU",
    });
    axum::Json(json!({ "success": true, "messages": [], "errors": [], "result": result })).into_response()
}

fn pairs(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// The state, behind a lock.
pub(super) type Locked = Mutex<OauthState>;
