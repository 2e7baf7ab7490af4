//! Whether a run makes progress: each of its steps says so, and says when the next sign of life is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::SharedClock;

/// The signs of life of one run. Calls give them by themselves (a try begins or ends, a wait for budget or before a repeat
/// begins); whoever stores pages gives one for each. Costs an atomic operation.
#[derive(Debug)]
pub struct Pulse {
    clock: SharedClock,
    begun: Instant,
    bound: Duration,
    /// When the next sign of life is due, in milliseconds since `begun`.
    due: AtomicU64,
}

impl Pulse {
    /// Begins now. No step of the run may take longer than `bound` without a sign of life.
    #[must_use]
    pub fn new(clock: SharedClock, bound: Duration) -> Arc<Self> {
        let begun = clock.instant();
        let pulse = Self { clock, begun, bound, due: AtomicU64::new(0) };
        pulse.beat();
        Arc::new(pulse)
    }

    /// A sign of life.
    pub fn beat(&self) {
        self.rest(Duration::ZERO);
    }

    /// A sign of life, after which nothing is to be expected for as long as `wait`.
    pub fn rest(&self, wait: Duration) {
        let due = self.clock.instant().duration_since(self.begun).saturating_add(wait).saturating_add(self.bound);
        self.due.fetch_max(u64::try_from(due.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// For how long the next sign of life has been overdue; `None` while the run makes progress.
    #[must_use]
    pub fn overdue(&self) -> Option<Duration> {
        let now = self.clock.instant().duration_since(self.begun);
        let due = Duration::from_millis(self.due.load(Ordering::Relaxed));
        now.checked_sub(due).filter(|late| !late.is_zero())
    }

    /// The longest time without a sign of life that is not a hang.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.bound
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test(start_paused = true)]
    async fn a_run_hangs_when_no_sign_of_life_comes_for_longer_than_the_bound_and_what_it_waits_for() {
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let pulse = Pulse::new(clock.clone(), Duration::from_secs(100));
        clock.advance(TimeDelta::seconds(100));
        assert_eq!(pulse.overdue(), None);
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(pulse.overdue(), Some(Duration::from_secs(1)));
        pulse.rest(Duration::from_mins(10));
        pulse.beat();
        clock.advance(TimeDelta::seconds(700));
        assert_eq!(pulse.overdue(), None, "a beat beside a wait does not shorten it");
        clock.advance(TimeDelta::seconds(2));
        assert_eq!(pulse.overdue(), Some(Duration::from_secs(2)));
        pulse.beat();
        assert_eq!(pulse.overdue(), None);
    }
}
