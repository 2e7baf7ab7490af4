//! Time is a parameter: everything that needs the time takes a [`Clock`].

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, SubsecRound, Utc};
use futures::future::BoxFuture;
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
}

/// A clock to hand around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }
}

/// A clock that stands still until it is moved, for tests and benchmarks. What its owner moves it by, its instants move by
/// as well; otherwise they are the machine's, so that waits end.
#[derive(Debug)]
pub struct ManualClock {
    start: DateTime<Utc>,
    now: Mutex<DateTime<Utc>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { start, now: Mutex::new(start) })
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        *self.now.lock().expect("no panic while the clock is held") += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().expect("no panic while the clock is held")
    }

    fn instant(&self) -> Instant {
        Instant::now() + (self.now() - self.start).to_std().unwrap_or_default()
    }
}
