//! The newest run of a store and kind, as far as it decides when the next one is due.

use chrono::{DateTime, Utc};

use super::run::RunKind;

/// The newest run of a kind, whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LastRun {
    /// Its kind.
    pub kind: RunKind,
    /// When it began, or was asked for if it never began.
    pub began_at: DateTime<Utc>,
    /// What it left to be made up for.
    pub left: Left,
}

/// What a run has left to be made up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// Nothing: it succeeded, or a person has cancelled it.
    Nothing,
    /// It is not over.
    Unfinished,
    /// Everything: it failed at `at`, and so did all since the one that began at `since`.
    Failed {
        /// Its end.
        at: DateTime<Utc>,
        /// When the first of them began.
        since: DateTime<Utc>,
    },
    /// Everything: the store refused its key at `at`.
    Refused {
        /// Its end.
        at: DateTime<Utc>,
    },
}
