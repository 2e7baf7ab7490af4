//! Time is a parameter: everything that needs the time, or waits for one, takes a [`Clock`].

use std::sync::Arc;

use chrono::{DateTime, Duration, SubsecRound, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now, UTC, in whole milliseconds (what both databases keep exactly).
    fn now(&self) -> DateTime<Utc>;

    /// The same moment on a clock that nobody can set: it only ever goes forward, also while the process is stopped.
    /// For how long something has lasted, or may last.
    fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Waits until so much time has passed.
    fn sleep(&self, wait: std::time::Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(wait))
    }

    /// Resolves when the clock shows `at` or later.
    fn reaches(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()>;
}

/// A clock to hand around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

/// A machine that was asleep, or whose clock was put right, is noticed within this time.
const LONGEST_NAP: TimeDelta = TimeDelta::seconds(30);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }

    fn reaches(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        async move {
            while let Some(left) = Some(at - self.now()).filter(|left| *left > TimeDelta::zero()) {
                tokio::time::sleep(left.min(LONGEST_NAP).to_std().unwrap_or_default()).await;
            }
        }
        .boxed()
    }
}

/// A clock that stands still until it is moved, for tests and benchmarks. What its owner moves it by, its instants move by
/// as well, and waits are over when it was moved far enough; otherwise both are the machine's, so that waits end.
#[derive(Debug)]
pub struct ManualClock {
    start: DateTime<Utc>,
    now: watch::Sender<DateTime<Utc>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { start, now: watch::Sender::new(start) })
    }

    /// How many wait for a time of this clock.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.now.receiver_count()
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    fn instant(&self) -> Instant {
        Instant::now() + (self.now() - self.start).to_std().unwrap_or_default()
    }

    fn sleep(&self, wait: std::time::Duration) -> BoxFuture<'_, ()> {
        let (until, mut moves) = (self.instant() + wait, self.now.subscribe());
        Box::pin(async move {
            while let Some(left) = until.checked_duration_since(self.instant()).filter(|left| !left.is_zero()) {
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    _ = moves.changed() => {}
                }
            }
        })
    }

    fn reaches(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        let mut time = self.now.subscribe();
        async move {
            // The sender is part of this clock, so it outlives the wait.
            let _ = time.wait_for(|now| *now >= at).await;
        }
        .boxed()
    }
}
