//! What `netosync sync` says: outcomes on stdout, what it waits for on stderr.

use chrono::{DateTime, Utc};
use serde_json::json;
use tracing::{info, warn};

use crate::cli::exit::CliError;
use crate::cli::text;
use crate::cli::{complain, say};
use crate::domain::error::ErrorClass;
use crate::domain::run::{Run, RunKind, RunState, Verdict};

/// Prints the outcome of a run.
pub fn report(store: &str, run: &Run, as_json: bool) {
    if as_json {
        say(run_json(store, run));
        return;
    }
    let counts = run.counts;
    let outcome = run.verdict.map_or(run.state.as_str(), Verdict::as_str);
    say(format_args!(
        "{store}: {outcome} · {} products seen, {} new, {} changed, {} unchanged, {} in quarantine · {} pages, {} calls{}",
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
        complain(&format!("{store}: {error}"));
    }
}

/// Says why there is no outcome: on stderr, and for scripts as an object like that of a run.
pub fn report_error(store: &str, kind: RunKind, error: &CliError, as_json: bool) {
    if as_json {
        say(error_json(store, kind, &error.message));
    }
    complain(&format!("error: {store}: {}", error.message));
}

/// The object of a store that has no outcome.
pub fn error_json(store: &str, kind: RunKind, error: &str) -> serde_json::Value {
    json!({
        "run_id": null, "store": store, "kind": kind, "state": null, "verdict": null,
        "pages": 0, "calls": 0, "seen": 0, "inserted": 0, "updated": 0, "unchanged": 0, "removed": 0, "quarantined": 0,
        "error_class": null, "error": error, "duration_ms": null,
    })
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

/// What was last said about a run that is waited for, so that it is said once.
#[derive(Debug, Default)]
pub struct Told(Option<(RunState, DateTime<Utc>)>);

impl Told {
    /// Says what is waited for, unless that was said.
    pub fn waiting(&mut self, store: &str, run: &Run, now: DateTime<Utc>) {
        let news = (run.state, run.scheduled_at);
        if self.0.replace(news) == Some(news) {
            return;
        }
        let (id, at) = (run.id, text::time(run.scheduled_at));
        match run.state {
            RunState::Queued if run.error_class == Some(ErrorClass::RateLimited) => {
                warn!("{store}: resting until {at}: {}", run.error.as_deref().unwrap_or_default());
            }
            RunState::Queued if run.error_class == Some(ErrorClass::Unauthorized) => {
                warn!("{store}: {}", run.error.as_deref().unwrap_or("the store refuses the key; asking again"));
            }
            RunState::Queued if run.scheduled_at > now => {
                let why = run.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
                info!("{store}: run {id} waits until {at}{why}");
            }
            RunState::Queued => info!("{store}: run {id} waits for a worker"),
            _ => info!(
                "{store}: {} is working on run {id}; following it, and taking it over should it fall silent",
                run.lease_owner.as_deref().unwrap_or("another worker"),
            ),
        }
    }
}
