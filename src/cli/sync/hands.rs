//! The command's own hands: with no daemon there, it works on runs itself, in as many slots as a daemon would.
//!
//! What that needs (keys, HTTP client, connections of its own) is made when the first run is claimed, so a command that only
//! follows stays small.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::domain::error::ErrorClass;
use crate::domain::run::{Lease, Run, RunState};
use crate::storage::runs::{self, Claim, End, Return};
use crate::storage::{Database, Manners, StorageError};
use crate::sync::{Patience, Syncer};

/// Works on runs in the foreground.
pub struct Hands<'a> {
    app: &'a App,
    db: &'a Database,
    syncer: Option<Syncer>,
    stop: CancellationToken,
    crew: JoinSet<(i64, Result<(), StorageError>)>,
}

impl<'a> Hands<'a> {
    /// Hands that get what they need when they need it.
    pub fn new(app: &'a App, db: &'a Database, stop: CancellationToken) -> Self {
        Self { app, db, syncer: None, stop, crew: JoinSet::new() }
    }

    /// Hands that have all they need.
    pub fn with(app: &'a App, syncer: Syncer, db: &'a Database, stop: CancellationToken) -> Self {
        Self { syncer: Some(syncer), ..Self::new(app, db, stop) }
    }

    /// How many slots are free.
    pub fn free(&self) -> usize {
        (self.app.config.worker.slots as usize).saturating_sub(self.crew.len())
    }

    /// Whether there is nothing in them.
    pub fn are_empty(&self) -> bool {
        self.crew.is_empty()
    }

    /// Claims a run and starts to work on it; `false` when somebody else was faster.
    pub async fn take(&mut self, run_id: i64) -> Result<bool, CliError> {
        let claim = Claim {
            owner: &self.app.worker_name,
            lease_for: self.app.config.worker.lease(),
            only: Some(run_id),
            limit: 1,
            now: self.app.now(),
        };
        let Some((run, lease)) = runs::claim(self.db, &claim).await?.pop() else { return Ok(false) };
        let syncer = match &self.syncer {
            Some(syncer) => syncer.clone(),
            None => match self.make_syncer().await {
                Ok(syncer) => self.syncer.insert(syncer).clone(),
                Err(error) => {
                    self.let_go(&run, &lease, &error).await?;
                    return Err(error);
                }
            },
        };
        let stop = self.stop.clone();
        self.crew.spawn(async move { (run.id, syncer.execute(run, lease, &stop).await) });
        Ok(true)
    }

    /// The next run that was worked on, and how that went: the end, being given back, or a database that failed.
    pub async fn next_ended(&mut self) -> (i64, Result<(), StorageError>) {
        match self.crew.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    async fn make_syncer(&self) -> Result<Syncer, CliError> {
        let db = self.db.with_manners(&Manners::WORKING).await?;
        self.app.syncer(&db, Patience::Foreground).await
    }

    /// A run that cannot be worked on for want of what it needs ends with the reason, for everybody who follows it; when
    /// only the database failed, it goes back to the queue.
    async fn let_go(&self, run: &Run, lease: &Lease, why: &CliError) -> Result<(), CliError> {
        let now = self.app.now();
        if why.exit == Exit::Configuration {
            let class = Some(ErrorClass::Config);
            let end = End {
                state: RunState::Failed,
                verdict: None,
                error_class: class,
                error: Some(why.message.clone()),
                evidence: None,
            };
            runs::finish(self.db, lease, &end, &run.counts, now).await?;
        } else {
            runs::give_back(self.db, lease, &Return::Interrupted, &run.counts, None, now).await?;
        }
        Ok(())
    }
}
