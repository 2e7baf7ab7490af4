//! Why an import changed nothing.

use crate::storage::StorageError;
use crate::storage::foreign::ForeignError;
use crate::storage::vault::VaultError;

/// See the module. Each is one line: what failed, why, what to do next. None holds a value of a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is not configured.
    #[error("there is no import: set credentials.import.url and credentials.import.query")]
    Off,
    /// Another instance imports right now.
    #[error("another instance imports right now; try again in a moment")]
    Busy,
    /// The other database could not be read.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The query yields other columns than those that mean something.
    #[error("credentials.import.query {problem}; the columns are {known}")]
    Columns {
        /// What is wrong with them.
        problem: String,
        /// Those there may be.
        known: String,
    },
    /// No row came, though there were some before.
    #[error(
        "credentials.import.query yields no row, though {stores} imported stores are synced; if they are to rest, \
         `netosync store import --approve-pauses` says so"
    )]
    Empty {
        /// How many stores an import has brought that do not rest.
        stores: usize,
    },
    /// More stores than allowed would rest after it.
    #[error(
        "{pausing} of {stores} imported stores would be paused, because their rows are gone or say so, and credentials.import.max_share \
         allows {allowed} at once; correct the rows, or approve it with `netosync store import --approve-pauses`"
    )]
    TooManyPauses {
        /// How many would be paused.
        pausing: usize,
        /// Of how many that do not rest.
        stores: usize,
        /// How many may be.
        allowed: usize,
    },
    /// Our own database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A key could not be sealed.
    #[error("a key of the import cannot be sealed: {0}")]
    Vault(VaultError),
}

impl From<VaultError> for ImportError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Storage(error) => Self::Storage(error),
            error => Self::Vault(error),
        }
    }
}
