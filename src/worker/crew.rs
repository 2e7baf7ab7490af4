//! The runs in flight: claimed into free slots, taken note of when they end, waited for at a stop.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Worker, service};
use crate::domain::error::ErrorClass;
use crate::domain::run::{Lease, Run, RunState};
use crate::metrics::labels::Outcome;
use crate::storage::StorageError;
use crate::storage::runs::{self, Claim, End, Return};

/// How long a stop waits for the runs in flight: longer than they wait for the page under way, shorter than what a
/// service manager or a person has patience for.
const DRAIN: Duration = Duration::from_secs(8);

/// Rest of a run whose work panicked. Its attempt counts, so a run that always panics ends.
const AFTER_PANIC: TimeDelta = TimeDelta::minutes(1);

/// What was due was claimed by others while we reached out for it: when to look again.
const CROWDED: TimeDelta = TimeDelta::milliseconds(200);

/// The runs in flight.
#[derive(Default)]
pub(super) struct Crew {
    tasks: JoinSet<Result<(), StorageError>>,
    leases: HashMap<Id, Lease>,
}

/// How a task ended.
type Ended = Result<(Id, Result<(), StorageError>), JoinError>;

impl Crew {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The next one that ends; never when there are none.
    pub(super) async fn next_ended(&mut self) -> Ended {
        match self.tasks.join_next_with_id().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }
}

impl<W, F> Worker<W>
where
    W: Fn(Run, Lease) -> F,
    F: Future<Output = Result<(), StorageError>> + Send + 'static,
{
    /// Claims as many runs as slots are free, and starts them. Gives the time at which there may be something to claim
    /// again; `None` when that is only once a run ends or somebody queues another. Nothing is claimed unless something is due.
    pub(super) async fn fill(&self, crew: &mut Crew) -> Result<Option<DateTime<Utc>>, StorageError> {
        loop {
            let free = self.slots().saturating_sub(crew.len());
            if free == 0 {
                return Ok(None);
            }
            let ahead = runs::next_due(&self.db).await?;
            let now = self.clock.now();
            if ahead.earliest().is_none_or(|due| due > now) {
                return Ok(ahead.earliest());
            }
            let claim = Claim {
                owner: &self.owner,
                lease_for: self.config.get().worker.lease(),
                only: None,
                limit: u32::try_from(free).unwrap_or(u32::MAX),
                now,
            };
            let silent = match ahead.leased {
                Some(end) if end <= now => runs::silent(&self.db, now).await?,
                _ => HashMap::new(),
            };
            let claimed = runs::claim(&self.db, &claim).await?;
            if claimed.is_empty() {
                return Ok(Some(now + CROWDED));
            }
            self.count_takeovers(&claimed, &silent);
            for (run, lease) in claimed {
                if run.attempt > self.config.get().worker.max_attempts.cast_signed() {
                    self.give_up(&run, &lease).await;
                } else {
                    let task = crew.tasks.spawn((self.work)(run, lease.clone()));
                    crew.leases.insert(task.id(), lease);
                }
            }
        }
    }

    /// Says and counts which of the claimed runs are of workers that fell silent.
    fn count_takeovers(&self, claimed: &[(Run, Lease)], silent: &HashMap<i64, String>) {
        for (run, _) in claimed {
            let Some(owner) = silent.get(&run.id) else { continue };
            self.metrics.taken_over();
            let id = run.id;
            info!(run.id = id, store.id = run.store_id, "took run {id} over: {owner} has been silent for a lease");
        }
    }

    /// Ends a run whose attempts are used up: its workers fell silent, or each attempt met a passing error.
    async fn give_up(&self, run: &Run, lease: &Lease) {
        let attempts = run.attempt - 1;
        let last = run.error.as_ref().map_or(String::new(), |error| format!("; the last time: {error}"));
        let sentence = format!("gave up after {attempts} attempts{last}");
        error!(run.id, store.id = run.store_id, "run {} failed: {sentence}", run.id);
        let class = Some(run.error_class.unwrap_or(ErrorClass::Internal));
        let end =
            End { state: RunState::Failed, verdict: None, error_class: class, error: Some(sentence), evidence: None };
        match runs::finish(&self.db, lease, &end, &run.counts, self.clock.now()).await {
            Ok(()) => self.metrics.run(run.kind, Outcome::Failed),
            Err(error) => warn!(
                run.id,
                "run {} could not be ended, which is tried again when its lease has run out: {error}", run.id
            ),
        }
    }

    /// Takes note of a task that ended; gives the lease it had.
    pub(super) async fn note(&self, ended: Ended, crew: &mut Crew) -> Option<Lease> {
        match ended {
            Ok((task, result)) => {
                let lease = crew.leases.remove(&task)?;
                if let Err(error) = result {
                    let run_id = lease.run_id;
                    warn!(run.id = run_id, "run {run_id} goes on when its lease has run out: {error}");
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
            runs::give_back(&self.db, lease, &back, &run.counts, None, self.clock.now()).await?;
            self.metrics.run(run.kind, Outcome::Retried);
            Ok::<_, StorageError>(())
        };
        if let Err(error) = given_back.await {
            warn!(run.id = run_id, "run {run_id} goes on when its lease has run out: {error}");
        }
    }

    /// Asks the runs in flight to stop and waits for them, but not for ever.
    pub(super) async fn drain(&self, crew: &mut Crew, stop: &CancellationToken) {
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
