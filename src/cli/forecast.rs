//! What a run costs, as people and scripts are told before and during it ([`crate::domain::forecast`]).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::status::worked_on;
use super::text::{number, span};
use crate::config::Config;
use crate::domain::finding::Waiting;
use crate::domain::forecast::{Forecast, Terms};
use crate::domain::run::{Phase, Run, RunKind, RunState};
use crate::domain::store::Store;
use crate::storage::{Database, StorageError, findings, runs};

/// What holds for the calls of a store.
pub fn terms(config: &Config, store: &Store) -> Terms {
    let (learned, fetch) = (&store.learned, &config.fetch);
    Terms {
        page: learned.page(fetch.page_size),
        sweep_page: learned.sweep_page(fetch.sweep_page_size),
        calls_per_minute: store.calls_per_minute.unwrap_or(config.budget.calls_per_minute),
    }
}

/// What is to be expected of a run that begins, in one sentence; `whole` = an incremental run has no cursor yet.
pub fn sentence(terms: &Terms, run: &Run, held: u64, whole: bool) -> String {
    let told = |forecast| in_words(&forecast, terms.calls_per_minute);
    match (run.kind, held) {
        (_, 0) => {
            let thousand = terms.run(RunKind::Full, 1000, true);
            format!("no products held yet, so how long it takes is not known: a thousand cost {}", told(thousand))
        }
        (RunKind::Incremental, _) if !whole => {
            let least = terms.run(run.kind, held, whole);
            format!(
                "at least {}, and one call more for each {} products edited",
                told(least),
                number(terms.page.new.into())
            )
        }
        (kind, _) => {
            let audit = run.audit_request.map(|request| terms.audit(held, request.sample));
            let forecast = audit.unwrap_or_else(|| terms.run(kind, held, whole));
            format!("{} products held: about {}", number(held), told(forecast))
        }
    }
}

/// What is to be expected of a run of a described connector: what the last one took.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn of_records(db: &Database, store: &Store, held: u64) -> Result<String, StorageError> {
    let last = runs::newest_each(db, Some(store.id), &[RunState::Succeeded]).await?.remove(&store.id);
    let cost = last.map_or("how long it takes is not known".to_owned(), |last| {
        let calls = last.counts.calls;
        format!("the last run ({}) made {calls} call{}", last.kind, if calls == 1 { "" } else { "s" })
    });
    Ok(format!("{} records held; {cost}", number(held)))
}

/// "128 calls, 27 s at 300 calls a minute".
pub fn in_words(forecast: &Forecast, calls_per_minute: u32) -> String {
    let Forecast { calls, time } = forecast;
    let plural = if *calls == 1 { "" } else { "s" };
    format!("{} call{plural}, {} at {} calls a minute", number(*calls), span(*time), number(calls_per_minute.into()))
}

/// What is left of a run that a worker is on, where that can be said; `held` = products in the copy now.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn left(
    db: &Database,
    terms: &Terms,
    run: &Run,
    held: u64,
    now: DateTime<Utc>,
) -> Result<Option<Forecast>, StorageError> {
    let Some(checkpoint) = run.checkpoint.as_ref().filter(|_| worked_on(run, now)) else { return Ok(None) };
    if checkpoint.streams.is_some() {
        // How long the lists of a described connector are, nobody knows before their end.
        return Ok(None);
    }
    let waiting = match checkpoint.phase {
        Phase::Walk | Phase::Sample | Phase::Over => Waiting::default(),
        Phase::Detail | Phase::List | Phase::Look | Phase::Confirm => findings::waiting(db, run.id).await?,
    };
    let calls = terms.left(run.kind, checkpoint, &run.counts, held, waiting);
    let lasted = run.started_at.and_then(|started| (now - started).to_std().ok()).unwrap_or_default();
    Ok(calls.map(|calls| terms.at_pace(calls, run.counts.calls.unsigned_abs(), lasted)))
}

/// "about 90 calls, 18 s left".
pub fn left_in_words(left: &Forecast) -> String {
    let plural = if left.calls == 1 { "" } else { "s" };
    format!("about {} call{plural}, {} left", number(left.calls), span(left.time))
}

/// Adds what is left of a run to its object.
pub fn add_left(object: &mut Value, left: Option<&Forecast>) {
    object["remaining_calls"] = json!(left.map(|left| left.calls));
    object["remaining_secs"] = json!(left.map(|left| left.time.as_secs() + u64::from(left.time.subsec_nanos() > 0)));
}
