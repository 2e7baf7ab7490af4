//! Whether the runs of this process make progress: what a watchdog asks before it says that all is well.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::config::Config;
use crate::storage::LONGEST_STATEMENT;
use crate::transport::Pulse;

/// The signs of life of all runs under way. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    runs: Arc<Mutex<Vec<Weak<Pulse>>>>,
}

impl Progress {
    /// For how long every run under way has been without the sign of life that was due. `None` while one of them makes
    /// progress, and while none is under way.
    ///
    /// A run that hangs is let go by its heartbeat, so this passes within a third of a lease; when it does not, even
    /// that has failed, and only a restart helps.
    ///
    /// # Panics
    /// Never: nothing panics while the list is held.
    #[must_use]
    pub fn stalled(&self) -> Option<Duration> {
        let runs = self.runs.lock().expect("nothing panics while the list is held");
        let late: Vec<_> = runs.iter().filter_map(Weak::upgrade).map(|pulse| pulse.overdue()).collect();
        late.into_iter().collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Watches one more run, until its pulse is dropped.
    ///
    /// # Panics
    /// Never: nothing panics while the list is held.
    pub fn watch(&self, pulse: &Arc<Pulse>) {
        let mut runs = self.runs.lock().expect("nothing panics while the list is held");
        runs.retain(|run| run.strong_count() > 0);
        runs.push(Arc::downgrade(pulse));
    }
}

/// The longest time a run may be without a sign of life: a step is either a try of a call, which `fetch.timeout_secs` ends,
/// or a statement, which the database's time-outs end; and a lease more, so that those come first. Waits (for the budget,
/// before a repeat) come on top where there are any.
pub(super) fn longest_step(config: &Config) -> Duration {
    let (call, lease) = (config.fetch.timeout_secs, config.worker.lease_secs);
    Duration::from_secs(call.into()).max(LONGEST_STATEMENT) + Duration::from_secs(lease.into())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test(start_paused = true)]
    async fn only_when_every_run_hangs_nothing_makes_progress() {
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let progress = Progress::default();
        assert_eq!(progress.stalled(), None);
        let pulse = |secs| Pulse::new(clock.clone(), Duration::from_secs(secs));
        let (one, other) = (pulse(10), pulse(20));
        progress.watch(&one);
        progress.watch(&other);
        clock.advance(TimeDelta::seconds(15));
        assert_eq!(progress.stalled(), None, "one goes on");
        clock.advance(TimeDelta::seconds(15));
        assert_eq!(progress.stalled(), Some(Duration::from_secs(10)));
        drop((one, other));
        assert_eq!(progress.stalled(), None);
    }
}
