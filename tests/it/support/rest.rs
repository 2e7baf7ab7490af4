//! A small API on a real socket: lists of records in pages of every style, which the test changes as it likes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// What the API has, by the name of the list.
pub type Lists = BTreeMap<String, Vec<Value>>;

/// What happens before a call is answered: it may change the lists, or give the answer itself.
pub type Hook = Box<dyn FnMut(&mut Lists, &str) -> Option<(u16, String)> + Send>;

/// What the test holds of the API.
#[derive(Default)]
pub struct Api {
    /// The lists.
    pub lists: Lists,
    /// The key that is let in.
    pub key: String,
    /// Records of a page at the most.
    pub size: usize,
    /// Every call that was let in, as path and query.
    pub calls: Vec<String>,
    /// What happens before a call is answered.
    pub hook: Option<Hook>,
}

/// The API at its address, until it is dropped.
pub struct Rest {
    pub url: Url,
    api: Arc<Mutex<Api>>,
    _server: AbortOnDropHandle<()>,
}

impl Rest {
    pub async fn start() -> Self {
        let api = Arc::new(Mutex::new(Api { key: "not-a-key".to_owned(), size: 3, ..Api::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
        let router = axum::Router::new().fallback(answer).with_state(api.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Self { url, api, _server: AbortOnDropHandle::new(server) }
    }

    pub fn api(&self) -> MutexGuard<'_, Api> {
        self.api.lock().expect("no test panics while it holds it")
    }

    /// Makes a list of records with these keys.
    pub fn fill(&self, list: &str, keys: impl IntoIterator<Item = u32>) {
        let records = keys.into_iter().map(record).collect();
        self.api().lists.insert(list.to_owned(), records);
    }

    /// Changes a list.
    pub fn change(&self, list: &str, change: impl FnOnce(&mut Vec<Value>)) {
        change(self.api().lists.entry(list.to_owned()).or_default());
    }

    /// The calls since the last look.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.api().calls)
    }

    pub fn hook(&self, hook: impl FnMut(&mut Lists, &str) -> Option<(u16, String)> + Send + 'static) {
        self.api().hook = Some(Box::new(hook));
    }

    pub fn no_hook(&self) {
        self.api().hook = None;
    }
}

/// A record as the API has it.
pub fn record(key: u32) -> Value {
    json!({ "id": key, "name": format!("record {key}"), "updated": "2027-01-01T00:00:00Z" })
}

/// `/STYLE/LIST`, with the parameters of the style.
async fn answer(
    State(api): State<Arc<Mutex<Api>>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let mut api = api.lock().expect("no test panics while it holds it");
    let wanted = format!("Bearer {}", api.key);
    if headers.get("authorization").is_none_or(|key| key != wanted.as_str()) {
        return (StatusCode::UNAUTHORIZED, r#"{"error":{"code":"BAD_KEY"}}"#).into_response();
    }
    let path = request.uri().path_and_query().expect("a path").to_string();
    api.calls.push(path.clone());
    let Api { lists, hook, size, .. } = &mut *api;
    if let Some((status, body)) = hook.as_mut().and_then(|hook| hook(lists, &path)) {
        return (StatusCode::from_u16(status).expect("a status"), body).into_response();
    }
    let mut parts = request.uri().path().trim_matches('/').split('/');
    let (Some(style), Some(list)) = (parts.next(), parts.next()) else { return "{}".into_response() };
    let Some(records) = lists.get(list) else { return StatusCode::NOT_FOUND.into_response() };
    let newer = |record: &&Value| query.get("since").is_none_or(|since| record["updated"].as_str() >= Some(since));
    let records: Vec<&Value> = records.iter().filter(newer).collect();
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    let size = (*size).min(query.get("size").and_then(|text| text.parse().ok()).unwrap_or(*size));
    let (start, total) = match style {
        "page" => (number("page").saturating_sub(1) * size, records.len()),
        _ => (number("offset"), records.len()),
    };
    let end = (start + size).min(total);
    let page = records.get(start..end).unwrap_or_default();
    let more = (end < total).then_some(end);
    match style {
        "all" => json!(records).to_string().into_response(),
        "page" => json!({ "data": page, "meta": { "total": total } }).to_string().into_response(),
        "plain" => json!({ "data": page }).to_string().into_response(),
        "offset" => {
            json!({ "data": page, "start": start, "count": page.len(), "total": total }).to_string().into_response()
        }
        "link" => {
            let next = more.map(|next| format!("/link/{list}?offset={next}"));
            json!({ "data": page, "next": next }).to_string().into_response()
        }
        "header" => {
            let body = json!(page).to_string();
            match more {
                Some(next) => {
                    ([("link", format!("</header/{list}?offset={next}>; rel=\"next\""))], body).into_response()
                }
                None => body.into_response(),
            }
        }
        "token" => json!({ "data": page, "token": more.map(|next| next.to_string()) }).to_string().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The stream of a list in one of the styles, as a connector's file says it.
pub fn stream(style: &str, list: &str) -> String {
    let (items, paging) = match style {
        "all" => ("", ""),
        "page" => (
            "data",
            r#"paging = { style = "page", param = "page", size_param = "size", size = 3, total = "meta.total" }"#,
        ),
        "plain" => ("data", r#"paging = { style = "offset", param = "offset", size_param = "size", size = 3 }"#),
        "offset" => (
            "data",
            r#"paging = { style = "offset", param = "offset", size_param = "size", size = 3, start = "start", count = "count", total = "total" }"#,
        ),
        "link" => ("data", r#"paging = { style = "next-link", path = "next" }"#),
        "header" => ("", r#"paging = { style = "next-link", path = "header:link" }"#),
        "token" => ("data", r#"paging = { style = "cursor", param = "offset", path = "token" }"#),
        other => panic!("no style {other}"),
    };
    format!("[[stream]]\nname = \"{list}\"\npath = \"/{style}/{list}\"\nitems = \"{items}\"\nkey = \"id\"\n{paging}\n")
}
