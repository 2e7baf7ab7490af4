//! `netosync sync`: triggers a run, or attaches to the unfinished one, and follows it to its end.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use futures::{StreamExt, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::app::App;
use super::exit::{CliError, Exit};
use super::progress::Progress;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Run, RunKind, RunState, Trigger};
use crate::domain::store::Store;
use crate::storage::runs::{self, Claim};
use crate::storage::stores;
use crate::sync::{Patience, Syncer};

/// How often a run that somebody else works on is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Sync stores now and wait for the outcome.
///
/// Starts a run for each store, or attaches to its unfinished one, shows progress and ends with the run's outcome:
/// 0 complete, 5 key refused, 6 partial, 7 store not reachable, 1 failed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  netosync sync main\n  netosync sync --all --json\n  netosync sync main --detach")]
pub struct SyncArgs {
    /// Names of the stores.
    #[arg(value_name = "STORE", required_unless_present = "all", conflicts_with = "all")]
    stores: Vec<String>,
    /// Every store that is not paused.
    #[arg(long)]
    all: bool,
    /// What to do: full = the whole catalogue in full detail.
    #[arg(long, default_value = "full", value_parser = super::parse_kind)]
    kind: RunKind,
    /// Queue the runs and return at once; a running `netosync run` works on them.
    #[arg(long)]
    detach: bool,
    /// One JSON object a store on stdout, a line each.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &SyncArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let chosen = choose(&db, args, app.now()).await?;
    let mut exits = Vec::new();
    if args.detach {
        for store in &chosen {
            let (run, _) = runs::enqueue(&db, store.id, args.kind, Trigger::Manual, app.now()).await?;
            report(store, &run, args.json);
        }
        return Ok(Exit::Done);
    }
    let syncer = app.syncer(&db, Patience::Foreground).await?;
    let stop = CancellationToken::new();
    let _signals = super::signals::stop_on_signal(stop.clone());
    let progress = Arc::new(Progress::new(args.json));
    let slots = syncer.config.worker.slots as usize;
    let outcomes = stream::iter(chosen)
        .map(async |store| {
            let following =
                Following { syncer: &syncer, store: &store, kind: args.kind, stop: &stop, progress: &progress };
            let result = following.follow().await;
            (store, result)
        })
        .buffer_unordered(slots);
    tokio::pin!(outcomes);
    while let Some((store, result)) = outcomes.next().await {
        match result {
            Ok(run) => {
                exits.push(Exit::of_run(&run));
                progress.suspend(|| report(&store, &run, args.json));
            }
            Err(error) => {
                exits.push(error.exit);
                progress.suspend(|| super::complain(&format!("{}: {}", store.name, error.message)));
            }
        }
    }
    Ok(Exit::gravest(exits))
}

/// The stores to sync: those named, or all that are not paused.
async fn choose(db: &crate::storage::Database, args: &SyncArgs, now: DateTime<Utc>) -> Result<Vec<Store>, CliError> {
    if args.all {
        let mut all = stores::list_stores(db).await?;
        all.retain(|store| !store.is_paused(now));
        if all.is_empty() {
            return Err(CliError::new(Exit::Failed, "there is no store to sync; add one with `netosync store add`"));
        }
        return Ok(all);
    }
    let mut chosen: Vec<Store> = Vec::new();
    for name in &args.stores {
        let store = stores::find_store(db, name).await?;
        if store.is_paused(now) {
            let message = format!("store {name} is paused; `netosync store resume {name}` ends the pause");
            return Err(CliError::new(Exit::Failed, message));
        }
        if chosen.iter().all(|other| other.id != store.id) {
            chosen.push(store);
        }
    }
    Ok(chosen)
}

/// One store's run from the trigger to the end.
pub(super) struct Following<'a> {
    pub syncer: &'a Syncer,
    pub store: &'a Store,
    pub kind: RunKind,
    pub stop: &'a CancellationToken,
    pub progress: &'a Arc<Progress>,
}

