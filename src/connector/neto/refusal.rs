//! What `Ack: Error` means, by its messages (spec: Neto API §2 and §4.4).

use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::json::{self, Object};

/// Words of a refused credential; compared without regard to case.
const UNAUTHORIZED: &[&str] =
    &["invalid api key", "invalid token", "access token", "unauthori", "not authori", "permission"];
/// Words of a budget used up.
const RATE_LIMITED: &[&str] = &["too many", "rate limit", "limit exceeded", "throttl"];
/// Words of a fault that passes.
const TRANSIENT: &[&str] = &["timeout", "timed out", "temporar", "try again", "unavailable", "deadlock", "maintenance"];

/// Turns the messages of a refused call into an error of the right class.
pub fn classify(messages: &[String]) -> RemoteError {
    let said = if messages.is_empty() { "no message".to_owned() } else { messages.join("; ") };
    let has = |words: &[&str]| {
        messages.iter().any(|message| words.iter().any(|word| message.to_ascii_lowercase().contains(word)))
    };
    if has(UNAUTHORIZED) {
        RemoteError::new(ErrorClass::Unauthorized, format!("the store refused the credential: {said}"))
    } else if has(RATE_LIMITED) {
        RemoteError::new(ErrorClass::RateLimited, format!("the store asked for fewer calls: {said}"))
    } else if has(TRANSIENT) {
        RemoteError::new(ErrorClass::Transient, format!("the store could not answer: {said}"))
    } else {
        RemoteError::new(ErrorClass::Rejected, format!("the store refused the request: {said}"))
    }
}

/// The texts in `Messages`, `Error` or `Errors`, in any of the shapes that occur.
pub fn messages(raw: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(raw, 0, &mut found);
    found
}

fn collect(raw: &str, depth: usize, found: &mut Vec<String>) {
    if depth > json::MAX_DEPTH {
        return;
    }
    match raw.as_bytes().first() {
        Some(b'[') => {
            json::list(raw).unwrap_or_default().into_iter().for_each(|element| collect(element, depth + 1, found));
        }
        Some(b'{') => {
            let Some(Object(members)) = json::object(raw) else { return };
            let member = |wanted: &str| members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let text = member("Message").or_else(|| member("Description")).and_then(|(_, value)| json::text(value));
            match text {
                Some(text) => found.push(text.into_owned()),
                None => members.iter().for_each(|(_, value)| collect(value, depth + 1, found)),
            }
        }
        Some(b'"') => {
            found.extend(json::text(raw).filter(|text| !text.trim().is_empty()).map(std::borrow::Cow::into_owned));
        }
        _ => {}
    }
}
