//! A request to a store and its answer, as connectors see them: plain data, no HTTP client.
//!
//! A connector builds a [`Request`] and decodes an [`Answer`]; `transport` sends the one and brings the other.

use std::borrow::Cow;

use url::Url;

use super::secret::Secret;

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Without a body.
    Get,
    /// With one.
    Post,
}

/// What a request carries.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(String),
    /// `application/x-www-form-urlencoded`.
    Form(String),
}

impl Body {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Empty => "",
            Self::Json(text) | Self::Form(text) => text,
        }
    }
}

/// A request. The transport adds `Content-Type`, `Accept` and `User-Agent`.
#[derive(Clone)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers, by the names the API documents.
    pub headers: Vec<(Cow<'static, str>, HeaderText)>,
    /// What it carries.
    pub body: Body,
    /// Secrets in the body or in the query: cut out of every error, like those in headers.
    pub hidden: Vec<Secret>,
    /// Statuses outside of 200 to 299 with which the answer goes to the connector all the same.
    pub accepts: Vec<u16>,
}

impl Request {
    /// A POST of a JSON document, without headers of its own.
    #[must_use]
    pub fn new(url: Url, body: impl Into<String>) -> Self {
        Self::of(Method::Post, url, Body::Json(body.into()))
    }

    /// A request without headers of its own.
    #[must_use]
    pub fn of(method: Method, url: Url, body: Body) -> Self {
        Self { method, url, headers: Vec::new(), body, hidden: Vec::new(), accepts: Vec::new() }
    }

    /// Adds a header anybody may see.
    #[must_use]
    pub fn plain(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), HeaderText::Plain(value.into())));
        self
    }

    /// Adds a header that holds a credential.
    #[must_use]
    pub fn secret(mut self, name: impl Into<Cow<'static, str>>, value: Secret) -> Self {
        self.headers.push((name.into(), HeaderText::Secret(value)));
        self
    }

    /// Names a secret that is in the body or in the query.
    #[must_use]
    pub fn hiding(mut self, secret: Secret) -> Self {
        self.hidden.push(secret);
        self
    }

    /// The answer goes to the connector with these statuses too.
    #[must_use]
    pub fn accepting(mut self, statuses: &[u16]) -> Self {
        self.accepts.extend_from_slice(statuses);
        self
    }
}

/// Shows neither the body nor the query, which may hold a token one day; secret headers show as `[REDACTED]`.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.text().len())
            .finish_non_exhaustive()
    }
}

/// The value of a header.
#[derive(Clone, Debug)]
pub enum HeaderText {
    /// Anybody may see it.
    Plain(String),
    /// A credential: marked sensitive on the way and cut out of every error, should the store send it back.
    Secret(Secret),
}

/// What a store answered: whole, decompressed, within the size limit.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; when a connector sees it 200 to 299, or one that [`Request::accepts`].
    pub status: u16,
    /// The `Content-Type` header, if there was one.
    pub content_type: Option<String>,
    /// The `Link` header, if there was one: where some APIs say what comes next.
    pub link: Option<String>,
    /// The body.
    pub body: String,
    /// Whether bytes that are not UTF-8 were replaced: flag the rows.
    pub lossy: bool,
}

impl Answer {
    /// Whether this is a page for people, by its type or by its first character.
    #[must_use]
    pub fn looks_like_html(&self) -> bool {
        let html = |content_type: &String| content_type.to_ascii_lowercase().contains("html");
        self.content_type.as_ref().is_some_and(html) || self.body.trim_start().starts_with('<')
    }
}

/// Shows the size of the body, not the body.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .field("lossy", &self.lossy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_output_of_a_request_shows_no_secret() {
        let url = "https://shop.example.com/do/WS/NetoAPI?token=canary-1".parse().expect("a URL");
        let request = Request::new(url, "canary-2")
            .plain("NETOAPI_ACTION", "GetItem")
            .secret("NETOAPI_KEY", Secret::new("canary-3"));
        let shown = format!("{request:?}");
        assert!(!shown.contains("canary") && shown.contains("GetItem") && shown.contains("[REDACTED]"), "{shown}");
    }
}
