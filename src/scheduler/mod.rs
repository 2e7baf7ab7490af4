//! The scheduler: at every tick it asks [`due::due`] about every store and puts a run into the queue for those that are.
//!
//! It works on no run itself and keeps nothing that matters: what was started when is read from the runs, and that a store has
//! one unfinished run at the most is the database's to decide. So any number of instances may tick beside each other, and one
//! that was off for a week is not behind. tokio-cron-scheduler is where the ticks come from and nothing more: its callback
//! only sends into a channel, because it prevents no overlap, does not wait for callbacks when it stops, and shifts
//! schedules with a time zone over daylight saving.

pub mod due;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, info, warn};

use self::due::{Due, Reason, Standing, due};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::run::{RunKind, Trigger};
use crate::storage::{Database, StorageError, runs, schedule};

/// Puts runs into the queue for the stores that are due.
#[derive(Debug)]
pub struct Scheduler {
    db: Database,
    config: Arc<Config>,
    clock: SharedClock,
    /// Stores whose schedule was complained about.
    told: HashSet<i64>,
}

impl Scheduler {
    /// A scheduler for all stores of a database.
    #[must_use]
    pub fn new(db: Database, config: Arc<Config>, clock: SharedClock) -> Self {
        Self { db, config, clock, told: HashSet::new() }
    }

    /// Queues a run for every store that is due and has none unfinished. Gives the number of those queued.
    pub async fn enqueue_due(&mut self) -> Result<usize, StorageError> {
        let now = self.clock.now();
        let kind = RunKind::Full;
        let mut queued = 0;
        for schedule::Row { store, credential, next_check_at, last_start } in schedule::rows(&self.db, kind).await? {
            let standing = Standing {
                schedule: store.schedule_full.as_deref().or(self.config.schedule.full.as_deref()),
                timezone: store
                    .timezone
                    .as_ref()
                    .and_then(|name| name.parse().ok())
                    .unwrap_or(self.config.schedule.timezone),
                paused: store.is_paused(now),
                credential,
                next_check_at,
                last_start,
            };
            match due(&standing, now) {
                Due::Now => {
                    let (run, inserted) = runs::enqueue(&self.db, store.id, kind, Trigger::Schedule, now).await?;
                    if inserted {
                        queued += 1;
                        info!(store.name, run.id, run.kind = %kind, "{} is due; its run is queued", store.name);
                    }
                }
                Due::No(Reason::BadSchedule(error)) if self.told.insert(store.id) => warn!(
                    store.name,
                    "the schedule of {0} cannot be used and it is never synced by itself: {error}; change it with \
                     `netosync store set {0}`",
                    store.name
                ),
                not_now => debug!(store.name, "{} is not due: {not_now:?}", store.name),
            }
        }
        Ok(queued)
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
