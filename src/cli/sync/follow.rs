//! From the trigger to the outcome: the command queues a run for each store, or attaches to the unfinished one, and follows
//! them all with one look at a time, whoever works on them.
//!
//! With a daemon there, the command only looks: what it queued wakes the daemon. Without one, or when it stops or dies
//! meanwhile, the command works on the runs itself ([`Hands`]), a few at a time; only the work counts against those slots,
//! so a store that asked for silence holds up no other.
//!
//! A thousand commands may follow one run. So a look is one read, looks grow rarer with time, and rarer still where each
//! takes long because many look.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::hands::Hands;
use super::report::Told;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::progress::{Progress, StoreProgress};
use crate::cli::text;
use crate::domain::audit::AuditRequest;
use crate::domain::run::{Run, RunKind, RunState, Trigger};
use crate::domain::store::Store;
use crate::storage::{Database, StorageError, instances, runs};

/// From one look to the next while the command works on something itself, and at the beginning ...
const LOOK: Duration = Duration::from_millis(250);
/// ... growing by this with each look ...
const GROWTH: f64 = 1.5;
/// ... up to this.
const RAREST_LOOK: Duration = Duration::from_secs(2);
/// The looks take up to this share of the time ...
const SHARE: u32 = 20;
/// ... unless they were rarer than this.
const RAREST_LOOK_OF_MANY: Duration = Duration::from_secs(15);
/// How long the database may fail before that is the outcome.
pub const DATABASE_PATIENCE: Duration = Duration::from_mins(3);

/// What a person asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The run has to be of this kind, or a heavier one.
    pub kind: RunKind,
    /// Everything that is gone may be removed.
    pub approve_removals: bool,
    /// Of an audit: what it is to do.
    pub audit: Option<AuditWish>,
}

/// What a person asks an audit to do.
#[derive(Clone, Copy, Debug)]
pub struct AuditWish {
    /// What it is to do.
    pub request: AuditRequest,
    /// Whether they named the seed; else one under way with another will do.
    pub seeded: bool,
}

impl Wish {
    /// Inserts a run, or finds the unfinished one; whether it was inserted.
    pub async fn trigger(&self, db: &Database, store_id: i64, now: DateTime<Utc>) -> Result<(Run, bool), StorageError> {
        let (run, inserted) = match &self.audit {
            Some(audit) => runs::enqueue_audit(db, store_id, &audit.request, now).await?,
            None => runs::enqueue(db, store_id, self.kind, Trigger::Manual, now).await?,
        };
        if self.approve_removals && run.kind.covers(self.kind) {
            runs::approve_removals(db, run.id).await?;
        }
        Ok((run, inserted))
    }

    /// Whether a run, however it was asked for, does what is asked here.
    fn is_met_by(&self, run: &Run) -> bool {
        let as_asked = |audit: &AuditWish| {
            run.audit_request.is_some_and(|asked| {
                let seed = if audit.seeded { asked.seed } else { audit.request.seed };
                AuditRequest { seed, ..asked } == audit.request
            })
        };
        run.kind.covers(self.kind) && self.audit.as_ref().is_none_or(as_asked)
    }
}

/// See the module.
pub struct Follower<'a> {
    pub app: &'a App,
    pub db: &'a Database,
    pub wish: Wish,
    pub stop: &'a CancellationToken,
    pub progress: &'a Progress,
    pub hands: Hands<'a>,
}

/// How it went with a store: its run, or why there is none to tell of.
type Outcome = Result<Run, CliError>;

/// A run on its way.
struct Followed {
    store: Store,
    run_id: i64,
    /// From the first look on.
    bar: Option<StoreProgress>,
    told: Told,
    /// Whether we have queued it ourselves.
    queued: bool,
    /// Whether it is in our own hands.
    ours: bool,
    /// How often it was in our hands and came back unfinished.
    rests: i32,
}

