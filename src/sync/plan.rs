//! What a run would do, found out by doing it: on a copy of the store that is thrown away, with real calls.
//!
//! The same code decides, so a plan and the run that follows it cannot disagree unless the store changes in between. Nothing is
//! written to the database the store is in: no run, no product, no cursor, no judgement of the key. Only a token that ends is
//! renewed there first, because what buys it can often be used but once, and the copy goes away.
//!
//! A plan holds no lease, so it must be alone: it refuses to begin beside an unfinished run, looks now and then whether one has
//! begun, and ends then. Until it has noticed, for half a second, both call the store.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

use super::{Patience, Progress, Syncer};
use crate::domain::finding::Waiting;
use crate::domain::run::{Run, RunKind, RunState, Trigger};
use crate::domain::store::Store;
use crate::storage::findings;
use crate::storage::runs::{self, Claim};
use crate::storage::scratch::{Mark, Scratch};
use crate::storage::vault::VaultError;
use crate::storage::{Database, StorageError, credentials};
use crate::tokens::TokenError;
use crate::transport::Allowance;

/// From one look whether the store is left alone to the next.
const LOOK: Duration = Duration::from_millis(500);

/// What is to be planned.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// What the run is to do.
    pub kind: RunKind,
    /// Whether all removals are approved.
    pub approve_removals: bool,
    /// Calls it may cost.
    pub max_calls: u64,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The token has ended, and there is no new one.
    #[error(transparent)]
    Token(TokenError),
    /// A run is there already.
    #[error(
        "run {id} of the store is {state}, and two callers would share the store's budget; plan again when it has ended (`netosync runs show {id}`)"
    )]
    Busy {
        /// The run.
        id: i64,
        /// Where it stands.
        state: RunState,
    },
    /// A run has begun, or the copy was written to.
    #[error(
        "a run of the store began while its plan was made, or its copy changed, so the numbers would be of neither; plan again"
    )]
    Moved,
    /// A person asked for its end.
    #[error("interrupted; nothing was planned and nothing was changed")]
    Interrupted,
}

/// A plan on its way.
#[derive(Debug)]
pub struct Plan {
    /// Where the store is in earnest.
    real: Database,
    mark: Mark,
    scratch: Scratch,
    /// Works on the copy.
    syncer: Syncer,
    allowance: Arc<Allowance>,
    store_id: i64,
    run_id: i64,
}

/// What a run would do.
#[derive(Debug)]
pub struct Planned {
    /// The run as it ended on the copy.
    pub run: Run,
    /// Products among the updated ones that had been removed and are back.
    pub restored: i64,
    /// Products whose removal the guard would hold back.
    pub held_back: Option<i64>,
    /// Whether it was cut off when its calls were used up, so that the counts are what was seen up to there.
    pub cut_off: bool,
    /// What it had found and not dealt with by then.
    pub waiting: Waiting,
}

impl Plan {
    /// Copies what is needed of the store out of the syncer's database, which is only read.
    pub async fn prepare(syncer: &Syncer, store: &Store, wish: &Wish) -> Result<Self, PlanError> {
        let real = syncer.db.clone();
        let mark = Mark::of(&real, store.id).await?;
        if let Some(run) = runs::unfinished(&real, store.id).await? {
            return Err(PlanError::Busy { id: run.id, state: run.state });
        }
        if credentials::load_credential(&real, store.id).await?.is_none() {
            return Err(VaultError::Missing { store: store.name.clone() }.into());
        }
        fresh_token(syncer, store).await?;
        let scratch = Scratch::of_store(&real, store.id).await?;
        let db = scratch.db().clone();
        let (run, _) = runs::enqueue(&db, store.id, wish.kind, Trigger::Manual, syncer.clock.now()).await?;
        if wish.approve_removals {
            runs::approve_removals(&db, run.id).await?;
        }
        let allowance = Arc::new(Allowance::new(wish.max_calls));
        let syncer = Syncer {
            db,
            transport: Arc::new((*syncer.transport).clone().allowed(allowance.clone())),
            patience: Patience::Foreground,
            progress: Progress::default(),
            renews: false,
            ..syncer.clone()
        };
        Ok(Self { real, mark, scratch, syncer, allowance, store_id: store.id, run_id: run.id })
    }