impl Following<'_> {
    /// Triggers or attaches, works or watches, until the run has ended.
    pub async fn follow(self) -> Result<Run, CliError> {
        let Self { syncer, store, .. } = self;
        let db = &syncer.db;
        let (run, inserted) = runs::enqueue(db, store.id, self.kind, Trigger::Manual, syncer.clock.now()).await?;
        if !inserted {
            info!(run.id = run.id, store.name = store.name, "attached to the unfinished run");
        }
        let bar = self.progress.store(db, store).await?;
        let mut rests = 0;
        let mut told = None;
        loop {
            let Some(run) = runs::get(db, run.id).await? else {
                return Err(CliError::new(Exit::Failed, "the run is gone: the store was removed meanwhile"));
            };
            bar.update(&run);
            if !run.state.unfinished() {
                return Ok(run);
            }
            if self.stop.is_cancelled() {
                return Err(CliError::new(
                    Exit::Interrupted,
                    "interrupted; the run goes on at its checkpoint when it is synced again",
                ));
            }
            let now = syncer.clock.now();
            let claim = Claim {
                owner: &syncer.owner,
                lease_for: syncer.config.worker.lease(),
                only: Some(run.id),
                limit: 1,
                now,
            };
            if let Some((run, lease)) = runs::claim(db, &claim).await?.pop() {
                let run_id = run.id;
                let work = syncer.execute(run, lease, self.stop);
                tokio::select! {
                    worked = work => worked?,
                    never = bar.watch(db, run_id) => match never? {},
                }
                rests += 1;
                continue;
            }
            // Somebody else has it, or it rests.
            if rests > syncer.config.worker.max_attempts + syncer.config.auth.canary_tries {
                let said = run.error.as_deref().unwrap_or("the store asks for silence");
                return Err(CliError::new(
                    Exit::Unavailable,
                    format!("{said}; the run stays queued until {}", run.scheduled_at),
                ));
            }
            tell(store, &run, &mut told);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}

/// Says once what is waited for.
fn tell(store: &Store, run: &Run, told: &mut Option<(RunState, DateTime<Utc>)>) {
    let now = (run.state, run.scheduled_at);
    if *told == Some(now) {
        return;
    }
    *told = Some(now);
    match run.state {
        RunState::Queued if run.error_class == Some(ErrorClass::RateLimited) => {
            warn!("{}: resting until {}: {}", store.name, run.scheduled_at, run.error.as_deref().unwrap_or_default());
        }
        RunState::Queued if run.error_class == Some(ErrorClass::Unauthorized) => {
            warn!("{}: {}", store.name, run.error.as_deref().unwrap_or("the store refuses the key; asking again"));
        }
        RunState::Running => info!(
            "{}: {} is working on run {}; following it, and taking it over should it fall silent",
            store.name,
            run.lease_owner.as_deref().unwrap_or("another worker"),
            run.id
        ),
        _ => info!("{}: run {} waits until {}", store.name, run.id, run.scheduled_at),
    }
}

/// Prints the outcome of a run.
pub(super) fn report(store: &Store, run: &Run, as_json: bool) {
    if as_json {
        super::say(run_json(&store.name, run));
        return;
    }
    let counts = run.counts;
    let outcome = run.verdict.map_or(run.state.as_str(), crate::domain::run::Verdict::as_str);
    super::say(format_args!(
        "{}: {outcome} · {} products seen, {} new, {} changed, {} unchanged, {} in quarantine · {} pages, {} calls{}",
        store.name,
        counts.seen,
        counts.inserted,
        counts.updated,
        counts.unchanged,
        counts.quarantined,
        counts.pages,
        counts.calls,
        duration_ms(run).map_or(String::new(), |ms| format!(", {:.1} s", ms as f64 / 1000.0)),
    ));
    if let Some(error) = run.error.as_ref().filter(|_| !run.state.unfinished()) {
        super::complain(&format!("{}: {error}", store.name));
    }
}

/// A run as scripts read it, keyed like the columns of `runs` (design §5).
pub fn run_json(store: &str, run: &Run) -> serde_json::Value {
    let counts = run.counts;
    json!({
        "run_id": run.id,
        "store": store,
        "kind": run.kind,
        "state": run.state,
        "verdict": run.verdict,
        "pages": counts.pages,
        "calls": counts.calls,
        "seen": counts.seen,
        "inserted": counts.inserted,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "removed": counts.removed,
        "quarantined": counts.quarantined,
        "error_class": run.error_class,
        "error": run.error,
        "duration_ms": duration_ms(run),
    })
}

/// From the first claim to the end.
fn duration_ms(run: &Run) -> Option<i64> {
    Some((run.finished_at? - run.started_at?).num_milliseconds())
}
