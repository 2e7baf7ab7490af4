//! Keeps a run's lease alive while the run is worked on.

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::Syncer;
use crate::domain::run::Lease;
use crate::storage::runs;

/// Renews a lease three times in its length until it is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    lost: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl Heartbeat {
    /// Starts renewing `lease`.
    pub fn start(syncer: &Syncer, lease: &Lease) -> Self {
        let lost = CancellationToken::new();
        let beat = beat(syncer.clone(), lease.clone(), lost.clone());
        Self { lost, _task: AbortOnDropHandle::new(tokio::spawn(beat)) }
    }

    /// Resolves when the lease is known to be lost: stop at once.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

async fn beat(syncer: Syncer, lease: Lease, lost: CancellationToken) {
    let lease_for = syncer.config.worker.lease();
    let third = (lease_for / 3).to_std().expect("a lease is longer than nothing");
    let mut ticks = tokio::time::interval(third);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut expires = syncer.clock.now() + lease_for;
    loop {
        ticks.tick().await;
        let until = syncer.clock.now() + lease_for;
        match runs::renew(&syncer.db, &lease, until).await {
            Ok(true) => expires = until,
            Ok(false) => break,
            Err(error) if syncer.clock.now() < expires => {
                debug!("the lease could not be renewed, trying again: {error}");
            }
            Err(error) => {
                warn!("the lease could not be renewed in time: {error}");
                break;
            }
        }
    }
    lost.cancel();
}
