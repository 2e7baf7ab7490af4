//! The one place that reads a database of somebody else's: the operator's own, for the import of credentials.
//!
//! Nothing is ever written there. SQLite opens the file to read only, so even the library cannot write it; PostgreSQL runs the
//! statement in a transaction that may only read, on a connection that may begin no other. One connection, closed afterwards, one
//! statement, a time limit, a limit of rows. No error shows a value, the address's password or the query: what the driver says is
//! put into a sentence of ours, because it likes to quote.

mod error;
mod postgres;
mod sqlite;

use std::time::Duration;

pub use error::ForeignError;

use crate::domain::secret::Secret;

/// No import has more rows.
const MOST_ROWS: usize = 100_000;
/// No value that means anything here is longer, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

/// What is asked of the other database.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Its address.
    pub url: &'a Secret,
    /// One SELECT, see [`crate::domain::select`].
    pub query: &'a Secret,
    /// How long connection and statement may take together.
    pub timeout: Duration,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, a value a column.
    pub rows: Vec<Vec<Value>>,
}

/// A value as text, whatever its type was. Each may be a secret.
#[derive(Clone, Debug)]
pub enum Value {
    /// NULL.
    Null,
    /// Text, a number or a truth value (`true` or `false`), without white space around it.
    Text(Secret),
    /// Not text in UTF-8, or too long to mean anything.
    Unreadable,
}

impl Value {
    fn of(bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => Self::Null,
            Some(bytes) if bytes.len() > LONGEST_VALUE => Self::Unreadable,
            Some(bytes) => std::str::from_utf8(bytes).map_or(Self::Unreadable, |text| Self::Text(Secret::new(text))),
        }
    }
}

/// Asks.
///
/// # Errors
/// Those of [`ForeignError`]; nothing was changed, here or there.
pub async fn read(question: Question<'_>) -> Result<Answer, ForeignError> {
    let asked = async {
        match question.url.expose().split_once(':').unwrap_or_default().0 {
            "sqlite" => sqlite::read(question).await,
            "postgres" | "postgresql" => postgres::read(question).await,
            _ => Err(ForeignError::bad_url("it begins with neither sqlite: nor postgres:")),
        }
    };
    // The statement has this limit by itself; this one is for a connection that does not come about, or hangs.
    let limit = question.timeout + Duration::from_secs(1);
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(ForeignError::late(question.timeout)))
}

/// Adds a row, unless there are too many.
fn push(rows: &mut Vec<Vec<Value>>, row: Vec<Value>) -> Result<(), ForeignError> {
    if rows.len() == MOST_ROWS {
        return Err(ForeignError::TooMany { most: MOST_ROWS });
    }
    rows.push(row);
    Ok(())
}