impl Follower<'_> {
    /// Follows a run of each of `stores` to its end. `done` hears of each outcome, as they come.
    ///
    /// # Errors
    /// What makes all further work impossible: the database, or what the command's own work needs.
    pub async fn follow(
        mut self,
        stores: impl IntoIterator<Item = Store>,
        mut done: impl FnMut(&Store, Outcome),
    ) -> Result<(), CliError> {
        let mut waiting: VecDeque<Store> = stores.into_iter().collect();
        let mut followed: Vec<Followed> = Vec::new();
        let mut pause = LOOK;
        let mut last_answer = Instant::now();
        loop {
            let began = Instant::now();
            match self.look(&mut waiting, &mut followed, &mut done).await {
                Ok(()) => last_answer = Instant::now(),
                Err(error) if error.passing && last_answer.elapsed() < DATABASE_PATIENCE => {
                    info!("{}; trying again", error.message);
                }
                Err(error) => return Err(error),
            }
            if followed.is_empty() && waiting.is_empty() {
                return Ok(());
            }
            if self.stop.is_cancelled() && self.hands.are_empty() {
                for one in followed {
                    let run = runs::get(self.db, one.run_id).await.ok().flatten();
                    done(&one.store, Err(interrupted(run.as_ref(), one.rests > 0)));
                }
                for store in waiting {
                    done(&store, Err(CliError::new(Exit::Interrupted, "interrupted before its turn came")));
                }
                return Ok(());
            }
            pause = if self.hands.are_empty() { pause.mul_f64(GROWTH).min(RAREST_LOOK) } else { LOOK };
            let pause = pause.max((began.elapsed() * SHARE).min(RAREST_LOOK_OF_MANY));
            tokio::select! {
                () = tokio::time::sleep(pause.mul_f64(rand::random_range(0.75..1.25))) => {}
                () = self.stop.cancelled(), if !self.stop.is_cancelled() => {}
                (run_id, worked) = self.hands.next_ended() => {
                    if let Some(at) = followed.iter().position(|one| one.run_id == run_id) {
                        followed[at].ours = false;
                        followed[at].rests += 1;
                        match worked {
                            Err(error) if error.is_passing() => warn!("run {run_id} goes on in a moment: {error}"),
                            Err(error) => done(&followed.swap_remove(at).store, Err(error.into())),
                            Ok(()) => {}
                        }
                    }
                }
            }
        }
    }

    /// Triggers what can be, looks at everything once, and takes what nobody works on.
    async fn look(
        &mut self,
        waiting: &mut VecDeque<Store>,
        followed: &mut Vec<Followed>,
        done: &mut impl FnMut(&Store, Outcome),
    ) -> Result<(), CliError> {
        let stopping = self.stop.is_cancelled();
        if !waiting.is_empty() && !stopping {
            // A daemon has slots of its own; for ourselves we queue no more than we can begin.
            let served = instances::any_alive(self.db, self.app.now()).await?;
            let mut room = if served { usize::MAX } else { self.hands.free() };
            while let Some(store) = waiting.front().filter(|_| room > 0) {
                followed.push(self.trigger(store).await?);
                waiting.pop_front();
                room -= 1;
            }
        }
        let ids: Vec<_> = followed.iter().map(|one| one.run_id).collect();
        let mut seen = runs::get_all(self.db, &ids).await?;
        let now = self.app.now();
        // Only where there is something to take does it matter whether a daemon will.
        let served = !seen.iter().any(|run| run.is_claimable(now)) || instances::any_alive(self.db, now).await?;
        let mut at = 0;
        while at < followed.len() {
            let one = &mut followed[at];
            let run = seen.iter().position(|run| run.id == one.run_id).map(|found| seen.swap_remove(found));
            match self.judge(one, run, served, stopping).await? {
                None => at += 1,
                Some(outcome) => {
                    let over = followed.remove(at);
                    drop(over.bar);
                    done(&over.store, outcome);
                }
            }
        }
        Ok(())
    }

    async fn trigger(&self, store: &Store) -> Result<Followed, StorageError> {
        let (run, inserted) = self.wish.trigger(self.db, store.id, self.app.now()).await?;
        if !inserted {
            info!(run.id = run.id, store.name = store.name, "attached to the unfinished run");
        }
        let (store, told) = (store.clone(), Told::default());
        Ok(Followed { store, run_id: run.id, bar: None, told, queued: inserted, ours: false, rests: 0 })
    }

    /// Takes a run that is there `to_take`, and says where it stands. At the first look it is found out meanwhile what to expect of it,
    /// which is to read what is held: the run does not wait for that, and whoever attached leaves this grip to the one who queued it.
    async fn grip(&mut self, one: &mut Followed, run: &Run, to_take: bool) -> Result<(), CliError> {
        let (progress, hands) = (self.progress, &mut self.hands);
        let (bar, taken) = if let Some(bar) = one.bar.take() {
            (Ok(bar), if to_take { hands.take(run.id).await } else { Ok(false) })
        } else {
            let take = async { if to_take && one.queued { hands.take(run.id).await } else { Ok(false) } };
            tokio::join!(progress.store(self.app, self.db, &one.store, run, one.queued), take)
        };
        one.ours |= taken?;
        one.bar.insert(bar?).update(self.db, run, self.app.now()).await?;
        Ok(())
    }

    /// Does what is to be done about one run, as it now is; gives the outcome once there is one.
    async fn judge(
        &mut self,
        one: &mut Followed,
        run: Option<Run>,
        served: bool,
        stopping: bool,
    ) -> Result<Option<Outcome>, CliError> {
        let Some(run) = run else {
            let error = CliError::new(Exit::Failed, "the run is gone: the store was removed meanwhile");
            return Ok(Some(Err(error)));
        };
        let there = run.is_claimable(self.app.now()) && !served && !one.ours && self.hands.free() > 0;
        self.grip(one, &run, there && !stopping).await?;
        if !run.state.unfinished() && !self.wish.is_met_by(&run) && !stopping {
            info!(
                run.id = run.id,
                store.name = one.store.name,
                "the {} run has ended; now for the {}",
                run.kind,
                self.wish.kind
            );
            (one.run_id, one.ours) = (self.wish.trigger(self.db, one.store.id, self.app.now()).await?.0.id, false);
            return Ok(None);
        }
        if !run.state.unfinished() {
            return Ok(Some(Ok(run)));
        }
        if one.ours || stopping || there {
            return Ok(None);
        }
        if one.rests > (self.app.config.worker.max_attempts + self.app.config.auth.canary_tries).cast_signed()
            && run.state == RunState::Queued
        {
            let said = run.error.as_deref().unwrap_or("the store asks for silence");
            let until = text::time(run.scheduled_at);
            let error = CliError::new(Exit::Unavailable, format!("{said}; the run stays queued until {until}"));
            return Ok(Some(Err(error)));
        }
        one.told.waiting(&one.store.name, &run, self.app.now());
        Ok(None)
    }
}

/// What a person who does not want to wait any longer should know.
fn interrupted(run: Option<&Run>, was_ours: bool) -> CliError {
    let sentence = match run {
        Some(run) if run.state == RunState::Running => format!(
            "interrupted; {} goes on with run {}",
            run.lease_owner.as_deref().unwrap_or("another worker"),
            run.id
        ),
        Some(run) if was_ours => {
            format!("interrupted; run {} goes on at its checkpoint when the store is synced again", run.id)
        }
        Some(run) => format!("interrupted; run {} stays in the queue", run.id),
        None => "interrupted".to_owned(),
    };
    CliError::new(Exit::Interrupted, sentence)
}
