//! Whatever happened to a run, as one change of its state.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};
use tracing::{error, info, warn};

use super::Syncer;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::run::{Counts, RunState, Verdict};
use crate::metrics::labels::Outcome;
use crate::storage::StorageError;
use crate::storage::runs::{End, Return};
use crate::storage::vault::VaultError;
use crate::tokens::TokenError;

/// What becomes of a run whose store cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It ends as failed: a person is waiting.
    Foreground,
    /// It is tried again later, until its attempts are used up.
    Daemon,
}

/// Why a walk ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The store did not bring what was asked.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The database failed, or the lease is lost.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The credential cannot be opened.
    #[error(transparent)]
    Vault(VaultError),
    /// What bought tokens is dead: only a person can connect the store again.
    #[error("{0}")]
    Dead(RemoteError),
    /// The token is about to end.
    #[error("the token is about to end")]
    Expiring,
    /// We are stopping.
    #[error("stopping")]
    Asked,
    /// The run has had its slice, and others wait.
    #[error("the slice is over")]
    Yielded,
    /// The run made no progress for so long.
    #[error("no progress for {} s", .0.as_secs())]
    Hung(Duration),
}

impl From<TokenError> for Stop {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Storage(error) => Self::Storage(error),
            TokenError::Vault(error) => Self::Vault(error),
            TokenError::Remote(error) => Self::Remote(error),
            TokenError::Dead(error) => Self::Dead(error),
        }
    }
}

impl From<VaultError> for Stop {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Storage(error) => Self::Storage(error),
            error => Self::Vault(error),
        }
    }
}

/// A change of a run's state.
#[derive(Debug)]
pub enum Step {
    /// It ends.
    End(End),
    /// It goes back to the queue.
    Return(Return),
}

impl Step {
    /// The same in a word, for counting.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::End(end) => Outcome::of_end(end.state, end.verdict),
            Self::Return(Return::Retry { .. }) => Outcome::Retried,
            Self::Return(Return::Snooze { .. }) => Outcome::Snoozed,
            Self::Return(Return::Interrupted) => Outcome::Interrupted,
            Self::Return(Return::Yielded) => Outcome::Yielded,
        }
    }
}

/// The silence after HTTP 429, should the transport not say how long it is to be.
const SILENCE: TimeDelta = TimeDelta::seconds(60);

/// Decides what becomes of the run.
pub fn decide(stop: Stop, attempt: i32, syncer: &Syncer) -> Step {
    let now = syncer.clock.now();
    let error = match stop {
        Stop::Asked => return Step::Return(Return::Interrupted),
        Stop::Yielded => return Step::Return(Return::Yielded),
        // The token is dealt with before this is asked.
        Stop::Expiring => return Step::Return(Return::Interrupted),
        Stop::Remote(error) | Stop::Dead(error) => error,
        Stop::Vault(error) => RemoteError::new(ErrorClass::Config, error.to_string()),
        Stop::Storage(_) | Stop::Hung(_) => RemoteError::new(ErrorClass::Internal, stop.to_string()),
    };
    let sentence = sentence(&error);
    match error.class {
        ErrorClass::RateLimited => {
            let asked = error.retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or(SILENCE);
            Step::Return(Return::Snooze { at: (now + asked).trunc_subsecs(3), class: error.class, error: sentence })
        }
        ErrorClass::Transient
            if syncer.patience == Patience::Daemon && attempt < syncer.config.worker.max_attempts.cast_signed() =>
        {
            Step::Return(Return::Retry { at: now + retry_delay(attempt), class: error.class, error: sentence })
        }
        ErrorClass::Transient
        | ErrorClass::Unauthorized
        | ErrorClass::Rejected
        | ErrorClass::Data
        | ErrorClass::Config
        | ErrorClass::Internal => Step::End(failed(error.class, sentence)),
    }
}

/// How long a run waits before its next attempt: half a minute, doubled each time, an hour at the most.
fn retry_delay(attempt: i32) -> TimeDelta {
    let doublings = attempt.clamp(1, 8) - 1;
    TimeDelta::seconds((30 << doublings).min(3600))
}

/// A run that did not succeed.
pub fn failed(class: ErrorClass, error: String) -> End {
    End { state: RunState::Failed, verdict: None, error_class: Some(class), error: Some(error), evidence: None }
}

/// What failed and why, and what to do next, in one line.
pub fn sentence(error: &RemoteError) -> String {
    match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// Says once what became of the run.
pub fn log(step: &Step, counts: &Counts) {
    let Counts { pages, calls, seen, inserted, updated, unchanged, removed, quarantined } = *counts;
    macro_rules! say {
        ($level:ident, $($what:tt)+) => {
            $level!(pages, calls, seen, inserted, updated, unchanged, removed, quarantined, $($what)+)
        };
    }
    match step {
        Step::End(End { state: RunState::Succeeded, verdict: Some(Verdict::Partial), error, .. }) => {
            say!(warn, "run ended, partial: {}", error.as_deref().unwrap_or_default());
        }
        Step::End(End { state: RunState::Succeeded, verdict, .. }) => {
            say!(info, "run ended, {}", verdict.map_or("succeeded", Verdict::as_str));
        }
        Step::End(end) => say!(error, "run {}: {}", end.state, end.error.as_deref().unwrap_or_default()),
        Step::Return(Return::Retry { at, error, .. }) => say!(warn, "run will be tried again at {at}: {error}"),
        Step::Return(Return::Snooze { at, class: ErrorClass::RateLimited, error }) => {
            say!(info, "run rests until {at}: {error}");
        }
        Step::Return(Return::Snooze { at, error, .. }) => say!(warn, "run rests until {at}: {error}"),
        Step::Return(Return::Interrupted) => say!(info, "run interrupted; it goes on at its checkpoint"),
        Step::Return(Return::Yielded) => say!(info, "run gives its place to others that wait, and goes on behind them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_before_the_next_attempt_doubles_up_to_an_hour() {
        let minutes: Vec<_> = [1, 2, 3, 7, 8, 1000].map(|attempt| retry_delay(attempt).num_seconds()).into();
        assert_eq!(minutes, [30, 60, 120, 1920, 3600, 3600]);
    }
}
