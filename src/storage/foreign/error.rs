//! Why the other database could not be read, in words that quote nothing.

use std::time::Duration;

/// See the module. Each is one line: what failed, why, what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// The address is not one we can use.
    #[error(
        "credentials.import.url cannot be used: {reason}; write sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    BadUrl {
        /// What is wrong with it, without quoting it.
        reason: String,
    },
    /// The database does not let us in.
    #[error("the database of credentials.import.url ({target}) cannot be opened: {reason}")]
    Connect {
        /// Host and database, or the file.
        target: String,
        /// Why.
        reason: &'static str,
    },
    /// It refused the query.
    #[error("the database refused credentials.import.query: {reason}")]
    Refused {
        /// Why; names tables and columns, never values.
        reason: String,
    },
    /// It took too long.
    #[error(
        "the database of credentials.import.url did not answer within {secs} s; raise credentials.import.timeout_secs, or ask for less"
    )]
    Late {
        /// The limit, in seconds.
        secs: u64,
    },
    /// A column has a type that cannot be text.
    #[error("column {column} of credentials.import.query has the type {kind}, which is not read here; cast it to text")]
    Type {
        /// The column.
        column: String,
        /// Its type, in the database's words.
        kind: String,
    },
    /// There are more rows than any import has.
    #[error("credentials.import.query yields more than {most} rows; is it the right table?")]
    TooMany {
        /// The limit.
        most: usize,
    },
}

impl ForeignError {
    pub(super) fn bad_url(reason: impl Into<String>) -> Self {
        Self::BadUrl { reason: reason.into() }
    }

    pub(super) fn late(limit: Duration) -> Self {
        Self::Late { secs: limit.as_secs() }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

/// The driver's words about names in the query, where they are about nothing else; and the sentence for all others.
pub(super) fn of_names(said: &str, harmless: bool, else_: &str) -> String {
    if harmless {
        said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
    } else {
        format!("{else_}; what it says exactly is not repeated, because it may quote a value: run the query by hand")
    }
}
