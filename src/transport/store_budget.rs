//! The budget of one store, as the calls of one run share it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::domain::budget::{Budget, BudgetState};
use crate::domain::error::{ErrorClass, RemoteError};

/// A silence shorter than this is waited for within the run; a longer one is the queue's affair, so that the slot is free
/// for another store.
const PATIENCE: Duration = Duration::from_secs(5);

/// The budget of one store, shared by its calls. Time passes here as the machine counts it, from the clock's time at the
/// beginning: a wall clock that is set while a run goes on neither gives calls away nor stops the run.
#[derive(Debug)]
pub struct StoreBudget {
    /// `None` once it is closed.
    budget: Mutex<Option<Budget>>,
    clock: SharedClock,
    origin: DateTime<Utc>,
    begun: Instant,
    /// Tells those who wait that the wait they were told may be another now.
    changed: Notify,
}

impl StoreBudget {
    /// Shares `budget` from now on.
    #[must_use]
    pub fn new(budget: Budget, clock: SharedClock) -> Arc<Self> {
        let (origin, begun) = (clock.now(), clock.instant());
        Arc::new(Self { budget: Mutex::new(Some(budget)), clock, origin, begun, changed: Notify::new() })
    }

    /// What the checkpoint of a page carries.
    #[must_use]
    pub fn state(&self) -> Option<BudgetState> {
        self.lock().as_ref().map(Budget::state)
    }

    /// Lets no call through any more, and gives the state in which the holder of lease `epoch` leaves it. `None` when it
    /// was closed before.
    pub fn close(&self, epoch: i64) -> Option<BudgetState> {
        self.lock().take().map(|budget| BudgetState { settled_by: Some(epoch), ..budget.state() })
    }

    /// No call for the next `silence`.
    pub fn freeze(&self, silence: Duration) {
        let now = self.now();
        let silence = TimeDelta::from_std(silence).unwrap_or(TimeDelta::MAX);
        if let Some(budget) = self.lock().as_mut() {
            budget.freeze(now.checked_add_signed(silence).unwrap_or(DateTime::<Utc>::MAX_UTC), now);
        }
        self.changed.notify_waiters();
    }

    /// No call before `until` on the wall clock, said by somebody else who called the store.
    pub fn silent_until(&self, until: DateTime<Utc>) {
        if let Ok(silence) = (until - self.clock.now()).to_std() {
            self.freeze(silence);
        }
    }

    /// Until when, on the wall clock, the store has asked for silence, if it has.
    #[must_use]
    pub fn silence(&self) -> Option<DateTime<Utc>> {
        let left = self.lock().as_ref()?.frozen(self.now())?;
        let until = self.clock.now().checked_add_signed(TimeDelta::from_std(left).ok()?)?;
        // Whole milliseconds are what every database keeps, and a silence is not shortened.
        until.trunc_subsecs(3).checked_add_signed(TimeDelta::milliseconds(1))
    }

    /// Changes the limit while calls go on.
    pub fn set_limit(&self, calls_per_minute: u32) {
        let now = self.now();
        if let Some(budget) = self.lock().as_mut() {
            budget.set_limit(calls_per_minute, now);
        }
        self.changed.notify_waiters();
    }

    /// Resolves when the limit or a silence has changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The clock it goes by.
    pub(super) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Takes one call, or says how long to wait before asking again. An error means that the store wants to be left alone
    /// for longer than is waited within a run, or that the budget is closed.
    pub(crate) fn take(&self, host: &str) -> Result<Option<Duration>, RemoteError> {
        let now = self.now();
        let mut budget = self.lock();
        let Some(budget) = budget.as_mut() else { return Err(closed()) };
        match budget.take(now) {
            Ok(()) => Ok(None),
            Err(wait) if wait > PATIENCE && budget.frozen(now).is_some() => Err(silent(host, wait)),
            Err(wait) => Ok(Some(wait)),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.clock.instant() - self.begun).unwrap_or(TimeDelta::MAX);
        self.origin.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Budget>> {
        self.budget.lock().expect("nothing panics while the budget is held")
    }
}

fn closed() -> RemoteError {
    RemoteError::new(ErrorClass::Transient, "the run has been given back; no call was made")
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
