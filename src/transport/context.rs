//! What belongs to the calls of one run: the store's budget, the count, the way to stop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::budget::{Budget, BudgetState};
use crate::domain::error::{ErrorClass, RemoteError};

/// A silence shorter than this is waited for within the run; a longer one is the queue's affair, so that the slot is free
/// for another store.
const PATIENCE: Duration = Duration::from_secs(5);

/// The budget of one store, shared by its calls. Time passes here as the machine counts it, from the clock's time at the
/// beginning: a wall clock that is set while a run goes on neither gives calls away nor stops the run.
#[derive(Debug)]
pub struct StoreBudget {
    budget: Mutex<Budget>,
    origin: DateTime<Utc>,
    begun: Instant,
}

impl StoreBudget {
    /// Shares `budget` from `now` (the clock's time) on.
    #[must_use]
    pub fn new(budget: Budget, now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { budget: Mutex::new(budget), origin: now, begun: Instant::now() })
    }

    /// What a checkpoint has to carry.
    #[must_use]
    pub fn state(&self) -> BudgetState {
        self.lock().state()
    }

    /// No call for the next `silence`.
    pub fn freeze(&self, silence: Duration) {
        let now = self.now();
        let silence = TimeDelta::from_std(silence).unwrap_or(TimeDelta::MAX);
        self.lock().freeze(now.checked_add_signed(silence).unwrap_or(DateTime::<Utc>::MAX_UTC), now);
    }

    /// Waits until the store may be called. An error means that it wants to be left alone for longer than is waited.
    pub(super) async fn turn(&self, host: &str) -> Result<(), RemoteError> {
        loop {
            let wait = {
                let now = self.now();
                let mut budget = self.lock();
                match budget.take(now) {
                    Ok(()) => return Ok(()),
                    Err(wait) if wait > PATIENCE && budget.frozen(now).is_some() => return Err(silent(host, wait)),
                    Err(wait) => wait,
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.begun.elapsed()).unwrap_or(TimeDelta::MAX);
        self.origin.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn lock(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().expect("nothing panics while the budget is held")
    }
}

fn silent(host: &str, wait: Duration) -> RemoteError {
    let seconds = wait.as_secs() + 1;
    let mut error = RemoteError::new(
        ErrorClass::RateLimited,
        format!("{host} has asked for silence, {seconds} s of it are left; no call was made"),
    );
    error.retry_after = Some(wait);
    error
}

/// One run's side of its calls.
#[derive(Debug)]
pub struct CallContext {
    /// Name of the store, for hints and the log.
    pub store: String,
    /// Its budget.
    pub budget: Arc<StoreBudget>,
    /// Calls made so far, repeats included.
    pub calls: AtomicU64,
    /// Gives up whatever is under way: a hard stop, or the lease is lost.
    pub cancel: CancellationToken,
}

impl CallContext {
    /// A context that has made no call.
    #[must_use]
    pub fn new(store: impl Into<String>, budget: Arc<StoreBudget>, cancel: CancellationToken) -> Self {
        Self { store: store.into(), budget, calls: AtomicU64::new(0), cancel }
    }

    /// Calls made so far, repeats included.
    #[must_use]
    pub fn calls_made(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000).expect("in range")
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_their_turn() {
        let budget = StoreBudget::new(Budget::empty(60, noon()), noon());
        let begun = Instant::now();
        for _ in 0..10 {
            budget.turn("shop").await.expect("a turn");
        }
        // 60 a minute with a burst of 2 is 59 in 60.001 s.
        assert!(
            (Duration::from_secs(10)..Duration::from_millis(10_200)).contains(&begun.elapsed()),
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_silence_is_not_waited_for_and_a_short_one_is() {
        let budget = StoreBudget::new(Budget::new(300, noon()), noon());
        budget.freeze(Duration::from_mins(1));
        let error = budget.turn("shop").await.expect_err("silent");
        assert_eq!((error.class, error.retry_after), (ErrorClass::RateLimited, Some(Duration::from_mins(1))));
        tokio::time::advance(Duration::from_secs(56)).await;
        budget.turn("shop").await.expect("a turn");
        assert_eq!(budget.state().at, noon() + TimeDelta::seconds(60));
    }
}
