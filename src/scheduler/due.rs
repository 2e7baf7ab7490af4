//! Is a run of a store due? One pure function of its schedule, what its last run was, and the time.
//!
//! A schedule is asked for its first moment after the last start. That makes every rule fall out of one comparison:
//! however many moments were missed (the machine was off, the store was paused), one run makes up for all of them, and a
//! clock that ticks often or seldom changes nothing. What the moments are is [`super::moments`]' to say, by how much a
//! store's are shifted [`super::phase`]'s.
//!
//! **A run that failed is tried again before its next moment**, although its worker has tried it several times already: a
//! weekly schedule must not leave a store without a copy for a week. It is due again an hour after it ended, and then after
//! as long as it has been failing, a day at the most: after 1, 2, 4, … hours. One that the store's refusal of the key has
//! ended waits for the key instead: it is due again once the key works or is replaced. One that a person cancelled is over.
//!
//! **Kinds**: a heavier kind does what a lighter one does. So the last run of a kind is the newest of it or a heavier one,
//! and of several kinds that are due the heaviest goes first.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::moments::Schedule;
use super::phase::Phase;
use crate::domain::last_run::{LastRun, Left};
use crate::domain::lifecycle;
use crate::domain::run::RunKind;
use crate::domain::store::CredentialState;

/// The shortest and the longest wait before a failed run is due again.
const AGAIN: (TimeDelta, TimeDelta) = (TimeDelta::hours(1), TimeDelta::days(1));

/// What is known about a store and one kind of run.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The kind.
    pub kind: RunKind,
    /// Its schedule, or what is wrong with it; `None` = never by itself.
    pub schedule: Option<Result<&'a Schedule, &'a str>>,
    /// The zone in which it is read.
    pub timezone: Tz,
    /// Which part of `spread` the store's runs of this kind are shifted by.
    pub phase: Phase,
    /// The most a run may be shifted by.
    pub spread: TimeDelta,
    /// Whether the store rests now.
    pub paused: bool,
    /// What is known about its key, if it has one.
    pub key: Option<lifecycle::Standing>,
    /// The newest run of this kind or a heavier one, whoever asked for it.
    pub last: Option<LastRun>,
}

/// Whether a run is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Yes.
    Now,
    /// Not before then.
    At(DateTime<Utc>),
    /// Not until something changes.
    No(Reason),
}

/// Why no time will make a run due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The operator has paused the store.
    Paused,
    /// The store refuses its key.
    Revoked,
    /// There is no schedule.
    NoSchedule,
    /// The schedule is not one, or has no moment to come.
    BadSchedule(String),
}

/// Whether a run of this kind is due at `now`. A store that was never synced is.
#[must_use]
pub fn due(standing: &Standing<'_>, now: DateTime<Utc>) -> Due {
    if standing.paused {
        return Due::No(Reason::Paused);
    }
    match standing.key.and_then(|key| key_due(&key, standing.last.as_ref())) {
        Some(at) if at <= now => return Due::Now,
        Some(at) => return Due::At(at),
        None if standing.key.is_some_and(|key| key.state == CredentialState::Revoked) => {
            return Due::No(Reason::Revoked);
        }
        None => {}
    }
    let schedule = match standing.schedule {
        None => return Due::No(Reason::NoSchedule),
        Some(Err(error)) => return Due::No(Reason::BadSchedule(error.to_owned())),
        Some(Ok(schedule)) => schedule,
    };
    let Some(last) = standing.last else { return Due::Now };
    let moment = standing.phase.next(schedule, standing.timezone, standing.spread, last.began_at);
    match again(standing, &last).map_or(moment, |again| again.min(moment)) {
        at if at <= now => Due::Now,
        at => Due::At(at),
    }
}

/// When a run is due whatever the schedule, because of the key: one that was given up is tested then, a new one at once. Every
/// test of a flagged key sets the time of the next one; a key that is ok has none but the run that is due.
fn key_due(key: &lifecycle::Standing, last: Option<&LastRun>) -> Option<DateTime<Utc>> {
    let served = |at| key.state == CredentialState::Ok && last.is_some_and(|last| last.began_at >= at);
    key.next_check_at.filter(|at| !served(*at))
}

/// When a run that left something to be made up for is due again, apart from its schedule. A heavier kind's run that failed
/// is made up for by that kind.
fn again(standing: &Standing<'_>, last: &LastRun) -> Option<DateTime<Utc>> {
    match last.left {
        _ if last.kind != standing.kind => None,
        Left::Nothing | Left::Unfinished => None,
        Left::Failed { at, since } => Some(at + (at - since).clamp(AGAIN.0, AGAIN.1)),
        Left::Refused { at } => {
            standing.key.filter(|key| key.state == CredentialState::Ok && key.since > at).map(|key| key.since)
        }
    }
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
