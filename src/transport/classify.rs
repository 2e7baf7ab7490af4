//! From a status line, or from no answer at all, to the class of the error. What a 2xx answer means is the connector's
//! affair: Neto reports its own errors with status 200.

use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use super::guard::Forbidden;
use crate::domain::budget::MAX_FREEZE;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;
use crate::metrics::labels::Called;

/// The least silence after HTTP 429, whatever the server says (spec: Neto API §4.5).
pub(super) const LEAST_SILENCE: Duration = Duration::from_mins(1);

/// Who was asked, for the sentences.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub url: &'a Url,
    pub store: &'a str,
}

impl<'a> Target<'a> {
    pub(super) fn host(self) -> &'a str {
        self.url.host_str().unwrap_or("the store")
    }
}

/// An answer whose status is not 2xx. `excerpt` is its body's start, redacted; `location` the header of that name.
pub(super) fn status(target: Target<'_>, answer: &Answer, excerpt: &str, location: Option<&str>) -> RemoteError {
    let host = target.host();
    let code = answer.status;
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    let error = |class| RemoteError::new(class, format!("{host} answered HTTP {}{said}", named(code))).status(code);
    match code {
        300..=399 => redirect(target, code, location),
        401 | 403 => error(ErrorClass::Unauthorized).hint(format!(
            "test it with netosync store check {0}, replace it with netosync store rekey {0}",
            target.store
        )),
        429 => error(ErrorClass::RateLimited),
        // A script or a gateway that gives up on a large page says one of these.
        408 | 500 | 502 | 504 => error(ErrorClass::Transient).too_much(),
        501..=599 => error(ErrorClass::Transient),
        404 if answer.looks_like_html() => error(ErrorClass::Config).hint(format!(
            "this may not be the address of a Neto store; correct it with netosync store set {} --url https://…",
            target.store
        )),
        _ => error(ErrorClass::Rejected),
    }
}

/// A redirect is not followed: the credential would go with it, to whoever is there.
fn redirect(target: Target<'_>, code: u16, location: Option<&str>) -> RemoteError {
    let host = target.host();
    let new = location.and_then(|location| target.url.join(location).ok());
    let new_host = new.as_ref().and_then(Url::host_str);
    let (sentence, address) = match new_host {
        Some(new_host) if new_host != host => {
            (format!("{host} sends us on to {new_host} (HTTP {code})"), format!("https://{new_host}"))
        }
        Some(_) => (format!("{host} sends us on to another page of its own (HTTP {code})"), "https://…".to_owned()),
        None => (format!("{host} answered HTTP {code} without saying where to go"), "https://…".to_owned()),
    };
    RemoteError::new(
        ErrorClass::Config,
        format!("{sentence}; redirects are not followed, the credential would go with them"),
    )
    .status(code)
    .hint(format!("if the store has moved: netosync store set {} --url {address}", target.store))
}

/// No answer, or not all of it.
pub(super) fn failure(target: Target<'_>, error: &reqwest::Error, received: usize) -> RemoteError {
    let host = target.host();
    if let Some(forbidden) = forbidden(error) {
        return forbidden.into_error(target.store);
    }
    let cause = root_cause(error);
    let transient = |sentence| RemoteError::new(ErrorClass::Transient, sentence);
    if error.is_builder() {
        return RemoteError::new(ErrorClass::Config, format!("the call to {host} could not be made: {cause}"));
    }
    if error.is_timeout() {
        if error.is_connect() {
            return transient(format!("no connection to {host} within fetch.connect_timeout_secs"));
        }
        let late = if received > 0 {
            format!(
                "{host} did not send the whole answer within the time limit (fetch.read_timeout_secs, fetch.timeout_secs), {received} bytes of it came"
            )
        } else {
            format!("{host} did not answer within the time limit (fetch.read_timeout_secs, fetch.timeout_secs)")
        };
        return transient(late).too_much();
    }
    if error.is_connect() {
        return transient(format!("no connection to {host}: {cause}"))
            .hint(format!("if the store has moved: netosync store set {} --url https://…", target.store));
    }
    if error.is_body() || error.is_decode() {
        return transient(format!("the answer of {host} broke off after {received} bytes: {cause}")).too_much();
    }
    transient(format!("the call to {host} failed: {cause}"))
}

/// The same in a word, for counting.
pub(super) fn called(error: &reqwest::Error) -> Called {
    if error.is_connect() {
        Called::NoConnection
    } else if error.is_timeout() {
        Called::Timeout
    } else {
        Called::Broken
    }
}

/// How long the server asks us to stay away: seconds or an HTTP date. At most a day, and nothing it says is an error.
pub(super) fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => MAX_FREEZE,
        // An HTTP date is a date of RFC 2822 in GMT. One that has passed asks for nothing.
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().unwrap_or_default(),
    };
    Some(wait.min(MAX_FREEZE))
}

fn named(code: u16) -> String {
    let reason = reqwest::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| code.to_string(), |reason| format!("{code} {reason}"))
}

fn forbidden(error: &reqwest::Error) -> Option<Forbidden> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
            return Some(forbidden.clone());
        }
        source = error.source();
    }
    None
}

/// The last link of the chain: the one that says what happened. The others hold the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut text = "unknown reason".to_owned();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T10:00:00Z".parse().expect("a time")
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_day() {
        let seconds = |text: &str| retry_after(text, now()).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 90 "), Some(90));
        assert_eq!(seconds("Sat, 21 Nov 2026 10:02:00 GMT"), Some(120));
        assert_eq!(seconds("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(seconds("Sun, 21 Nov 2027 09:00:00 GMT"), Some(86_400));
        assert_eq!(seconds("Sat, 21 Nov 2048 09:00:00 GMT"), Some(86_400));
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds(""), None);
        assert_eq!(seconds("-5"), None);
    }

    #[test]
    fn every_status_has_its_class() {
        let url = "https://shop.example.com/do/WS/NetoAPI".parse().expect("a URL");
        let class = |code, content_type: &str| {
            let answer = Answer {
                status: code,
                content_type: Some(content_type.to_owned()),
                link: None,
                body: String::new(),
                lossy: false,
            };
            status(Target { url: &url, store: "demo" }, &answer, "", None).class
        };
        for (code, expected) in [
            (301, ErrorClass::Config),
            (304, ErrorClass::Config),
            (400, ErrorClass::Rejected),
            (401, ErrorClass::Unauthorized),
            (403, ErrorClass::Unauthorized),
            (404, ErrorClass::Rejected),
            (408, ErrorClass::Transient),
            (422, ErrorClass::Rejected),
            (429, ErrorClass::RateLimited),
            (500, ErrorClass::Transient),
            (503, ErrorClass::Transient),
            (599, ErrorClass::Transient),
            (600, ErrorClass::Rejected),
        ] {
            assert_eq!(class(code, "application/json"), expected, "{code}");
        }
        assert_eq!(class(404, "text/html; charset=utf-8"), ErrorClass::Config);
    }
}
