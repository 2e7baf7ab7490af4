//! The worker: claims queued runs into its slots, works on them, and stops in order.
//!
//! ```text
//! tick ─► scheduler queues what is due ─┐
//! a run ended ──────────────────────────┼─► claim as many as slots are free ─► one task a run
//! start ────────────────────────────────┘
//! ```
//! Everything is one loop, so the count of free slots cannot race. The work itself is a parameter ([`crate::sync::Syncer`] in
//! the program): this module knows leases and slots, never stores. It must not end because of a run: an error there is
//! logged, a panic is caught, and what happens to the run is written down.

pub mod freshness;
pub mod service;
#[cfg(test)]
mod tests;
pub mod watchdog;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::freshness::Freshness;
use self::service::Standing;
use crate::clock::SharedClock;
use crate::config::Live;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Lease, Run, RunState};
use crate::metrics::Metrics;
use crate::metrics::labels::Outcome;
use crate::scheduler::{Scheduler, Ticks};
use crate::storage::runs::{self, Claim, End, Return};
use crate::storage::{Database, StorageError, gauges};

/// How long a stop waits for the runs in flight: longer than they wait for the page under way, shorter than what a
/// service manager or a person has patience for.
const DRAIN: Duration = Duration::from_secs(8);

/// Rest of a run whose work panicked. Its attempt counts, so a run that always panics ends.
const AFTER_PANIC: TimeDelta = TimeDelta::minutes(1);

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
    /// Where the loop leaves its signs of life.
    pub freshness: Arc<Freshness>,
    /// Where slots, and the runs that end here, are counted.
    pub metrics: Arc<Metrics>,
    /// Works on a run until it ends, is given back or is lost.
    pub work: W,
}

/// What systemd was told last.
#[derive(Default)]
struct Shown {
    busy: Option<usize>,
    sentence: String,
}

/// The runs in flight.
#[derive(Default)]
struct Crew {
    tasks: JoinSet<Result<(), StorageError>>,
    leases: HashMap<Id, Lease>,
}

