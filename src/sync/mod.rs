//! One run, from claim to outcome: the middle of the flow.
//!
//! Whoever has claimed a run calls [`Syncer::execute`]. It opens the store's credential, walks the catalogue, writes
//! page by page, and turns whatever happened into one change of the run's state. It never claims, schedules or retries
//! a run by itself, and it makes no call while a transaction is open.

pub mod api;
mod at_work;
mod audit;
mod commit;
mod detail;
mod foresight;
mod group;
mod heartbeat;
mod held;
mod key;
mod listing;
mod look;
mod outcome;
mod pace;
mod page;
pub mod plan;
mod progress;
mod reading;
mod records;
mod refusal;
mod removal;
mod seam;
mod seen;
mod sequence;
mod size;
mod sweep;
#[cfg(test)]
mod tests;
mod token;
pub mod vendor;
mod verdict;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use self::api::Api;
use self::at_work::{AtWork, Left};
use self::heartbeat::Heartbeat;
pub use self::outcome::Patience;
use self::outcome::{Step, Stop};
pub use self::progress::Progress;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::connector::described::Registry;
use crate::domain::lifecycle::Standing;
use crate::domain::run::{Lease, Phase, Run, RunKind};
use crate::metrics::Metrics;
use crate::metrics::labels::Outcome;
use crate::storage::vault::Vault;
use crate::storage::{Database, StorageError, cursors, lease, runs, store_calls, stores};
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
    /// Signs of life of all runs under way, for a watchdog.
    pub progress: Progress,
    /// The described connectors.
    pub connectors: Arc<Registry>,
    /// Whether tokens that end are renewed; not on a copy of the database, which is thrown away with what was got.
    pub renews: bool,
}

/// How long the sentence about a hang may take to be written: what the run hangs on may be the database.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Syncer {
    /// Works on a claimed run until it ends, is given back to the queue, or is lost to another worker.
    ///
    /// `stop` asks for an end after the page under way: its rows are committed and the run is given back.
    /// A run whose lease is lost, or that makes no progress for longer than any of its steps may take, is dropped at once
    /// with all that is under way; of the latter the lease runs out by itself.
    /// An error means that the database failed; the lease then runs out by itself too.
    pub async fn execute(&self, run: Run, lease: Lease, stop: &CancellationToken) -> Result<(), StorageError> {
        let span = info_span!("run", store.id = run.store_id, run.id = run.id, run.attempt = run.attempt);
        let (kind, lease) = (run.kind, &lease);
        let work = async {
            let heartbeat = Heartbeat::start(self, &run, lease);
            self.work(run, lease, heartbeat, stop).await
        };
        let let_go = work.instrument(span).await;
        self.metrics().run(kind, *let_go.as_ref().unwrap_or(&Outcome::Lost));
        let_go.map(drop)
    }

    /// Where runs, pages and rows are counted.
    fn metrics(&self) -> &Metrics {
        self.transport.metrics()
    }

    /// [`Syncer::execute`], with the lease kept alive by `heartbeat`.
    async fn work(
        &self,
        run: Run,
        lease: &Lease,
        heartbeat: Heartbeat,
        stop: &CancellationToken,
    ) -> Result<Outcome, StorageError> {
        let (attempt, before, mut left) = (run.attempt, run.counts, None);
        let ended = tokio::select! {
            biased;
            stop = heartbeat.over(lease.run_id) => Err(stop),
            ended = self.attend(run, lease, &heartbeat, stop, &mut left) => ended,
        };
        // Written first, because it holds for whoever calls the store next, and however the run ended.
        let silence = left.as_ref().and_then(|left: &Left| left.silent_until);
        if let Some(until) = silence.or_else(|| heartbeat.silence()) {
            store_calls::keep_silent(&self.db, lease.store_id, until).await?;
        }
        let step = match ended {
            Ok(step) => step,
            Err(Stop::Storage(error @ StorageError::LeaseLost { .. })) => {
                return self.lost(lease, left.as_ref(), &error).await;
            }
            Err(Stop::Storage(error)) => return Err(error),
            Err(Stop::Hung(stood_still)) => {
                self.let_go(lease, stood_still).await;
                return Ok(Outcome::Lost);
            }
            Err(stop) => outcome::decide(stop, attempt, self),
        };
        drop(heartbeat);
        let now = self.clock.now();
        let counts = left.as_ref().map_or(before, |left| left.counts);
        outcome::log(&step, &counts);
        let applied = match &step {
            Step::End(end) => runs::finish(&self.db, lease, end, &counts, now).await,
            Step::Return(back) => {
                let checkpoint = left.as_ref().map(|left| &left.checkpoint);
                runs::give_back(&self.db, lease, back, &counts, checkpoint, now).await
            }
        };
        match applied {
            Err(error @ StorageError::LeaseLost { .. }) => self.lost(lease, left.as_ref(), &error).await,
            applied => applied.map(|()| step.outcome()),
        }
    }

    /// A run that hangs: its attempt counts, and when its lease has run out anybody takes it over.
    async fn let_go(&self, held: &Lease, stood_still: Duration) {
        error!("the run made no progress for {} s and is let go; it is tried again", stood_still.as_secs());
        let noted = tokio::time::timeout(LAST_WORDS, lease::note_hang(&self.db, held, stood_still)).await;
        if let Ok(Err(error)) = noted {
            warn!("that could not be written down: {error}");
        }
    }

    /// What is left to do for a run that is no longer ours: a person who cancelled it waits to hear that no call is made
    /// for it any more.
    async fn lost(&self, lease: &Lease, left: Option<&Left>, error: &StorageError) -> Result<Outcome, StorageError> {
        let counts = left.map(|left| &left.counts);
        if runs::confirm_cancelled(&self.db, lease, counts, self.clock.now()).await? {
            info!("the run was cancelled; stopped");
            return Ok(Outcome::Cancelled);
        }
        info!("{error}");
        Ok(Outcome::Lost)
    }

    /// Opens what the run needs and works on it; begins with a small call when the key is in doubt, so that its answer is known
    /// before anything is fetched.
    async fn attend(
        &self,
        run: Run,
        lease: &Lease,
        heartbeat: &Heartbeat,
        stop: &CancellationToken,
        left: &mut Option<Left>,
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
        let api = Api::of(&self.connectors, &store, &credential)?;
        let cursor = cursors::read(&self.db, &store).await?;
        let mut work = AtWork::new(self, (&store, credential, cursor, api), run, lease, heartbeat, stop);
        info!(store.name = store.name, run.kind = %work.kind, page = work.checkpoint.page, "run begins");
        let worked = Box::pin(with_tokens(&mut work)).await;
        *left = Some(work.leave());
        let standing = work.key_works().map_or(work.credential.standing, Standing::working);
        match worked {
            Ok(end) => Ok(Step::End(end)),
            Err(Stop::Remote(error)) => {
                Ok(key::after_failure(self, &store, &work.credential, standing, attempt, error).await?)
            }
            Err(Stop::Dead(error)) => Ok(key::dead(self, &store, &work.credential, standing, &error).await?),
            Err(stop) => Err(stop),
        }
    }
}