    /// The copy's database, in which the run stands as it now is.
    #[must_use]
    pub fn copy(&self) -> &Database {
        self.scratch.db()
    }

    /// Makes the calls. `stop` asks for an end after the page under way.
    pub async fn carry_out(&self, stop: &CancellationToken) -> Result<Planned, PlanError> {
        // A stop of our own, because a run that begins ends this one as a person does.
        let ending = stop.child_token();
        let watch = async {
            let moved = self.watch().await;
            ending.cancel();
            moved
        };
        let span = info_span!("plan", plan.kind = %self.kind().await?);
        let mut watch = std::pin::pin!(watch);
        let mut work = Box::pin(self.work(&ending).instrument(span));
        let run = tokio::select! {
            biased;
            run = &mut work => run,
            noticed = &mut watch => {
                // Its page under way ends in a moment, and is not needed any more.
                work.await?;
                return Err(noticed);
            }
        }?;
        // The store may have been left alone no longer than until the last look.
        if Mark::of(&self.real, self.store_id).await? != self.mark {
            return Err(PlanError::Moved);
        }
        if run.state.unfinished() {
            return Err(PlanError::Interrupted);
        }
        Ok(Planned {
            restored: self.scratch.restored().await?,
            held_back: self.scratch.held_back(run.id).await?,
            waiting: findings::waiting(self.copy(), run.id).await?,
            cut_off: run.state != RunState::Succeeded && self.allowance.is_exceeded(),
            run,
        })
    }

    /// Takes the copy away.
    pub async fn throw_away(self) {
        self.scratch.throw_away().await;
    }

    async fn kind(&self) -> Result<RunKind, StorageError> {
        Ok(self.look().await?.kind)
    }

    /// The run as it now is.
    pub async fn look(&self) -> Result<Run, StorageError> {
        let gone = || StorageError::LeaseLost { run_id: self.run_id };
        runs::get(self.copy(), self.run_id).await?.ok_or_else(gone)
    }

    /// Works on the run until it ends, over all its rests.
    async fn work(&self, stop: &CancellationToken) -> Result<Run, PlanError> {
        let clock = &self.syncer.clock;
        loop {
            let claim = Claim {
                owner: &self.syncer.owner,
                lease_for: self.syncer.config.worker.lease(),
                only: Some(self.run_id),
                limit: 1,
                now: clock.now(),
            };
            if let Some((run, lease)) = runs::claim(self.copy(), &claim).await?.pop() {
                self.syncer.execute(run, lease, stop).await?;
            }
            let run = self.look().await?;
            if !run.state.unfinished() || stop.is_cancelled() {
                return Ok(run);
            }
            // A run that lost its lease to a machine that slept is claimable when that has run out.
            let due = run.lease_expires_at.filter(|_| run.state == RunState::Running).unwrap_or(run.scheduled_at);
            tokio::select! {
                () = clock.reaches(due) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Resolves when the store is not left alone, or that cannot be told any more.
    async fn watch(&self) -> PlanError {
        loop {
            self.syncer.clock.sleep(LOOK).await;
            match Mark::of(&self.real, self.store_id).await {
                Ok(mark) if mark == self.mark => {}
                Err(error) if error.is_passing() => {}
                Ok(_) => return PlanError::Moved,
                Err(error) => return error.into(),
            }
        }
    }
}
/// Renews a token that is about to end where the store is.
async fn fresh_token(syncer: &Syncer, store: &Store) -> Result<(), PlanError> {
    let credential = syncer.vault.open(&syncer.db, store.id, &store.name).await?;
    if credential.wants_token(syncer.clock.now(), syncer.config.oauth.refresh_ahead()) {
        let renewed = syncer.tokens().renew(store, &credential, &CancellationToken::new()).await;
        renewed.map(drop).map_err(PlanError::Token)?;
    }
    Ok(())
}
