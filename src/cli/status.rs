//! `netosync status`: one line a store.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::app::App;
use super::exit::{CliError, Exit};
use super::next_run::next_run;
use super::{forecast, instances, text};
use crate::domain::error::ErrorClass;
use crate::domain::forecast::Forecast;
use crate::domain::incident::IncidentKind;
use crate::domain::run::{Run, RunState, Verdict};
use crate::domain::store::CredentialState;
use crate::scheduler::plan::Plan;
use crate::storage::overview::{self, Overview};
use crate::storage::{Database, StorageError, incidents, schedule};
use crate::tokens;

/// Show how the stores are doing, a line each.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync status\n  \
    netosync status --json | jq -r '.[] | select(.state != \"ok\") | .store'")]
pub struct StatusArgs {
    /// This store only.
    #[arg(value_name = "STORE")]
    store: Option<String>,
    /// Show the running `netosync run` processes that share the database instead.
    #[arg(long, conflicts_with = "store")]
    instances: bool,
    /// Print a JSON array, an object a store (or instance).
    #[arg(long)]
    json: bool,
}

/// How a store is doing: the first of these that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A worker is on it right now.
    Running,
    /// The operator has paused it.
    Paused,
    /// It has no credential.
    NoCredential,
    /// Its key was refused for good.
    Revoked,
    /// Its key was refused the last time.
    Suspect,
    /// A run waits for a worker, or for its time.
    Queued,
    /// The last run did not succeed.
    Failing,
    /// There was no run yet.
    NeverSynced,
    /// The last run succeeded.
    Ok,
}

impl State {
    /// The state of a store at `now`.
    pub fn of(overview: &Overview, now: DateTime<Utc>) -> Self {
        let run = overview.unfinished.as_ref();
        match overview.credential.as_ref().map(|found| found.state) {
            _ if run.is_some_and(|run| worked_on(run, now)) => Self::Running,
            _ if overview.store.is_paused(now) => Self::Paused,
            None => Self::NoCredential,
            Some(CredentialState::Revoked) => Self::Revoked,
            Some(CredentialState::Suspect) => Self::Suspect,
            Some(CredentialState::Ok) if run.is_some() => Self::Queued,
            Some(CredentialState::Ok) => match overview.last_ended.as_ref().map(|run| run.state) {
                Some(RunState::Succeeded) => Self::Ok,
                Some(_) => Self::Failing,
                None => Self::NeverSynced,
            },
        }
    }

    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::NoCredential => "no key",
            Self::Revoked => "revoked",
            Self::Suspect => "suspect",
            Self::Queued => "queued",
            Self::Failing => "failing",
            Self::NeverSynced => "never synced",
            Self::Ok => "ok",
        }
    }
}

/// Whether a worker holds the run's lease.
pub fn worked_on(run: &Run, now: DateTime<Utc>) -> bool {
    run.state == RunState::Running && run.lease_expires_at.is_some_and(|until| now < until)
}

/// Everything that keeps a store from being up to date, and what ends it.
pub fn why_not(overview: &Overview, now: DateTime<Utc>) -> Vec<String> {
    let store = &overview.store;
    let name = &store.name;
    let mut why = Vec::new();
    if store.is_paused(now) {
        let reason = store.paused_reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        let end = store.paused_until.map_or_else(|| format!("`{}`", store.ends_pause()), text::time);
        why.push(format!("paused{reason} until {end}"));
    }
    let key = overview.credential.as_ref().map(|found| (found.state, found.last_error.as_deref().unwrap_or("refused")));
    let by_consent = overview
        .credential
        .as_ref()
        .is_some_and(|found| tokens::by_consent(found.sealed.scheme, found.sealed.client_id.as_deref()));
    match key {
        None => why.push(format!("it has no key; give one with `netosync store rekey {name}`")),
        Some((CredentialState::Ok, _)) => {}
        Some((state, said)) if by_consent => {
            why.push(format!("key {state}: {said}; the merchant must reconnect, `netosync why {name}` says where"));
        }
        Some((state, said)) => {
            why.push(format!("key {state}: {said}; test it with `netosync store check {name}`, replace it with `netosync store rekey {name}`"));
        }
    }
    let refused = key.is_some_and(|(state, _)| state != CredentialState::Ok);
    match &overview.unfinished {
        Some(run) if run.state == RunState::Queued && now < run.scheduled_at => {
            let said = run.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
            why.push(format!("run {} waits until {}{said}", run.id, text::time(run.scheduled_at)));
        }
        Some(run) if run.state == RunState::Running && !worked_on(run, now) => {
            why.push(format!("run {} has lost its worker; `netosync sync {name}` or any worker takes it over", run.id));
        }
        Some(_) => {}
        None => why.extend(overview.last_ended.iter().filter_map(|run| ended_badly(run, refused))),
    }
    why
}

/// What was wrong with a run that ended; nothing, when the key's own line says it already.
fn ended_badly(run: &Run, refused: bool) -> Option<String> {
    if refused && run.error_class == Some(ErrorClass::Unauthorized) {
        return None;
    }
    let what = match (run.state, run.verdict) {
        (RunState::Succeeded, Some(Verdict::Partial)) => "was partial",
        (RunState::Failed, _) => "failed",
        (RunState::Cancelled, _) => "was cancelled",
        _ => return None,
    };
    Some(format!("run {} {what}: {}", run.id, run.error.as_deref().unwrap_or("it left no reason")))
}

