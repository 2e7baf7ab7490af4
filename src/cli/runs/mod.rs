//! `netosync runs`: the queue and the history.

mod change;

use std::collections::HashMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::app::App;
use super::audit;
use super::exit::{CliError, Exit};
use super::status::worked_on;
use super::sync::run_json;
use super::{forecast, text};
use crate::domain::run::{Run, RunState, Verdict};
use crate::storage::{Database, overview, runs, stores};

/// Look at the runs, cancel one or try one again.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  netosync runs list main\n  netosync runs show 17\n  netosync runs cancel 18\n  netosync runs retry 18"
)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List the newest runs, newest first.
    #[command(after_help = "Example:\n  netosync runs list --limit 5 --json | jq '.[0]'")]
    List {
        /// Of this store only.
        #[arg(value_name = "STORE")]
        store: Option<String>,
        /// How many at the most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        limit: u64,
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Show one run.
    #[command(after_help = "Example:\n  netosync runs show 17 --json")]
    Show {
        /// Number of the run.
        id: i64,
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Cancel a run that waits or is worked on.
    ///
    /// From that moment on its worker writes nothing more. The command waits until the worker has stopped calling the store,
    /// which takes a few seconds, or until the worker's lease has run out.
    #[command(after_help = "Example:\n  netosync runs cancel 18\n\n\
        What a run has stored stays. To keep a store from being synced at all: netosync store pause NAME.")]
    Cancel {
        /// Number of the run.
        id: i64,
    },
    /// Try a run that failed, was cancelled or rests after an error again, now.
    ///
    /// One that has ended is followed by a new run of the same kind, for a running `netosync run` to work on. One that rests
    /// goes on at its checkpoint.
    #[command(after_help = "Example:\n  netosync runs retry 18\n\n\
        To wait for the outcome: netosync sync NAME.")]
    Retry {
        /// Number of the run.
        id: i64,
    },
}

/// Runs the command.
pub async fn run(app: &App, args: &RunsArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    match &args.command {
        RunsCommand::List { store, limit, json } => list(&db, store.as_deref(), *limit, *json).await,
        RunsCommand::Show { id, json } => show(app, &db, *id, *json).await,
        RunsCommand::Cancel { id } => change::cancel(app, &db, *id).await,
        RunsCommand::Retry { id } => change::retry(app, &db, *id).await,
    }
}

async fn list(db: &Database, store: Option<&str>, limit: u64, json: bool) -> Result<Exit, CliError> {
    let names = names(db, store).await?;
    let only = store.and_then(|_| names.keys().next().copied());
    let runs = runs::newest(db, only, limit).await?;
    let name = |run: &Run| names.get(&run.store_id).cloned().unwrap_or_default();
    if json {
        super::say(runs.iter().map(|run| object(&name(run), run)).collect::<Value>());
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        super::complain("there is no run yet; `netosync sync --all` starts one for each store");
        return Ok(Exit::Done);
    }
    let rows = runs.iter().map(|run| {
        [
            run.id.to_string(),
            name(run),
            run.kind.to_string(),
            run.state.to_string(),
            run.verdict.map_or(String::new(), |verdict| verdict.to_string()),
            text::time_if(run.started_at),
            took(run),
            run.counts.seen.to_string(),
            run.counts.calls.to_string(),
            run.error_class.map_or(String::new(), |class| class.to_string()),
            run.error.clone().unwrap_or_default(),
        ]
    });
    let header = ["RUN", "STORE", "KIND", "STATE", "VERDICT", "STARTED", "TOOK", "SEEN", "CALLS", "CLASS", "ERROR"];
    super::say(text::table(header, rows));
    Ok(Exit::Done)
}

async fn show(app: &App, db: &Database, id: i64, json: bool) -> Result<Exit, CliError> {
    let run = find(db, id).await?;
    let store = stores::load_store(db, run.store_id).await?;
    let now = app.now();
    let left = if worked_on(&run, now) {
        let held = overview::count_held(db, &store).await?;
        forecast::left(db, &forecast::terms(&app.config, &store), &run, held, now).await?
    } else {
        None
    };
    if json {
        let mut object = object(&store.name, &run);
        if run.state.unfinished() {
            forecast::add_left(&mut object, left.as_ref());
        }
        if run.audit_request.is_some() {
            object["audit"] = audit::audit_json(&run);
        }
        super::say(object);
        return Ok(Exit::Done);
    }
    let counts = run.counts;
    let facts = [
        ("run", run.id.to_string()),
        ("store", store.name),
        ("kind", run.kind.to_string()),
        ("trigger", run.trigger.to_string()),
        ("state", run.state.to_string()),
        ("verdict", run.verdict.map_or(String::new(), |verdict| verdict.to_string())),
        ("error class", run.error_class.map_or(String::new(), |class| class.to_string())),
        ("error", run.error.clone().unwrap_or_default()),
        ("attempt", run.attempt.to_string()),
        ("scheduled", text::time(run.scheduled_at)),
        ("started", text::time_if(run.started_at)),
        ("finished", text::time_if(run.finished_at)),
        ("took", took(&run)),
        ("worker", run.lease_owner.clone().unwrap_or_default()),
        ("lease until", text::time_if(run.lease_expires_at.filter(|_| run.state == RunState::Running))),
        (
            "goes on at page",
            run.checkpoint.as_ref().filter(|_| run.state.unfinished()).map_or(String::new(), |at| at.page.to_string()),
        ),
        ("products seen", counts.seen.to_string()),
        ("inserted", counts.inserted.to_string()),
        ("updated", counts.updated.to_string()),
        ("unchanged", counts.unchanged.to_string()),
        ("removed", counts.removed.to_string()),
        ("quarantined", counts.quarantined.to_string()),
        ("pages", counts.pages.to_string()),
        ("calls", counts.calls.to_string()),
        ("still to come", left.as_ref().map_or(String::new(), forecast::left_in_words)),
    ];
    super::say(text::facts(&facts));
    if let Some(found) = &run.audit_findings {
        super::say(format_args!("\n{}", found.identity()));
        audit::lines(&run).iter().for_each(super::say);
    }
    Ok(Exit::Done)
}

async fn find(db: &Database, id: i64) -> Result<Run, CliError> {
    runs::get(db, id).await?.ok_or_else(|| {
        CliError::new(Exit::Failed, format!("there is no run {id}; `netosync runs list` shows the numbers"))
    })
}

/// The names of the stores, or of the one, by number.
pub async fn names(db: &Database, only: Option<&str>) -> Result<HashMap<i64, String>, CliError> {
    let stores = match only {
        Some(name) => vec![stores::find_store(db, name).await?],
        None => stores::list_stores(db).await?,
    };
    Ok(stores.into_iter().map(|store| (store.id, store.name)).collect())
}

/// A run as scripts read it: as `sync --json` prints it, with its times.
fn object(store: &str, run: &Run) -> Value {
    let mut object = run_json(store, run);
    object["trigger"] = json!(run.trigger);
    object["attempt"] = json!(run.attempt);
    object["lease_owner"] = json!(run.lease_owner);
    object["scheduled_at"] = json!(run.scheduled_at);
    object["started_at"] = json!(run.started_at);
    object["finished_at"] = json!(run.finished_at);
    object
}

/// A run in a few words.
pub fn sentence(run: &Run) -> String {
    let outcome = run.verdict.map_or(run.state.as_str(), Verdict::as_str);
    let when = run.finished_at.or(run.started_at).unwrap_or(run.scheduled_at);
    let error = run.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    format!("{} ({}), {outcome}, {}{error}", run.id, run.kind, text::time(when))
}

fn took(run: &Run) -> String {
    match (run.started_at, run.finished_at) {
        (Some(start), Some(end)) => format!("{:.1} s", (end - start).num_milliseconds() as f64 / 1000.0),
        _ => String::new(),
    }
}
