//! This instance's line in the table of instances: written at the start, renewed every few seconds, gone at the stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::clock::SharedClock;
use crate::storage::instances::{self, Instance};
use crate::storage::{Database, StorageError};

/// How long leaving may take: the table is a courtesy, a stop is not held up for it.
const PARTING: Duration = Duration::from_secs(1);

/// Shows this instance to the others until it leaves. A database that fails is no reason to do anything: the next sign of
/// life puts the line back.
#[derive(Debug)]
pub struct Presence {
    running: Arc<AtomicU32>,
    leave: CancellationToken,
    beating: JoinHandle<()>,
}

impl Presence {
    /// Registers the instance and keeps it alive in the table.
    pub fn start(db: Database, clock: SharedClock, instance: Instance) -> Self {
        let running = Arc::new(AtomicU32::new(instance.running));
        let leave = CancellationToken::new();
        let beating = tokio::spawn(beat(db, clock, instance, running.clone(), leave.clone()));
        Self { running, leave, beating }
    }

    /// Tells how many runs are in flight, with the next sign of life.
    pub fn running(&self, count: usize) {
        self.running.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Takes the instance off the table: from now on it serves nobody.
    pub async fn leave(self) {
        self.leave.cancel();
        if tokio::time::timeout(PARTING, self.beating).await.is_err() {
            debug!("this instance stays on the list until it has not been seen for a while");
        }
    }
}

async fn beat(
    db: Database,
    clock: SharedClock,
    mut instance: Instance,
    running: Arc<AtomicU32>,
    leave: CancellationToken,
) {
    told(instances::forget(&db, clock.now()).await);
    let every = instances::BEAT.to_std().expect("longer than nothing");
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = leave.cancelled() => break,
            _ = ticks.tick() => {}
        }
        instance.seen_at = clock.now();
        instance.running = running.load(Ordering::Relaxed);
        told(instances::beat(&db, &instance).await);
    }
    told(instances::leave(&db, &instance.name).await);
}

/// The worker says that the database fails, once; this would say it again and again.
fn told(result: Result<(), StorageError>) {
    if let Err(error) = result {
        debug!("{error}");
    }
}
