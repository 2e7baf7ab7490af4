//! A POST to the address an operator has configured for notices. Unlike a store's address it may be private and plain http:
//! it was typed by whoever runs this program, and no credential of a store goes there. It is a secret all the same (chat tools
//! put their token into it), so no error here shows more of it than where it leads.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tracing::debug;

use super::{TransportError, USER_AGENT};
use crate::config::SecretUrl;

/// For one notice from beginning to end. Whoever receives it has only to take note of it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a notice did not arrive.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{target} {reason}")]
pub struct NotDelivered {
    /// Scheme and host.
    target: String,
    /// What happened.
    reason: String,
}

/// Where notices go.
#[derive(Debug)]
pub struct Webhook {
    client: reqwest::Client,
    url: SecretUrl,
}

impl Webhook {
    /// Notices to `url`; connects to nobody yet.
    #[expect(clippy::disallowed_methods, reason = "this target is the operator's, not a store's: other limits hold")]
    pub fn new(url: SecretUrl) -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, url })
    }

    /// Sends one JSON document. Delivered means that the target answered 2xx.
    pub async fn post(&self, body: String) -> Result<(), NotDelivered> {
        let failed = |reason| NotDelivered { target: self.url.to_string(), reason };
        let post =
            self.client.post(self.url.expose()).header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = post.body(body).send().await.map_err(|error| failed(reason(&error)))?;
        let status = response.status();
        debug!(http.status = status.as_u16(), "the webhook answered");
        if status.is_success() { Ok(()) } else { Err(failed(format!("answered HTTP {}", status.as_u16()))) }
    }
}

/// Kinds only: the texts of the library may hold the address.
fn reason(error: &reqwest::Error) -> String {
    let text = match error {
        error if error.is_timeout() => "did not answer in time",
        error if error.is_connect() => "cannot be connected to",
        error if error.is_builder() => "is not an address that can be called",
        _ => "broke the connection off",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::server::{Server, answer};
    use super::*;

    const TOKEN: &str = "canary-hook-7Yq2";

    fn hook(server: &Server) -> Webhook {
        let url = format!("http://127.0.0.1:{}/services/{TOKEN}", server.port);
        Webhook::new(SecretUrl::new(&url)).expect("a client")
    }

    #[tokio::test]
    async fn a_notice_arrives_as_json_at_a_private_address() {
        let server = Server::start(vec![answer("204 No Content", "", b"")]);
        hook(&server).post(r#"{"event":"opened"}"#.to_owned()).await.expect("delivered");
        let heard = server.heard()[0].to_lowercase();
        assert!(heard.starts_with(&format!("post /services/{}", TOKEN.to_lowercase())), "{heard}");
        assert!(
            heard.contains("content-type: application/json") && heard.ends_with(r#"{"event":"opened"}"#),
            "{heard}"
        );
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_no_error_shows_the_address() {
        let location = format!("Location: http://127.0.0.1:1/{TOKEN}\r\n");
        let server = Server::start(vec![answer("302 Found", &location, TOKEN.as_bytes()), answer("500 No", "", b"")]);
        let hook = hook(&server);
        for expected in ["answered HTTP 302", "answered HTTP 500"] {
            let error = hook.post(String::new()).await.expect_err("not delivered");
            assert!(error.to_string().ends_with(expected) && !format!("{error:?} {hook:?}").contains(TOKEN), "{error}");
        }
        let closed = Webhook::new(SecretUrl::new(&format!("http://127.0.0.1:1/{TOKEN}"))).expect("a client");
        let error = closed.post(String::new()).await.expect_err("nobody listens");
        assert!(error.to_string().ends_with("cannot be connected to") && !error.to_string().contains(TOKEN), "{error}");
    }
}
