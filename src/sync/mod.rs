//! One run, from claim to outcome: the middle of the flow.
//!
//! Whoever has claimed a run calls [`Syncer::execute`]. It opens the store's credential, walks the catalogue, writes
//! page by page, and turns whatever happened into one change of the run's state. It never claims, schedules or retries
//! a run by itself, and it makes no call while a transaction is open.

mod heartbeat;
mod key;
mod outcome;
mod seen;
mod sequence;
pub mod vendor;
mod walk;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span};

use self::heartbeat::Heartbeat;
pub use self::outcome::Patience;
use self::outcome::{Step, Stop};
use self::walk::Walk;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::lifecycle::Standing;
use crate::domain::run::{Counts, Lease, Run};
use crate::domain::store::CredentialState;
use crate::metrics::Metrics;
use crate::metrics::labels::Outcome;
use crate::storage::vault::Vault;
use crate::storage::{Database, StorageError, runs, stores};
use crate::transport::Transport;

/// What a run needs besides itself. Clones share everything.
#[derive(Clone, Debug)]
pub struct Syncer {
    /// The database.
    pub db: Database,
    /// The way to the stores.
    pub transport: Arc<Transport>,
    /// Opens credentials.
    pub vault: Arc<Vault>,
    /// The configuration.
    pub config: Arc<Config>,
    /// The time.
    pub clock: SharedClock,
    /// Name of this worker in leases, unique among all that are alive.
    pub owner: String,
    /// What to do with a run whose store cannot be reached.
    pub patience: Patience,
}

impl Syncer {
    /// Works on a claimed run until it ends, is given back to the queue, or is lost to another worker.
    ///
    /// `stop` asks for an end after the page under way: its rows are committed and the run is given back.
    /// An error means that the database failed; the lease then runs out by itself.
    pub async fn execute(&self, run: Run, lease: Lease, stop: &CancellationToken) -> Result<(), StorageError> {
        let span = info_span!("run", store.id = run.store_id, run.id = run.id, run.attempt = run.attempt);
        let kind = run.kind;
        let let_go = self.execute_in_span(run, lease, stop).instrument(span).await;
        self.metrics().run(kind, *let_go.as_ref().unwrap_or(&Outcome::Lost));
        let_go.map(drop)
    }

    /// Where runs, pages and rows are counted.
    fn metrics(&self) -> &Metrics {
        self.transport.metrics()
    }

    async fn execute_in_span(&self, run: Run, lease: Lease, stop: &CancellationToken) -> Result<Outcome, StorageError> {
        let heartbeat = Heartbeat::start(self, &lease);
        let (attempt, mut counts) = (run.attempt, run.counts);
        let step = match self.walk(run, &lease, &heartbeat, stop, &mut counts).await {
            Ok(step) => step,
            Err(Stop::Storage(error @ StorageError::LeaseLost { .. })) => {
                return self.lost(&lease, &counts, &error).await;
            }
            Err(Stop::Storage(error)) => return Err(error),
            Err(stop) => outcome::decide(stop, attempt, self),
        };
        drop(heartbeat);
        let now = self.clock.now();
        outcome::log(&step, &counts);
        let applied = match &step {
            Step::End(end) => runs::finish(&self.db, &lease, end, &counts, now).await,
            Step::Return(back) => runs::give_back(&self.db, &lease, back, &counts, now).await,
        };
        match applied {
            Err(error @ StorageError::LeaseLost { .. }) => self.lost(&lease, &counts, &error).await,
            applied => applied.map(|()| step.outcome()),
        }
    }

    /// What is left to do for a run that is no longer ours: a person who cancelled it waits to hear that no call is made
    /// for it any more.
    async fn lost(&self, lease: &Lease, counts: &Counts, error: &StorageError) -> Result<Outcome, StorageError> {
        if runs::confirm_cancelled(&self.db, lease, counts, self.clock.now()).await? {
            info!("the run was cancelled; stopped");
            return Ok(Outcome::Cancelled);
        }
        info!("{error}");
        Ok(Outcome::Lost)
    }

    /// Walks; begins with a small call when the key is in doubt, so that its answer is known before anything is fetched.
    async fn walk(
        &self,
        run: Run,
        lease: &Lease,
        heartbeat: &Heartbeat,
        stop: &CancellationToken,
        counts: &mut Counts,
    ) -> Result<Step, Stop> {
        let attempt = run.attempt;
        let store = stores::load_store(&self.db, run.store_id).await?;
        let credential = match self.vault.open(&self.db, store.id, &store.name).await {
            Ok(credential) => credential,
            Err(error) => {
                key::postpone_what_does_not_open(self, &store).await?;
                return Err(error.into());
            }
        };
        info!(store.name = store.name, run.kind = %run.kind, page = run.checkpoint.as_ref().map_or(0, |at| at.page), "run begins");
        let mut walk = Walk::new(self, &store, &credential, run, lease, heartbeat, stop);
        let proven = match credential.standing.state {
            CredentialState::Ok => Ok(()),
            CredentialState::Suspect | CredentialState::Revoked => walk.canary().await,
        };
        let walked = match proven {
            Ok(()) => walk.go().await,
            Err(stop) => Err(stop),
        };
        *counts = walk.counts();
        match walked {
            Ok(()) => Ok(Step::End(walk.verdict().await?)),
            Err(Stop::Remote(error)) => {
                let standing = walk.key_works().map_or(credential.standing, Standing::working);
                Ok(key::after_failure(self, &store, &credential, standing, attempt, error).await?)
            }
            Err(stop) => Err(stop),
        }
    }
}
