//! A request to a store and its answer, as connectors see them: plain data, no HTTP client.
//!
//! A connector builds a [`Request`] and decodes an [`Answer`]; `transport` sends the one and brings the other.

use url::Url;

use super::secret::Secret;

/// A POST with a JSON body. The transport adds `Content-Type`, `Accept` and `User-Agent`.
#[derive(Clone)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// Headers, by the names the API documents.
    pub headers: Vec<(&'static str, HeaderText)>,
    /// The JSON document.
    pub body: String,
}

impl Request {
    /// A request without headers of its own.
    #[must_use]
    pub fn new(url: Url, body: impl Into<String>) -> Self {
        Self { url, headers: Vec::new(), body: body.into() }
    }

    /// Adds a header anybody may see.
    #[must_use]
    pub fn plain(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, HeaderText::Plain(value.into())));
        self
    }

    /// Adds a header that holds a credential.
    #[must_use]
    pub fn secret(mut self, name: &'static str, value: Secret) -> Self {
        self.headers.push((name, HeaderText::Secret(value)));
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
            .field("body_bytes", &self.body.len())
            .finish()
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
    /// HTTP status, always 200 to 299 when a connector sees it.
    pub status: u16,
    /// The `Content-Type` header, if there was one.
    pub content_type: Option<String>,
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
            .finish()
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
