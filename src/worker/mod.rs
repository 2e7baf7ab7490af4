//! The worker: claims queued runs into its slots, works on them, and stops in order.
//!
//! ```text
//! start, tick ─► scheduler queues what is due ─┐
//! a run ended ─────────────────────────────────┤
//! somebody changed the queue (wake-up) ────────┼─► something due? claim as many as slots are free ─► one task a run
//! the next run's time, the end of a lease ─────┘
//! ```
//! Everything is one loop, so the count of free slots cannot race. Whether something is due is one indexed read; only then
//! is a claim sent, which is a write. So a run whose worker was killed is taken over when its lease has run out, one that
//! rests begins on time, and one that a person triggers begins at once, without a busy loop.
//!
//! The work itself is a parameter ([`crate::sync::Syncer`] in the program): this module knows leases and slots, never
//! stores. It must not end because of a run: an error there is logged, a panic is caught, and what happens to the run is
//! written down. Nor because of the database: when that fails, the loop says so once and tries again (`trouble`).

mod crew;
pub mod freshness;
mod presence;
mod pruning;
pub mod service;
#[cfg(test)]
mod tests;
mod trouble;
pub mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::crew::Crew;
use self::freshness::Freshness;
use self::presence::Presence;
use self::pruning::Pruning;
use self::service::Standing;
use self::trouble::Trouble;
use crate::clock::SharedClock;
use crate::config::Live;
use crate::domain::run::{Lease, Run};
use crate::metrics::Metrics;
use crate::scheduler::{Scheduler, Ticks};
use crate::storage::instances::Instance;
use crate::storage::wake::Wakeups;
use crate::storage::{Database, StorageError, gauges};

/// How long a stop waits for the statement under way: together with the runs in flight it stays below 10 seconds.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Until when to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until asked to stop.
    Stopped,
    /// Until nothing in the queue is due any more, or asked to stop.
    Idle,
}

/// A worker with its slots. `work` is what it does with a claimed run.
#[derive(Debug)]
pub struct Worker<W> {
    /// The database.
    pub db: Database,
    /// The configuration.
    pub config: Live,
    /// The time.
    pub clock: SharedClock,
    /// Name of this worker in leases, unique among all that are alive.
    pub owner: String,
    /// The machine it runs on, for people.
    pub host: String,
    /// Where the loop leaves its signs of life.
    pub freshness: Arc<Freshness>,
    /// Where slots, and the runs that end here, are counted.
    pub metrics: Arc<Metrics>,
    /// Works on a run until it ends, is given back or is lost.
    pub work: W,
}

/// What the service manager was told last.
#[derive(Default)]
struct Shown {
    /// Slots at work; `None` makes the next look count anew.
    busy: Option<usize>,
    sentence: String,
}

impl Shown {
    fn tell(&mut self, sentence: String) {
        if self.sentence != sentence {
            service::status(&sentence);
            self.sentence = sentence;
        }
    }
}

/// What a worker has to remember from one round of its loop to the next.
#[derive(Default)]
struct Shift {
    crew: Crew,
    /// Whether the scheduler has looked since the last tick.
    looked: bool,
    pruning: Pruning,
    trouble: Trouble,
    shown: Shown,
}

impl<W, F> Worker<W>
where
    W: Fn(Run, Lease) -> F,
    F: Future<Output = Result<(), StorageError>> + Send + 'static,
{
    /// Queues what is due now and at every tick, and works on the queue. Gives the runs that were worked on, when it is
    /// [`Until::Idle`]; then a database that fails is an error, else it is waited for.
    pub async fn serve(
        &self,
        scheduler: &mut Scheduler,
        ticks: &mut Ticks,
        until: Until,
        stop: &CancellationToken,
    ) -> Result<Vec<i64>, StorageError> {
        let wakeups = Wakeups::of(&self.db);
        let presence = Presence::start(self.db.clone(), self.clock.clone(), self.instance());
        let mut shift = Shift::default();
        let mut worked = Vec::new();
        let mut result = Ok(());
        while !stop.is_cancelled() {
            self.freshness.tick();
            let round = tokio::select! {
                biased;
                round = self.round(scheduler, &mut shift) => round,
                () = patiently(stop) => break,
            };
            let next = match round {
                Ok(next) => {
                    shift.trouble.over(self.clock.now());
                    next
                }
                Err(error) if until == Until::Idle => {
                    result = Err(error);
                    break;
                }
                Err(error) => Some(shift.trouble.met(&error, self.clock.now())),
            };
            if until == Until::Idle && shift.crew.len() == 0 {
                break;
            }
            presence.running(shift.crew.len());
            tokio::select! {
                biased;
                () = self.show(&mut shift, scheduler.next_due()) => {}
                () = patiently(stop) => break,
            }
            let calm = !shift.trouble.lasts();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                ended = shift.crew.next_ended() => {
                    let lease = self.note(ended, &mut shift.crew).await;
                    worked.extend(lease.filter(|_| until == Until::Idle).map(|lease| lease.run_id));
                }
                () = ticks.next(), if calm => shift.looked = false,
                () = wakeups.next(), if calm => {}
                () = self.reached(next) => {}
            }
        }
        presence.leave().await;
        if stop.is_cancelled() || shift.crew.len() > 0 {
            self.drain(&mut shift.crew, stop).await;
        }
        result.map(|()| worked)
    }

    /// Queues what is due, if that is due, and fills the free slots. One of them failing does not keep the other from
    /// being tried. Gives what [`Worker::fill`] gives.
    async fn round(&self, scheduler: &mut Scheduler, shift: &mut Shift) -> Result<Option<DateTime<Utc>>, StorageError> {
        let mut looked = Ok(());
        if !shift.looked {
            looked = scheduler.enqueue_due().await.map(|_| shift.looked = true);
            shift.shown.busy = None;
        }
        let next = self.fill(&mut shift.crew).await;
        if looked.is_ok() && next.is_ok() {
            shift.pruning.step(&self.db, &self.config.get().retention, self.clock.now()).await;
        }
        looked.and(next)
    }

    fn slots(&self) -> usize {
        self.config.get().worker.slots as usize
    }

    async fn reached(&self, at: Option<DateTime<Utc>>) {
        match at {
            Some(at) => self.clock.reaches(at).await,
            None => std::future::pending().await,
        }
    }

    fn instance(&self) -> Instance {
        let now = self.clock.now();
        Instance {
            name: self.owner.clone(),
            host: self.host.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            seen_at: now,
            slots: self.config.get().worker.slots,
            running: 0,
        }
    }

    /// Tells the service manager and the metrics where we stand, when that has changed: after a tick, and when another
    /// number of slots is at work.
    async fn show(&self, shift: &mut Shift, next_run: Option<DateTime<Utc>>) {
        let (busy, slots, now) = (shift.crew.len(), self.slots(), self.clock.now());
        self.metrics.slots(busy, slots);
        if !service::listens() {
            return;
        }
        if shift.trouble.lasts() {
            shift.shown.busy = None;
            return shift.shown.tell("the database does not work; trying again until it does".to_owned());
        }
        if shift.shown.busy.replace(busy) == Some(busy) {
            return;
        }
        match gauges::queue(&self.db, now).await {
            Ok(queue) => {
                let queued = queue.due + queue.resting;
                shift.shown.tell(Standing { busy, slots, queued, next_run, now }.to_string());
            }
            Err(error) => debug!("{error}"),
        }
    }
}

/// Resolves some time after `stop`.
async fn patiently(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_PATIENCE).await;
}
