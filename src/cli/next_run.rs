//! When a store is synced next by itself.

use chrono::{DateTime, Utc};

use crate::config;
use crate::domain::run::{Run, RunKind, RunState};
use crate::scheduler::plan::{Plan, first};
use crate::storage::schedule::Row;

/// The next run of a store: the one that waits, or else the one that is due next, were an instance alive to serve it. A time in
/// the past is now. `None` when nothing is due until a person changes something.
pub fn next_run(
    plan: &mut Plan,
    settings: &config::Schedule,
    row: &Row,
    unfinished: Option<&Run>,
    now: DateTime<Utc>,
) -> Option<(RunKind, DateTime<Utc>)> {
    if let Some(run) = unfinished.filter(|run| run.state == RunState::Queued) {
        return Some((run.kind, run.scheduled_at.max(now)));
    }
    let from = match row.times.paused_until {
        Some(until) if row.times.is_paused(now) => until,
        _ => now,
    };
    first(&plan.of(settings, row, from), from)
}