impl<W, F> Worker<W>
where
    W: Fn(Run, Lease) -> F,
    F: Future<Output = Result<(), StorageError>> + Send + 'static,
{
    /// Queues what is due now and at every tick, and works on the queue. Gives the runs that were worked on, when it is
    /// [`Until::Idle`]; then a database that fails is an error, else it is logged and tried again at the next tick.
    pub async fn serve(
        &self,
        scheduler: &mut Scheduler,
        ticks: &mut Ticks,
        until: Until,
        stop: &CancellationToken,
    ) -> Result<Vec<i64>, StorageError> {
        let (mut crew, mut worked, mut look) = (Crew::default(), Vec::new(), true);
        let mut shown = Shown::default();
        while !stop.is_cancelled() {
            self.freshness.tick();
            let ticked = look;
            let filled = async {
                if std::mem::take(&mut look) {
                    scheduler.enqueue_due().await?;
                }
                self.fill(&mut crew).await
            };
            match filled.await {
                Ok(()) => self.show(crew.tasks.len(), scheduler.next_due(), ticked, &mut shown).await,
                Err(error) if until == Until::Stopped => error!("{error}; trying again at the next tick"),
                Err(error) => {
                    self.drain(&mut crew, stop).await;
                    return Err(error);
                }
            }
            if until == Until::Idle && crew.tasks.is_empty() {
                return Ok(worked);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(ended) = crew.tasks.join_next_with_id() => {
                    let lease = self.note(ended, &mut crew).await;
                    worked.extend(lease.filter(|_| until == Until::Idle).map(|lease| lease.run_id));
                }
                () = ticks.next() => look = true,
            }
        }
        self.drain(&mut crew, stop).await;
        Ok(worked)
    }

    /// Tells systemd and the metrics where we stand, when it has changed: at a tick, and when another number of slots is at
    /// work.
    async fn show(&self, busy: usize, next_run: Option<DateTime<Utc>>, ticked: bool, shown: &mut Shown) {
        if !ticked && shown.busy == Some(busy) {
            return;
        }
        shown.busy = Some(busy);
        let (slots, now) = (self.slots(), self.clock.now());
        self.metrics.slots(busy, slots);
        let queued = match gauges::queue(&self.db, now).await {
            Ok(queue) => queue.due + queue.resting,
            Err(error) => return warn!("{error}"),
        };
        let sentence = Standing { busy, slots, queued, next_run, now }.to_string();
        if shown.sentence != sentence {
            service::status(&sentence);
            shown.sentence = sentence;
        }
    }

    fn slots(&self) -> usize {
        self.config.get().worker.slots as usize
    }

    /// Claims as many runs as slots are free, and starts them.
    async fn fill(&self, crew: &mut Crew) -> Result<(), StorageError> {
        loop {
            let free = self.slots().saturating_sub(crew.tasks.len());
            if free == 0 {
                return Ok(());
            }
            let claim = Claim {
                owner: &self.owner,
                lease_for: self.config.get().worker.lease(),
                only: None,
                limit: u32::try_from(free).unwrap_or(u32::MAX),
                now: self.clock.now(),
            };
            let claimed = runs::claim(&self.db, &claim).await?;
            let all_there_is = claimed.len() < free;
            for (run, lease) in claimed {
                if run.attempt > self.config.get().worker.max_attempts.cast_signed() {
                    self.give_up(&run, &lease).await;
                } else {
                    let task = crew.tasks.spawn((self.work)(run, lease.clone()));
                    crew.leases.insert(task.id(), lease);
                }
            }
            if all_there_is {
                return Ok(());
            }
        }
    }

    /// Ends a run whose attempts are used up: its workers fell silent, or each attempt met a passing error.
    async fn give_up(&self, run: &Run, lease: &Lease) {
        let attempts = run.attempt - 1;
        let last = run.error.as_ref().map_or(String::new(), |error| format!("; the last time: {error}"));
        let sentence = format!("gave up after {attempts} attempts{last}");
        error!(run.id, store.id = run.store_id, "run {} failed: {sentence}", run.id);
        let class = Some(run.error_class.unwrap_or(ErrorClass::Internal));
        let end = End { state: RunState::Failed, verdict: None, error_class: class, error: Some(sentence) };
        match runs::finish(&self.db, lease, &end, &run.counts, self.clock.now()).await {
            Ok(()) => self.metrics.run(run.kind, Outcome::Failed),
            Err(error) => warn!(
                run.id,
                "run {} could not be ended, which is tried again when its lease has run out: {error}", run.id
            ),
        }
    }

    /// Takes note of a task that ended; gives the lease it had.
    async fn note(&self, ended: Result<(Id, Result<(), StorageError>), JoinError>, crew: &mut Crew) -> Option<Lease> {
        match ended {
            Ok((task, result)) => {
                let lease = crew.leases.remove(&task)?;
                if let Err(error) = result {
                    let run_id = lease.run_id;
                    error!(run.id = run_id, "run {run_id} stands still until its lease has run out: {error}");
                }
                Some(lease)
            }
            Err(error) => {
                let lease = crew.leases.remove(&error.id())?;
                if error.is_panic() {
                    self.after_panic(&lease).await;
                }
                Some(lease)
            }
        }
    }

    /// A panic is a bug of ours. What it said is on stderr already; the run rests and is tried again.
    async fn after_panic(&self, lease: &Lease) {
        let run_id = lease.run_id;
        error!(run.id = run_id, "the work on run {run_id} panicked, which is a bug of netosync; the others go on");
        let back = Return::Retry {
            at: self.clock.now() + AFTER_PANIC,
            class: ErrorClass::Internal,
            error: "netosync panicked while it worked on this run, which is a bug; see its log".to_owned(),
        };
        let given_back = async {
            let Some(run) = runs::get(&self.db, run_id).await? else { return Ok(()) };
            runs::give_back(&self.db, lease, &back, &run.counts, self.clock.now()).await?;
            self.metrics.run(run.kind, Outcome::Retried);
            Ok::<_, StorageError>(())
        };
        if let Err(error) = given_back.await {
            warn!(run.id = run_id, "run {run_id} goes on when its lease has run out: {error}");
        }
    }

    /// Asks the runs in flight to stop and waits for them, but not for ever.
    async fn drain(&self, crew: &mut Crew, stop: &CancellationToken) {
        stop.cancel();
        service::stopping();
        if crew.tasks.is_empty() {
            return;
        }
        info!("waiting for the page under way of {} runs", crew.tasks.len());
        let all = async {
            while let Some(ended) = crew.tasks.join_next_with_id().await {
                self.note(ended, crew).await;
            }
        };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            warn!("{} runs did not stop in time; they go on at their checkpoints later", crew.tasks.len());
            crew.tasks.abort_all();
        }
    }
}