/// The work of the store's connector with a token that lasts: where it ends, the work goes on with a new one.
async fn with_tokens(work: &mut AtWork<'_>) -> Result<runs::End, Stop> {
    token::ahead(work).await?;
    loop {
        let worked = match work.api {
            Api::Neto => all_phases(work).await,
            Api::Described(api) => records::all_streams(work, api).await,
        };
        match worked {
            Ok(end) => return Ok(end),
            Err(stop) => token::after(work, stop).await?,
        }
    }
}

/// Works on a run to its end, or to what stops it.
async fn all_phases(work: &mut AtWork<'_>) -> Result<runs::End, Stop> {
    work.test_doubtful_key().await?;
    loop {
        match (work.checkpoint.phase, work.kind) {
            (Phase::Walk, kind) => {
                walk::walk(work).await?;
                // What a list in no order brings was read by walking; there is nothing to compare it with.
                let closing = kind == RunKind::Full && !work.checkpoint.listed.unordered;
                work.checkpoint.phase = if closing { Phase::List } else { Phase::Over };
            }
            (Phase::Detail, _) | (Phase::List, RunKind::Incremental) => detail::detail(work).await?,
            (Phase::List, RunKind::Full | RunKind::Sweep) => sweep::sweep(work).await?,
            (Phase::List, RunKind::Audit) => audit::list(work).await?,
            (Phase::Sample, _) => audit::sample(work).await?,
            (Phase::Look, _) => look::look(work).await?,
            (Phase::Confirm, _) => removal::confirm(work).await?,
            (Phase::Over, RunKind::Audit) => return Ok(audit::verdict(work)),
            (Phase::Over, _) => return verdict::verdict(work).await,
        }
    }
}
