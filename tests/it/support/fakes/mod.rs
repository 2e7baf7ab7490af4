//! The three other systems, on real sockets: NetExplorer, the Net API and Neos, each as its documents say, with everything a test
//! wants to happen to them. Nothing goes by a clock: tokens end after so many calls.
//!
//! ```text
//! socket ─► Asked (recorded) ─► System::answer ─► office (tokens) or the system's own data ─► Answer
//! ```

pub mod neos;
pub mod net_api;
pub mod net_explorer;
pub mod office;
pub mod tree;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::support::world::LOOPBACK;

/// What a system is asked, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names and values behind the question mark.
    pub query: BTreeMap<String, String>,
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
    /// What it was, once answered.
    pub kind: Kind,
    /// The status of the answer.
    pub status: u16,
}

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token, by whatever grant, or a login.
    Token,
    /// A person's consent.
    Consent,
    /// The system's own data.
    Resource,
}

impl Asked {
    /// The bearer's token.
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }

    /// The fields of the body: of a form, or of a JSON object.
    pub fn fields(&self) -> BTreeMap<String, String> {
        if self.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            let fields: BTreeMap<String, Value> = serde_json::from_str(&self.body).unwrap_or_default();
            return fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
        }
        pairs(&self.body)
    }

    /// A whole number of the query.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.query.get(name)?.parse().ok()
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: Kind,
    /// `None` = no body at all.
    pub json: Option<Value>,
    pub location: Option<String>,
}

impl Answer {
    pub fn json(kind: Kind, status: u16, json: Value) -> Self {
        Self { status, kind, json: Some(json), location: None }
    }

    /// Data; a list without rows is an answer without a body.
    pub fn data(json: Value) -> Self {
        match json.as_array() {
            Some(rows) if rows.is_empty() => Self { status: 204, kind: Kind::Resource, json: None, location: None },
            _ => Self::json(Kind::Resource, 200, json),
        }
    }

    pub fn not_found() -> Self {
        Self::json(Kind::Resource, 404, serde_json::json!({ "error": "not found" }))
    }
}

/// A system behind a socket.
pub trait System: Send + 'static {
    /// Answers one call.
    fn answer(&mut self, asked: &Asked) -> Answer;
}

/// A system on a port of its own, until dropped.
pub struct Fake<S> {
    url: String,
    shared: Arc<Shared<S>>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared<S> {
    system: Mutex<S>,
    asked: Mutex<Vec<Asked>>,
}

impl<S: System> Fake<S> {
    /// Starts it on a free port.
    pub async fn start(system: S) -> Self {
        let listener = TcpListener::bind(LOOPBACK).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shared = Arc::new(Shared { system: Mutex::new(system), asked: Mutex::default() });
        let router = Router::new().fallback(serve::<S>).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, shared, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The system itself, to look at or to change between two calls.
    pub fn system(&self) -> MutexGuard<'_, S> {
        lock(&self.shared.system)
    }

    /// Every call so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// How many calls of a kind there were.
    pub fn calls(&self, kind: Kind) -> usize {
        self.asked().iter().filter(|asked| asked.kind == kind).count()
    }
}

async fn serve<S: System>(State(shared): State<Arc<Shared<S>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let text = |value: &header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let mut asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default()),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        kind: Kind::Resource,
        status: 0,
    };
    let answer = lock(&shared.system).answer(&asked);
    (asked.kind, asked.status) = (answer.kind, answer.status);
    lock(&shared.asked).push(asked);
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).expect("a status"));
    if let Some(location) = answer.location {
        response = response.header(header::LOCATION, location);
    }
    let body = answer.json.map_or_else(Body::empty, |json| Body::from(json.to_string()));
    response.header(header::CONTENT_TYPE, "application/json").body(body).expect("all parts are valid")
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
