//! The store on a socket: one address, one method, and everything that can go wrong with an answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::fault::FaultKind;
use super::oauth;
use super::query::Query;
use super::store::{PageKind, StoreState, lock};

/// Where the API listens.
const PATH: &str = "/do/WS/NetoAPI";
/// Larger requests are refused; a filter with thousands of keys is far below.
const MAX_REQUEST_BYTES: usize = 4 << 20;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// What every request sees.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) store: Arc<StoreState>,
    pub(super) stop: CancellationToken,
}

/// The routes of the store.
pub(super) fn router(shared: Shared) -> Router {
    Router::new().merge(oauth::routes(&shared.store)).fallback(serve).with_state(shared)
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let store = &shared.store;
    let Some(host) = Host::of(request.uri().path(), store).filter(|_| request.method() == Method::POST) else {
        return html(StatusCode::NOT_FOUND, "404 Not Found");
    };
    let now = store.config.clock.now();
    let number = lock(&store.calls).begin(now);
    let _under_way = UnderWay(store);
    let (parts, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, MAX_REQUEST_BYTES).await else {
        return html(StatusCode::PAYLOAD_TOO_LARGE, "413 Content Too Large");
    };
    let query = Query::read(&body, store.dialect());
    let faults = store.striking(number);
    if let Some(record) = lock(&store.calls).record(number) {
        if let Ok(query) = &query {
            record.page = Some(query.page);
            record.limit = Some(query.limit);
            record.ids = query.filter.ids.clone().unwrap_or_default();
        }
        record.fault =
            (!faults.is_empty()).then(|| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    delay(&faults, &shared.stop).await;
    store.run_hooks(number);

    let call = Call { store, host, headers: &parts.headers, query, now };
    let (response, rows) = call.answer(faults.iter().find(|fault| !matches!(fault, FaultKind::Delay(_))));
    if let Some(record) = lock(&store.calls).record(number) {
        record.status = Some(response.status().as_u16());
        record.rows = rows.unwrap_or(0);
        record.ok = rows.is_some();
    }
    response
}

/// Whose address was called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// The store's own.
    Stores,
    /// The vendor's, shared by all stores.
    Vendors,
}

impl Host {
    fn of(path: &str, store: &StoreState) -> Option<Self> {
        if path == PATH {
            return Some(Self::Stores);
        }
        let api_id = path.strip_suffix(PATH)?.strip_prefix("/v1/stores/")?;
        lock(&store.oauth).is_store(api_id).then_some(Self::Vendors)
    }
}

async fn delay(faults: &[FaultKind], stop: &CancellationToken) {
    let total: Duration =
        faults.iter().map(|fault| if let FaultKind::Delay(delay) = fault { *delay } else { Duration::ZERO }).sum();
    if !total.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(total) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// A call that is being answered. Dropped with it, also when the caller hangs up.
struct UnderWay<'a>(&'a StoreState);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.0.calls).end();
    }
}

/// One call on its way to an answer.
struct Call<'a> {
    store: &'a StoreState,
    host: Host,
    headers: &'a HeaderMap,
    query: Result<Query, Vec<String>>,
    now: DateTime<Utc>,
}

