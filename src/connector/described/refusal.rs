//! What an error answer means: its class, and a sentence that may be shown.

use super::{Code, Description, Path};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;
use crate::domain::json;

/// The longest text of the API that a message quotes, in characters.
const MAX_QUOTED: usize = 200;

impl Description {
    /// The error that this answer is, if it is one: by its status, or by what `[errors]` says of HTTP 2xx.
    #[must_use]
    pub fn refusal(&self, reply: &Answer) -> Option<RemoteError> {
        let found = |path: &Option<Path>| path.as_ref().and_then(|path| path.scalar(&reply.body));
        let failed = self.errors.failed.as_ref().is_some_and(|failed| {
            let value = failed.path.scalar(&reply.body);
            value.is_some_and(|value| failed.equals.iter().any(|wrong| wrong.eq_ignore_ascii_case(&value)))
        });
        let fine = (200..300).contains(&reply.status);
        if fine && !failed {
            return None;
        }
        let code = found(&self.errors.code);
        let message = found(&self.errors.message);
        let class = self.class(reply.status, code.as_deref()).unwrap_or_else(|| usual_class(reply.status));
        let mut parts: Vec<String> = [&code, &message].into_iter().flatten().map(|text| quoted(text)).collect();
        parts.retain(|part| !part.is_empty());
        if !fine {
            parts.insert(0, format!("HTTP {}", reply.status));
        }
        let said = if parts.is_empty() { "it says no more".to_owned() } else { parts.join(", ") };
        let title = &self.title;
        let sentence = match class {
            ErrorClass::Unauthorized => format!("{title} refused the credential: {said}"),
            ErrorClass::RateLimited => format!("{title} asked for fewer calls: {said}"),
            ErrorClass::Transient => format!("{title} could not answer: {said}"),
            _ => format!("{title} refused the request: {said}"),
        };
        let error = RemoteError::new(class, sentence).status(reply.status);
        Some(match class {
            ErrorClass::Rejected if reply.status == 404 => {
                error.hint(format!("look at the store's URL and at the paths of connector {}", self.name))
            }
            _ => error,
        })
    }

    /// The class that the file gives: that of the code before that of the status.
    fn class(&self, status: u16, code: Option<&str>) -> Option<ErrorClass> {
        let is_code =
            |known: &Code| matches!((known, code), (Code::Text(known), Some(code)) if known.eq_ignore_ascii_case(code));
        let classes = &self.errors.classes;
        let by_code = classes.iter().find(|(known, _)| is_code(known));
        by_code.or_else(|| classes.iter().find(|(known, _)| *known == Code::Status(status))).map(|(_, class)| *class)
    }
}

/// What a status means everywhere else.
fn usual_class(status: u16) -> ErrorClass {
    match status {
        401 | 403 => ErrorClass::Unauthorized,
        429 => ErrorClass::RateLimited,
        408 | 425 | 500..=599 => ErrorClass::Transient,
        _ => ErrorClass::Rejected,
    }
}

/// A text of the API on one line, clipped.
pub(super) fn quoted(text: &str) -> String {
    let plain: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.chars().count() <= MAX_QUOTED { plain } else { plain.chars().take(MAX_QUOTED).collect::<String>() + "…" }
}

/// The names of an object's members, for messages.
pub(super) fn names(raw: &str) -> String {
    let Some(json::Object(members)) = json::object(raw) else { return "no object".to_owned() };
    let names: Vec<_> = members.iter().take(8).map(|(name, _)| quoted(name)).collect();
    if names.is_empty() { "an empty object".to_owned() } else { names.join(", ") }
}
