//! What can go wrong with a remote store, classified once.
//!
//! The class decides everything that follows: whether the transport asks again, what becomes of the run,
//! which exit code the command ends with. It is stored in `runs.error_class`.

use std::time::Duration;

use super::text_enum::text_enum;

text_enum! {
    /// The class of an error (design §4). The text form is what `runs.error_class` holds.
    ErrorClass {
        /// Time-outs, 5xx, connection trouble, a truncated or non-JSON body: worth asking again.
        Transient = "transient",
        /// HTTP 429: silence for at least a minute, then again.
        RateLimited = "rate_limited",
        /// HTTP 401/403, or `Ack: Error` with an authentication message.
        Unauthorized = "unauthorized",
        /// The store understood and refused the request (an unknown selector, for example).
        Rejected = "rejected",
        /// The answer arrived whole and cannot be used.
        Data = "data",
        /// The store's address or our configuration has to be changed by a person.
        Config = "config",
        /// A fault of ours, the database included.
        Internal = "internal",
    }
}

/// A call to a store that did not bring what was asked. The message is redacted and safe to log and store.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct RemoteError {
    /// What kind of failure.
    pub class: ErrorClass,
    /// One sentence: what failed and why.
    pub message: String,
    /// What to do next, when a person can do something.
    pub hint: Option<String>,
    /// HTTP status, when an answer came.
    pub status: Option<u16>,
    /// How long the server asked us to stay away.
    pub retry_after: Option<Duration>,
    /// Whether the answer may have been more than the server or we can bear, so that asking for less may help.
    pub too_much: bool,
}

impl RemoteError {
    /// An error of `class` with its sentence.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), hint: None, status: None, retry_after: None, too_much: false }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says that asking for less may help.
    #[must_use]
    pub fn too_much(self) -> Self {
        Self { too_much: true, ..self }
    }

    /// Adds the HTTP status of the answer.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}
