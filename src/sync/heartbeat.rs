//! Keeps a run's lease alive while the run makes progress, and tells it what has changed about its store meanwhile.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, warn};

use super::Syncer;
use super::outcome::Stop;
use super::progress::longest_step;
use crate::domain::run::{Lease, Run};
use crate::storage::StorageError;
use crate::storage::lease::{self, Renewed};
use crate::transport::{LiveLease, Pulse, StoreBudget};

/// Renews a lease three times in its length, and at once when a call needs it, until it is dropped, the lease is lost or the
/// run hangs.
#[derive(Debug)]
pub struct Heartbeat {
    /// The lease as the run's calls see it.
    pub live: Arc<LiveLease>,
    /// The run's signs of life.
    pub pulse: Arc<Pulse>,
    budget: Arc<OnceLock<Governed>>,
    over: watch::Receiver<Option<Over>>,
    _task: AbortOnDropHandle<()>,
}

/// A run's budget, and the most calls that its connector allows in a minute.
type Governed = (Arc<StoreBudget>, Option<u32>);

/// Why a run must stop at once.
#[derive(Clone, Copy, Debug)]
enum Over {
    /// The lease is lost.
    Lost,
    /// No sign of life for so long.
    Hung(Duration),
}

impl Heartbeat {
    /// Starts renewing the `lease` of a run that was just claimed.
    pub fn start(syncer: &Syncer, run: &Run, lease: &Lease) -> Self {
        Self::with_bound(syncer, run, lease, longest_step(&syncer.config))
    }

    /// [`Heartbeat::start`] for a run whose steps may take as long as `bound`.
    pub(super) fn with_bound(syncer: &Syncer, run: &Run, lease: &Lease, bound: Duration) -> Self {
        let live = LiveLease::new(syncer.clock.clone(), syncer.config.worker.lease(), run.lease_expires_at);
        let pulse = Pulse::new(syncer.clock.clone(), bound);
        syncer.progress.watch(&pulse);
        let budget = Arc::<OnceLock<_>>::default();
        let (tell, over) = watch::channel(None);
        let beating = Beating {
            syncer: syncer.clone(),
            lease: lease.clone(),
            live: live.clone(),
            pulse: pulse.clone(),
            budget: budget.clone(),
        };
        let beat = async move {
            let over = beating.go().await;
            beating.live.lose();
            tell.send_replace(Some(over));
        };
        let task = AbortOnDropHandle::new(tokio::spawn(beat.in_current_span()));
        Self { live, pulse, budget, over, _task: task }
    }

    /// From now on `budget` follows what the store's row says; `most` is what the connector allows where it says nothing.
    pub fn govern(&self, budget: Arc<StoreBudget>, most: Option<u32>) {
        // A run has one budget; a second would be a mistake without consequence.
        drop(self.budget.set((budget, most)));
    }

    /// Until when the store has asked for silence, as far as the run knows and has not told itself.
    pub fn silence(&self) -> Option<DateTime<Utc>> {
        self.budget.get()?.0.silence()
    }

    /// Resolves when the run must stop at once: its lease is lost, or it hangs and its lease is left to run out.
    pub async fn over(&self, run_id: i64) -> Stop {
        let mut over = self.over.clone();
        // A heartbeat that ended without a word has panicked: nobody renews the lease any more.
        match over.wait_for(Option::is_some).await.map_or(Some(Over::Lost), |over| *over) {
            Some(Over::Hung(still)) => Stop::Hung(still),
            Some(Over::Lost) | None => StorageError::LeaseLost { run_id }.into(),
        }
    }
}

/// What the task of a heartbeat works with.
struct Beating {
    syncer: Syncer,
    lease: Lease,
    live: Arc<LiveLease>,
    pulse: Arc<Pulse>,
    budget: Arc<OnceLock<Governed>>,
}

impl Beating {
    async fn go(&self) -> Over {
        let (clock, lease_for) = (&self.syncer.clock, self.syncer.config.worker.lease());
        let third = (lease_for / 3).to_std().expect("a lease is longer than nothing");
        // The claim is as good as a renewal: most runs are over before their first.
        let mut ticks = tokio::time::interval_at(Instant::now() + third, third);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let before = clock.instant();
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.live.renewal_wanted() => {}
            }
            if clock.instant() - before > 2 * third {
                // The process itself stood still, so the run could not give signs of life: it gets its time anew.
                self.pulse.beat();
            }
            if let Some(late) = self.pulse.overdue() {
                return Over::Hung(self.pulse.bound() + late);
            }
            let renewal = self.live.renewal();
            match lease::renew(&self.syncer.db, &self.lease, renewal.at + lease_for).await {
                Ok(Some(renewed)) => {
                    self.live.renewed(renewal);
                    self.apply(renewed);
                }
                Ok(None) => return Over::Lost,
                Err(error) if self.live.holds() => debug!("the lease could not be renewed, trying again: {error}"),
                Err(error) => {
                    warn!("the lease could not be renewed in time: {error}");
                    return Over::Lost;
                }
            }
        }
    }

    /// The limit may have been changed, in the store's row or in the configuration, and somebody else may have met HTTP 429.
    fn apply(&self, renewed: Renewed) {
        let Some((budget, most)) = self.budget.get() else { return };
        budget.set_limit(self.syncer.config.budget.of(renewed.calls_per_minute, *most));
        if let Some(until) = renewed.silent_until {
            budget.silent_until(until);
        }
    }
}
