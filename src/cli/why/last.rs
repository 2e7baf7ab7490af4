//! The last link of the chain: how the last run ended, and what helps against its error.

use super::facts::Facts;
use super::reasons::{ENDED_BADLY, Reason};
use crate::cli::text;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Run, RunState, Verdict};
use crate::domain::store::CredentialState;

/// How the last run ended.
pub(super) fn run(facts: &Facts<'_>) -> Reason {
    let name = &facts.overview.store.name;
    let Some(run) = &facts.overview.last_ended else {
        return Reason::fine("last run", "there was none yet");
    };
    let ended = run.finished_at.map_or(String::new(), |at| format!(" {} ago", text::age(at, facts.now)));
    let said = run.error.as_deref().unwrap_or("it left no reason");
    let class = run.error_class.map_or(String::new(), |class| format!(" ({class})"));
    let id = run.id;
    let (what, fix) = match (run.state, run.verdict) {
        (RunState::Succeeded, Some(Verdict::Partial)) => {
            (format!("run {id} was partial{ended}: {said}"), format!("netosync runs show {id}"))
        }
        (RunState::Succeeded, verdict) => {
            let verdict = verdict.map_or("succeeded", Verdict::as_str);
            return Reason::fine("last run", format!("run {id} was {verdict}{ended}"));
        }
        (RunState::Cancelled, _) => {
            (format!("run {id} was cancelled{ended}{class}: {said}"), format!("netosync sync {name}"))
        }
        _ => (format!("run {id} failed{ended}{class}: {said}"), after_failure(facts, run)),
    };
    Reason::wrong("last run", ENDED_BADLY, what, Some(fix))
}

/// What helps after an error of that class.
fn after_failure(facts: &Facts<'_>, run: &Run) -> String {
    let name = &facts.overview.store.name;
    let key = facts.overview.credential.as_ref().filter(|key| key.state == CredentialState::Ok);
    match run.error_class {
        // The key works again, or is another one.
        Some(ErrorClass::Unauthorized)
            if key.is_some_and(|key| run.finished_at.is_some_and(|at| at < key.state_since)) =>
        {
            format!("netosync sync {name}")
        }
        Some(ErrorClass::Unauthorized) if key.is_some() => format!("netosync store check {name}"),
        Some(ErrorClass::Unauthorized) => format!("netosync store rekey {name}"),
        Some(ErrorClass::Transient | ErrorClass::RateLimited) => format!("netosync store check {name}"),
        Some(ErrorClass::Config) => "netosync check".to_owned(),
        Some(ErrorClass::Data) => format!("netosync quarantine list {name}"),
        Some(ErrorClass::Rejected | ErrorClass::Internal) | None => format!("netosync runs show {}", run.id),
    }
}
