//! What the settings and a store's own schedules make of it: for every kind of run, whether it is due.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::due::{Due, Standing, due};
use super::moments::Schedule;
use super::phase::Phase;
use crate::config;
use crate::domain::run::RunKind;
use crate::storage::schedule::Row;

/// Tells which store is due, and keeps each cron expression it has parsed.
#[derive(Debug, Default)]
pub struct Plan {
    parsed: HashMap<String, Result<Schedule, String>>,
}

/// A kind of run of a store.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    /// The kind.
    pub kind: RunKind,
    /// Its cron expression, if it has one.
    pub schedule: Option<&'a str>,
    /// The zone in which that is read.
    pub timezone: Tz,
    /// Whether a run is due.
    pub due: Due,
}

impl Plan {
    /// For every kind of run, the heaviest first, whether one of this store is due at `now`.
    pub fn of<'a>(&mut self, settings: &'a config::Schedule, row: &'a Row, now: DateTime<Utc>) -> Vec<Planned<'a>> {
        let Row { times, key, last_runs } = row;
        let own_zone = times.timezone.as_ref().and_then(|name| name.parse().ok());
        let timezone = own_zone.unwrap_or(settings.timezone);
        let of_kind = |kind: &RunKind| {
            let kind = *kind;
            let of_all = match kind {
                RunKind::Full => &settings.full,
                RunKind::Sweep => &settings.sweep,
                RunKind::Incremental => &settings.incremental,
                RunKind::Audit => &None,
            };
            let schedule = times.own_schedule(kind).or(of_all.as_deref()).filter(|text| !text.is_empty());
            let standing = Standing {
                kind,
                schedule: schedule.map(|text| parse(&mut self.parsed, text)),
                timezone,
                phase: Phase::of(times.store_id, kind),
                spread: TimeDelta::seconds(settings.spread_secs.into()),
                paused: times.is_paused(now),
                key: *key,
                last: last_runs.iter().filter(|run| run.kind.covers(kind)).max_by_key(|run| run.began_at).copied(),
            };
            Planned { kind, schedule, timezone, due: due(&standing, now) }
        };
        RunKind::SYNCS.iter().map(of_kind).collect()
    }
}

/// Of all kinds of a store, heaviest first: the one that is due, or will be first, with when that is. `None` when none will.
#[must_use]
pub fn first(kinds: &[Planned<'_>], now: DateTime<Utc>) -> Option<(RunKind, DateTime<Utc>)> {
    let at = |planned: &Planned<'_>| match planned.due {
        Due::Now => Some((planned.kind, now)),
        Due::At(at) => Some((planned.kind, at)),
        Due::No(_) => None,
    };
    kinds.iter().filter_map(at).min_by_key(|(_, at)| *at)
}

/// The schedule of that text, or what is wrong with it.
fn parse<'a>(parsed: &'a mut HashMap<String, Result<Schedule, String>>, text: &str) -> Result<&'a Schedule, &'a str> {
    if !parsed.contains_key(text) {
        parsed.insert(text.to_owned(), Schedule::parse(text).map_err(|error| error.to_string()));
    }
    parsed[text].as_ref().map_err(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::due::Reason;

    #[test]
    fn of_a_stores_kinds_the_heaviest_that_is_due_goes_first() {
        let now: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().expect("a time");
        let (soon, later) = (now + TimeDelta::hours(1), now + TimeDelta::hours(2));
        let first_of = |dues: [Due; 3]| {
            let timezones = [Tz::UTC, Tz::Europe__Berlin, Tz::Australia__Sydney];
            let planned = |(due, timezone)| Planned { kind: RunKind::Full, schedule: None, timezone, due };
            first(&dues.into_iter().zip(timezones).map(planned).collect::<Vec<_>>(), now).map(|(_, at)| at)
        };
        let none = || Due::No(Reason::NoSchedule);
        assert_eq!(first_of([none(), none(), none()]), None);
        assert_eq!(first_of([Due::At(later), none(), Due::At(soon)]), Some(soon));
        assert_eq!(first_of([Due::At(later), Due::Now, Due::At(soon)]), Some(now));
        assert!(RunKind::Full.covers(RunKind::Full));
    }
}
