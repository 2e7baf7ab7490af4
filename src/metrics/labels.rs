//! The words that labels consist of.

use crate::domain::run::{Counts, RunState, Verdict};
use crate::domain::text_enum::text_enum;

text_enum! {
    /// How a worker let go of a run.
    Outcome {
        /// Succeeded, with every product seen.
        Complete = "complete",
        /// Succeeded, after what had slipped was fetched.
        Repaired = "repaired",
        /// Succeeded, and something is missing or unsure.
        Partial = "partial",
        /// Ended by an error.
        Failed = "failed",
        /// Ended by a person or a revoked key.
        Cancelled = "cancelled",
        /// Back in the queue after an error, counted as an attempt.
        Retried = "retried",
        /// Back in the queue because the store wants to be left alone.
        Snoozed = "snoozed",
        /// Back in the queue because this instance stops.
        Interrupted = "interrupted",
        /// Back in the queue because its slice was over and others waited.
        Yielded = "yielded",
        /// Its lease is, or will be, another worker's: it was silent for too long, or the database failed.
        Lost = "lost",
    }
}

text_enum! {
    /// What came of a call: the HTTP status, or what came instead.
    Called {
        /// An answer was wanted and came; it may still refuse what was asked.
        Ok = "2xx",
        /// Sent elsewhere, which is not followed.
        Redirected = "3xx",
        /// Refused: who are you?
        Unauthorized = "401",
        /// Refused: you may not.
        Forbidden = "403",
        /// Too many calls.
        RateLimited = "429",
        /// Another refusal.
        Refused = "4xx",
        /// The store's own trouble.
        ServerError = "5xx",
        /// Any other status.
        Other = "other",
        /// No answer in time, or not all of it.
        Timeout = "timeout",
        /// No connection came about.
        NoConnection = "no_connection",
        /// The answer broke off, or was too large.
        Broken = "broken",
        /// We hung up: a stop, or a lost lease.
        GivenUp = "given_up",
    }
}

text_enum! {
    /// What a committed page did to a product.
    Effect {
        /// It was new.
        Inserted = "inserted",
        /// It had changed.
        Updated = "updated",
        /// It was the same, and was not written.
        Unchanged = "unchanged",
        /// It was marked removed.
        Removed = "removed",
        /// It could not be read.
        Quarantined = "quarantined",
    }
}

impl Outcome {
    /// A run that ended.
    #[must_use]
    pub fn of_end(state: RunState, verdict: Option<Verdict>) -> Self {
        match (state, verdict) {
            (RunState::Succeeded, Some(Verdict::Complete) | None) => Self::Complete,
            (RunState::Succeeded, Some(Verdict::Repaired)) => Self::Repaired,
            (RunState::Succeeded, Some(Verdict::Partial)) => Self::Partial,
            (RunState::Cancelled, _) => Self::Cancelled,
            (RunState::Failed | RunState::Queued | RunState::Running, _) => Self::Failed,
        }
    }
}

impl Called {
    /// An answer with this status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            300..=399 => Self::Redirected,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            429 => Self::RateLimited,
            400..=499 => Self::Refused,
            500..=599 => Self::ServerError,
            _ => Self::Other,
        }
    }
}

impl Effect {
    /// How often, in these counts.
    #[must_use]
    pub fn of(self, counts: &Counts) -> i64 {
        match self {
            Self::Inserted => counts.inserted,
            Self::Updated => counts.updated,
            Self::Unchanged => counts.unchanged,
            Self::Removed => counts.removed,
            Self::Quarantined => counts.quarantined,
        }
    }
}
