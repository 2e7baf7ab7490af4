//! What the settings and a store's own schedules make of it: for every kind of run, whether it is due.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

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

impl Plan {
    /// For every kind of run, the heaviest first, whether one of this store is due at `now`.
    pub fn of(&mut self, settings: &config::Schedule, row: &Row, now: DateTime<Utc>) -> Vec<(RunKind, Due)> {
        let Row { store, key, last_runs } = row;
        let own_zone = store.timezone.as_ref().and_then(|name| name.parse().ok());
        let of_kind = |kind: &RunKind| {
            let kind = *kind;
            let of_all = match kind {
                RunKind::Full => &settings.full,
            };
            let text = store.own_schedule(kind).or(of_all.as_deref()).filter(|text| !text.is_empty());
            let standing = Standing {
                kind,
                schedule: text.map(|text| parse(&mut self.parsed, text)),
                timezone: own_zone.unwrap_or(settings.timezone),
                phase: Phase::of(store.id, kind),
                spread: TimeDelta::seconds(settings.spread_secs.into()),
                paused: store.is_paused(now),
                key: *key,
                last: last_runs.iter().filter(|run| run.kind.covers(kind)).max_by_key(|run| run.began_at).copied(),
            };
            (kind, due(&standing, now))
        };
        RunKind::ALL.iter().map(of_kind).collect()
    }
}

/// The schedule of that text, or what is wrong with it.
fn parse<'a>(parsed: &'a mut HashMap<String, Result<Schedule, String>>, text: &str) -> Result<&'a Schedule, &'a str> {
    if !parsed.contains_key(text) {
        parsed.insert(text.to_owned(), Schedule::parse(text).map_err(|error| error.to_string()));
    }
    parsed[text].as_ref().map_err(String::as_str)
}