impl Call<'_> {
    /// The answer, and the number of its products when it is a page.
    fn answer(&self, fault: Option<&FaultKind>) -> (Response, Option<usize>) {
        let config = &self.store.config;
        let over_budget =
            config.calls_per_minute.is_some_and(|most| !lock(&self.store.calls).within_budget(self.now, most));
        if over_budget {
            return (html(StatusCode::TOO_MANY_REQUESTS, "429 Too Many Requests"), None);
        }
        let broken = match fault {
            Some(FaultKind::Status { code, retry_after }) => Some(status(*code, *retry_after)),
            Some(FaultKind::AckError { message }) => Some(self.refuse(std::slice::from_ref(message))),
            Some(FaultKind::Html) => Some(html(StatusCode::OK, "We will be back shortly.")),
            Some(FaultKind::Garbage) => Some(json(Bytes::from_static(b"{\"unexpected\":{\"shape\":[1,2,3]}}"))),
            Some(FaultKind::Huge(bytes)) => Some(huge(*bytes)),
            Some(FaultKind::Redirect(url)) => Some(redirect(url)),
            Some(FaultKind::Revoke) => Some(self.unauthorized()),
            _ if !self.is_authorized() => Some(self.unauthorized()),
            _ => None,
        };
        if let Some(broken) = broken {
            return (broken, None);
        }
        if self.header("netoapi_action") != Some("GetItem") {
            return (self.refuse(&["Unknown NETOAPI_ACTION".to_owned()]), None);
        }
        let query = match &self.query {
            Ok(query) => query,
            Err(wrong) => return (self.refuse(wrong), None),
        };
        if let Some(FaultKind::Reject(part)) = fault
            && query.parts.contains(part)
        {
            return (self.refuse(&["The request is not valid".to_owned()]), None);
        }
        let asked_json = self.header("accept").is_some_and(|accept| accept.contains(JSON));
        let kind = match fault {
            Some(FaultKind::Xml) => PageKind::Xml,
            _ if !asked_json => PageKind::Xml,
            Some(FaultKind::Empty) => PageKind::Empty,
            Some(FaultKind::Repeat) => PageKind::Repeat,
            _ => PageKind::Json,
        };
        let (page, rows) = self.store.page(query, kind, self.now);
        if let Some(FaultKind::TooMuch(most)) = fault
            && rows as u64 > *most
        {
            return (status(504, None), None);
        }
        let response = match (fault, kind) {
            (Some(FaultKind::Cut), _) => cut(&page),
            (_, PageKind::Xml) => respond(StatusCode::OK, "text/xml; charset=utf-8", page.into()),
            _ => json(page),
        };
        (response, Some(rows))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn is_authorized(&self) -> bool {
        let config = &self.store.config;
        let oauth = lock(&self.store.oauth);
        if self.host == Host::Vendors {
            return oauth.admits(self.headers, false, self.now);
        }
        if self.header("x_secret_key").is_some() {
            return oauth.admits(self.headers, true, self.now);
        }
        let named = config.username.as_deref().is_none_or(|username| self.header("netoapi_username") == Some(username));
        named && self.header("netoapi_key") == Some(config.key.as_str())
    }

    fn unauthorized(&self) -> Response {
        if self.store.config.wrong_key_as_401 {
            return status(401, None);
        }
        if self.host == Host::Vendors {
            return self.refuse(&["Invalid token".to_owned()]);
        }
        self.refuse(&["Invalid API Key".to_owned()])
    }

    fn refuse(&self, messages: &[String]) -> Response {
        json(answer::error(messages, self.now))
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .body(body)
        .expect("status and content type are valid")
}

fn json(body: Bytes) -> Response {
    respond(StatusCode::OK, JSON, body.into())
}

fn html(status: StatusCode, title: &str) -> Response {
    let page = format!("<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>");
    respond(status, HTML, page.into())
}

fn status(code: u16, retry_after: Option<u64>) -> Response {
    let code = StatusCode::from_u16(code).expect("faults hold statuses from 400 to 599");
    let mut response = if code == StatusCode::UNAUTHORIZED {
        let body = "{\"success\":false,\"messages\":[],\"errors\":[\"Unauthorized\"]}";
        respond(code, JSON, body.into())
    } else {
        html(code, &code.to_string())
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn redirect(url: &str) -> Response {
    let mut response = html(StatusCode::FOUND, "302 Found");
    let url = url.parse().expect("the parser of faults lets visible ASCII through only");
    response.headers_mut().insert(header::LOCATION, url);
    response
}

/// Announces the whole page, sends half of it and breaks the connection.
fn cut(page: &Bytes) -> Response {
    let half = Ok(page.slice(..page.len() / 2));
    // The pause lets the server flush the half before it meets the error and drops the connection.
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut by the script"))
    });
    let mut response = respond(StatusCode::OK, JSON, Body::from_stream(stream::iter([half]).chain(broken)));
    response.headers_mut().insert(header::CONTENT_LENGTH, page.len().into());
    response
}

/// A page whose only product has a description of `bytes` bytes; sent in pieces, so it costs no memory here.
fn huge(bytes: u64) -> Response {
    static PIECE: [u8; 64 << 10] = [b'a'; 64 << 10];
    let whole = bytes / PIECE.len() as u64;
    let rest = usize::try_from(bytes % PIECE.len() as u64).expect("less than a piece");
    let open = "{\"Ack\":\"Success\",\"Item\":[{\"SKU\":\"HUGE\",\"InventoryID\":\"1\",\"Description\":\"";
    let pieces = stream::iter(0..whole).map(|_| Bytes::from_static(&PIECE));
    let end = [Bytes::from_static(&PIECE[..rest]), Bytes::from_static(b"\"}]}")];
    let all = stream::iter([Bytes::from_static(open.as_bytes())]).chain(pieces).chain(stream::iter(end));
    respond(StatusCode::OK, JSON, Body::from_stream(all.map(Ok::<_, Infallible>)))
}
