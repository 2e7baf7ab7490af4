//! `netosync sync`: triggers a run, or attaches to the unfinished one, and follows it to its end.

mod follow;
mod hands;
mod plan;
mod report;

use chrono::{DateTime, Utc};
use clap::Args;
use tokio_util::sync::CancellationToken;

pub use self::follow::{AuditWish, DATABASE_PATIENCE, Follower, Wish};
pub use self::hands::Hands;
pub use self::report::{report, report_error, run_json};
use super::app::App;
use super::exit::{CliError, Exit};
use super::patience::patiently;
use super::progress::Progress;
use crate::domain::run::RunKind;
use crate::domain::store::Store;
use crate::storage::{Database, StorageError, stores};

/// Sync stores now and wait for the outcome.
///
/// Starts a run for each store, or attaches to its unfinished one, shows progress and ends with the run's outcome:
/// 0 complete, 5 key refused, 6 partial, 7 store not reachable, 1 failed. While a `netosync run` is alive that works on the
/// runs and Ctrl-C only ends the watching; else this command works on them itself.
///
/// With --plan it makes the calls of the run and writes nothing: it prints what the run would insert, update, remove or be kept from
/// removing, and what it costs. As long as nothing changes in the store, the run that follows does exactly that.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_help = "Examples:\n  netosync sync main\n  netosync sync --all --json\n  netosync sync main --kind sweep\n  netosync sync main --plan\n  netosync sync main --detach"
)]
pub struct SyncArgs {
    /// Names of the stores.
    #[arg(value_name = "STORE", required_unless_present = "all", conflicts_with = "all")]
    stores: Vec<String>,
    /// Every store that is not paused.
    #[arg(long)]
    all: bool,
    /// What to do: full = the whole catalogue in full detail; sweep = all products in little detail, then what is new, different
    /// or gone; incremental = what was edited since the last time.
    #[arg(long, default_value = "full", value_parser = super::parse_kind)]
    kind: RunKind,
    /// Remove what the store does not have any more, however much it is (see removal.max_share).
    #[arg(long)]
    approve_removals: bool,
    /// Make the calls, write nothing, and print what the run would do (6 = it would end as partial, hold removals back, or has
    /// more calls than --max-calls).
    #[arg(long, conflicts_with = "detach")]
    plan: bool,
    /// Calls a plan may make for each store; what it has seen up to there is printed as "at least".
    #[arg(long, value_name = "N", requires = "plan", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    max_calls: u64,
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
    let mut exits = Vec::new();
    let mut chosen = Vec::new();
    let choose = async || choose(&db, args, app.now()).await;
    for (name, store) in patiently(DATABASE_PATIENCE, choose).await? {
        match store {
            Ok(store) => chosen.push(store),
            Err(error) => {
                if args.plan {
                    plan::report_error(&name, args.kind, &error, args.json);
                } else {
                    report_error(&name, args.kind, &error, args.json);
                }
                exits.push(error.exit);
            }
        }
    }
    if args.plan {
        let wish = plan::Wish { kind: args.kind, approve_removals: args.approve_removals, max_calls: args.max_calls };
        exits.extend(plan::run(app, &db, &wish, chosen, args.json).await?);
        return Ok(Exit::gravest(exits));
    }
    let wish = Wish { kind: args.kind, approve_removals: args.approve_removals, audit: None };
    if args.detach {
        for store in chosen {
            let (run, _) = wish.trigger(&db, store.id, app.now()).await?;
            report(&store.name, &run, args.json);
        }
        return Ok(Exit::gravest(exits));
    }
    let stop = CancellationToken::new();
    let _signals = super::signals::stop_on_signal(stop.clone());
    let progress = Progress::new(args.json);
    let hands = Hands::new(app, &db, stop.clone());
    let follower = Follower { app, db: &db, wish, stop: &stop, progress: &progress, hands };
    let mut unheard: Vec<_> = chosen.iter().map(|store| store.name.clone()).collect();
    let followed = follower.follow(chosen, |store, outcome| {
        unheard.retain(|name| *name != store.name);
        progress.suspend(|| match outcome {
            Ok(run) => {
                exits.push(Exit::of_run(&run));
                report(&store.name, &run, args.json);
            }
            Err(error) => {
                exits.push(error.exit);
                report_error(&store.name, args.kind, &error, args.json);
            }
        });
    });
    if let Err(error) = followed.await {
        exits.push(error.exit);
        for store in unheard {
            report_error(&store, args.kind, &error, args.json);
        }
    }
    Ok(Exit::gravest(exits))
}

/// A store by the name it was asked for, or why it cannot be synced.
type Chosen = (String, Result<Store, CliError>);

/// The stores to sync: those named, or all that are not paused.
async fn choose(db: &Database, args: &SyncArgs, now: DateTime<Utc>) -> Result<Vec<Chosen>, CliError> {
    if args.all {
        let mut all = stores::list_stores(db).await?;
        all.retain(|store| !store.is_paused(now));
        if all.is_empty() {
            return Err(CliError::new(Exit::Failed, "there is no store to sync; add one with `netosync store add`"));
        }
        return Ok(all.into_iter().map(|store| (store.name.clone(), Ok(store))).collect());
    }
    let mut chosen: Vec<Chosen> = Vec::new();
    for name in &args.stores {
        if chosen.iter().any(|(other, _)| other == name) {
            continue;
        }
        chosen.push((name.clone(), named(db, name, now).await?));
    }
    Ok(chosen)
}

/// The store of that name, or why no run of it can be asked for.
pub async fn named(db: &Database, name: &str, now: DateTime<Utc>) -> Result<Result<Store, CliError>, CliError> {
    Ok(match stores::find_store(db, name).await {
        Ok(store) if store.is_paused(now) => {
            let message = format!("it is paused; `{}` ends the pause", store.ends_pause());
            Err(CliError::new(Exit::Failed, message))
        }
        Ok(store) => Ok(store),
        Err(StorageError::UnknownStore { .. }) => {
            Err(CliError::new(Exit::Failed, "there is no such store; `netosync store list` shows the names"))
        }
        Err(error) => return Err(error.into()),
    })
}