/// The class of the error a store has now.
fn error_class(overview: &Overview) -> Option<ErrorClass> {
    overview.unfinished.as_ref().or(overview.last_ended.as_ref())?.error_class
}

/// Runs the command.
pub async fn run(app: &App, args: &StatusArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    if args.instances {
        return show_instances(&db, args.json, app.now()).await;
    }
    let all = match &args.store {
        Some(name) => vec![overview::of_store(&db, name).await?],
        None => overview::of_all(&db).await?,
    };
    let now = app.now();
    let next = next_runs(app, &db, &all, now).await?;
    let left = left(app, &db, &all, now).await?;
    let next_of = |overview: &Overview| next.get(&overview.store.id).copied();
    if let Some(incident) = incidents::open(&db, None).await?.iter().find(|one| one.kind == IncidentKind::ImportFailed)
    {
        super::complain(&format!("warning: since {}: {}", text::time(incident.opened_at), incident.sentence));
    }
    if args.json {
        super::say(
            all.iter()
                .map(|overview| object(overview, next_of(overview), left.get(&overview.store.id), now))
                .collect::<Value>(),
        );
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        super::complain("there is no store yet; add one with `netosync store add NAME --url URL`");
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|overview| row(overview, next_of(overview), left.get(&overview.store.id), now));
    super::say(text::table(
        ["STORE", "STATE", "AS OF", "AGE", "NEXT", "PRODUCTS", "VERDICT", "ERROR", "WHY NOT"],
        rows,
    ));
    if args.store.is_none()
        && let Some(table) = instances::table(&db, now).await?
    {
        super::say(format_args!("\n{table}"));
    }
    Ok(Exit::Done)
}

async fn show_instances(db: &Database, as_json: bool, now: DateTime<Utc>) -> Result<Exit, CliError> {
    if as_json {
        super::say(instances::array(db, now).await?);
    } else if let Some(table) = instances::table(db, now).await? {
        super::say(table);
    } else {
        super::complain("no `netosync run` is running on this database");
    }
    Ok(Exit::Done)
}

/// When each of these stores is synced next by itself, if it is.
async fn next_runs(
    app: &App,
    db: &Database,
    all: &[Overview],
    now: DateTime<Utc>,
) -> Result<HashMap<i64, DateTime<Utc>>, CliError> {
    let rows = match all {
        [overview] => vec![schedule::row(db, overview.store.clone()).await?],
        _ => schedule::rows(db).await?,
    };
    let unfinished: HashMap<_, _> =
        all.iter().filter_map(|overview| Some((overview.store.id, overview.unfinished.as_ref()?))).collect();
    let mut plan = Plan::default();
    let next = rows.iter().filter_map(|row| {
        let unfinished = unfinished.get(&row.times.store_id).copied();
        Some((row.times.store_id, next_run(&mut plan, &app.config.schedule, row, unfinished, now)?.1))
    });
    Ok(next.collect())
}

/// What is left of the runs that workers are on, by store.
async fn left(
    app: &App,
    db: &Database,
    all: &[Overview],
    now: DateTime<Utc>,
) -> Result<HashMap<i64, Forecast>, StorageError> {
    let mut left = HashMap::new();
    for Overview { store, unfinished, products, .. } in all {
        let Some(run) = unfinished else { continue };
        let terms = forecast::terms(&app.config, store);
        left.extend(forecast::left(db, &terms, run, *products, now).await?.map(|forecast| (store.id, forecast)));
    }
    Ok(left)
}

fn row(overview: &Overview, next: Option<DateTime<Utc>>, left: Option<&Forecast>, now: DateTime<Utc>) -> [String; 9] {
    let as_of = overview.store.as_of;
    let left = left.map_or(String::new(), |left| format!(", {}", forecast::left_in_words(left)));
    [
        overview.store.name.clone(),
        format!("{}{left}", State::of(overview, now).words()),
        as_of.map_or("never".to_owned(), text::time),
        as_of.map_or(String::new(), |at| text::age(at, now)),
        next.map_or("-".to_owned(), |at| if at <= now { "now".to_owned() } else { text::time(at) }),
        overview.products.to_string(),
        verdict(overview).map_or(String::new(), |verdict| verdict.to_string()),
        error_class(overview).map_or(String::new(), |class| class.to_string()),
        why_not(overview, now).join("; "),
    ]
}

fn verdict(overview: &Overview) -> Option<Verdict> {
    overview.last_succeeded.as_ref()?.verdict
}

fn object(overview: &Overview, next: Option<DateTime<Utc>>, left: Option<&Forecast>, now: DateTime<Utc>) -> Value {
    let store = &overview.store;
    let mut object = json!({
        "store": store.name,
        "state": State::of(overview, now),
        "as_of": store.as_of,
        "age_secs": store.as_of.map(|at| (now - at).num_seconds()),
        "next_run_at": next,
        "products": overview.products,
        "quarantined": overview.quarantined,
        "verdict": verdict(overview),
        "error_class": error_class(overview),
        "why_not": why_not(overview, now),
        "run_id": overview.unfinished.as_ref().or(overview.last_ended.as_ref()).map(|run| run.id),
    });
    forecast::add_left(&mut object, left);
    object
}
