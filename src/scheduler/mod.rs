//! The scheduler: at every tick it asks [`due::due`] about every store and kind of run, and puts a run into
//! the queue for those that are due.
//!
//! It works on no run itself and keeps nothing that matters: what was started when is read from the runs, and that a store has
//! one unfinished run at the most is the database's to decide. So any number of instances may tick beside each other, and one
//! that was off for a week is not behind. tokio-cron-scheduler is where the ticks come from and nothing more: its callback
//! only sends into a channel, because it prevents no overlap, does not wait for callbacks when it stops, and shifts
//! schedules with a time zone over daylight saving.

pub mod due;
pub mod moments;
pub mod phase;
pub mod plan;
mod rests;
#[cfg(test)]
mod zones_tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, info, warn};

use self::due::{Due, Reason};
use self::plan::{Plan, Planned, first};
use self::rests::Rests;
use crate::clock::SharedClock;
use crate::config::Live;
use crate::domain::run::RunKind;
use crate::domain::timetable::Timetable;
use crate::storage::{Database, StorageError, schedule};

/// Puts runs into the queue for the stores that are due.
#[derive(Debug)]
pub struct Scheduler {
    db: Database,
    config: Live,
    clock: SharedClock,
    plan: Plan,
    rests: Rests,
    /// Stores whose schedule was complained about.
    told: HashSet<(i64, RunKind)>,
    next: Option<DateTime<Utc>>,
}

impl Scheduler {
    /// A scheduler for all stores of a database.
    #[must_use]
    pub fn new(db: Database, config: Live, clock: SharedClock) -> Self {
        Self { db, config, clock, plan: Plan::default(), rests: Rests::default(), told: HashSet::new(), next: None }
    }

    /// Queues a run for every store that is due and has none unfinished, of the heaviest kind that is. Gives the number of
    /// those queued.
    pub async fn enqueue_due(&mut self) -> Result<usize, StorageError> {
        let (now, config) = (self.clock.now(), self.config.get());
        let mut names = HashMap::new();
        let mut due: HashMap<RunKind, Vec<i64>> = HashMap::new();
        let mut next: Option<DateTime<Utc>> = None;
        self.rests.begin(&config);
        for row in schedule::rows(&self.db).await? {
            if row.unfinished() {
                continue;
            }
            if let Some(until) = self.rests.of(&row, now) {
                next = next.into_iter().chain(until).min();
                continue;
            }
            let kinds = self.plan.of(&config.schedule, &row, now);
            complain(&mut self.told, &row.times, &kinds);
            match first(&kinds, now) {
                Some((kind, at)) if at <= now => {
                    due.entry(kind).or_default().push(row.times.store_id);
                    names.insert(row.times.store_id, row.times.store.clone());
                }
                rests => {
                    let until = rests.map(|(_, at)| at);
                    self.rests.note(&row, until, now);
                    next = next.into_iter().chain(until).min();
                }
            }
        }
        self.next = next;
        let mut queued = 0;
        for (kind, stores) in due {
            for (run_id, store_id) in schedule::enqueue(&self.db, kind, &stores, now).await? {
                queued += 1;
                let name = &names[&store_id];
                info!(store.id = store_id, store.name = name, run.id = run_id, run.kind = %kind, "{name} is due; run {run_id} is queued");
            }
        }
        Ok(queued)
    }

    /// When a store without unfinished run is due next, as of the last look.
    #[must_use]
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.next
    }
}

/// Says once of each schedule that cannot be used what is wrong with it.
fn complain(told: &mut HashSet<(i64, RunKind)>, times: &Timetable, kinds: &[Planned<'_>]) {
    for Planned { kind, due, .. } in kinds {
        let Due::No(Reason::BadSchedule(error)) = due else { continue };
        if told.insert((times.store_id, *kind)) {
            warn!(
                store.id = times.store_id,
                store.name = times.store,
                run.kind = %kind,
                "the {kind} schedule of {0} cannot be used, so that kind is never run by itself: {error}; change it with \
                 `netosync store set {0}`",
                times.store
            );
        }
    }
}

/// A steady tick. Ticks that nobody takes become one.
pub struct Ticks {
    source: JobScheduler,
    ticks: mpsc::Receiver<()>,
}

impl Ticks {
    /// Ticks every so often, the first time after that time.
    pub async fn start(every: Duration) -> Result<Self, JobSchedulerError> {
        let (tick, ticks) = mpsc::channel(1);
        let source = JobScheduler::new().await?;
        let send = move |_, _| {
            // A full channel holds a tick already.
            let _ = tick.try_send(());
        };
        source.add(Job::new_repeated(every, send)?).await?;
        source.start().await?;
        Ok(Self { source, ticks })
    }

    /// The next tick.
    pub async fn next(&mut self) {
        if self.ticks.recv().await.is_none() {
            // The source is gone, which only its end does: then there is no next one.
            std::future::pending::<()>().await;
        }
    }

    /// Stops ticking.
    pub async fn stop(mut self) {
        if let Err(error) = self.source.shutdown().await {
            debug!("the tick source did not stop: {error}");
        }
    }
}
