//! What SQLite refused, told as the driver tells it: by the extended result code, by which others know it.

use std::fmt;

/// See the module.
#[derive(Debug)]
pub struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    /// The driver's error for one of ours.
    pub fn of(error: rusqlite::Error) -> sqlx::Error {
        match error {
            rusqlite::Error::SqliteFailure(error, message) => {
                let message = message.unwrap_or_else(|| error.to_string());
                sqlx::Error::Database(Box::new(Self { code: error.extended_code.to_string(), message }))
            }
            other => sqlx::Error::Decode(Box::new(other)),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

impl sqlx::error::DatabaseError for Refusal {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.code.as_str().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::Other
    }
}
