//! Time is a parameter: everything that needs the time, or waits for one, takes a [`Clock`].

use std::sync::Arc;

use chrono::{DateTime, Duration, SubsecRound, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now, UTC, in whole milliseconds (what both databases keep exactly).
    fn now(&self) -> DateTime<Utc>;

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

/// A clock that stands still until it is moved, for tests and benchmarks.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(start)))
    }

    /// How many wait for a time of this clock.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.receiver_count()
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.borrow()
    }

    fn reaches(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        let mut time = self.0.subscribe();
        async move {
            // The sender is part of this clock, so it outlives the wait.
            let _ = time.wait_for(|now| *now >= at).await;
        }
        .boxed()
    }
}
