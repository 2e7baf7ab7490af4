//! Which stores rest until when, so that a tick asks the calendar only about stores of which something has changed or whose time has
//! come. It is a memory, not a fact: what is not in it is worked out anew, and it is worth exactly what it was worked out from.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::storage::schedule::Row;

/// Until when nothing of a store is due; `None` = until something changes.
pub type Until = Option<DateTime<Utc>>;

/// The memory from one tick to the next.
#[derive(Debug, Default)]
pub struct Rests {
    config: Option<Arc<Config>>,
    /// By store: a hash of all that decides, and what came of it.
    known: HashMap<i64, (u64, Until)>,
    /// What this tick has shown.
    next: HashMap<i64, (u64, Until)>,
}

impl Rests {
    /// Begins a tick under a configuration. What the tick before did not meet is forgotten.
    pub fn begin(&mut self, config: &Arc<Config>) {
        self.known = std::mem::take(&mut self.next);
        if !self.config.as_ref().is_some_and(|before| Arc::ptr_eq(before, config)) {
            self.known.clear();
            self.config = Some(config.clone());
        }
    }

    /// Until when the store rests, if that is known and goes on at `now`.
    pub fn of(&mut self, row: &Row, now: DateTime<Utc>) -> Option<Until> {
        let store_id = row.times.store_id;
        let (facts, until) = *self.known.get(&store_id)?;
        let rests = facts == hash(row, now) && until.is_none_or(|until| now < until);
        rests.then(|| {
            self.next.insert(store_id, (facts, until));
            until
        })
    }

    /// Keeps that the store rests until then.
    pub fn note(&mut self, row: &Row, until: Until, now: DateTime<Utc>) {
        self.next.insert(row.times.store_id, (hash(row, now), until));
    }
}

/// Of all that decides beside the configuration, the time only as far as it ends a pause.
fn hash(row: &Row, now: DateTime<Utc>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&row.times, row.times.is_paused(now), &row.key, &row.last_runs).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeDelta;

    use super::*;
    use crate::domain::timetable::Timetable;

    fn row(paused_until: Option<DateTime<Utc>>) -> Row {
        let times = Timetable {
            store_id: 7,
            store: "main".to_owned(),
            timezone: None,
            full: None,
            incremental: None,
            sweep: None,
            paused_at: paused_until.map(|_| DateTime::UNIX_EPOCH),
            paused_until,
        };
        Row { times, key: None, last_runs: Vec::new() }
    }

    fn config() -> Arc<Config> {
        Arc::new(Config::from_parts(None, &BTreeMap::new()).expect("defaults"))
    }

    #[test]
    fn a_store_rests_until_its_time_comes_or_something_that_decides_changes() {
        let (now, minute) = (DateTime::UNIX_EPOCH, TimeDelta::minutes(1));
        let (settings, mut rests) = (config(), Rests::default());
        let mut tick = |settings: &Arc<Config>, row: &Row, now| {
            rests.begin(settings);
            let known = rests.of(row, now);
            if known.is_none() {
                rests.note(row, Some(now + minute), now);
            }
            known
        };
        assert_eq!(tick(&settings, &row(None), now), None, "nothing is known at first");
        assert_eq!(tick(&settings, &row(None), now), Some(Some(now + minute)));
        assert_eq!(tick(&settings, &row(None), now + minute), None, "its time has come");
        let paused = row(Some(now + minute * 3));
        assert_eq!(tick(&settings, &paused, now + minute), None, "it was paused");
        assert_eq!(tick(&settings, &paused, now + minute), Some(Some(now + minute * 2)));
        assert_eq!(tick(&config(), &paused, now + minute), None, "the configuration was read again");
    }

    #[test]
    fn the_end_of_a_pause_ends_a_rest_without_end() {
        let (now, minute) = (DateTime::UNIX_EPOCH, TimeDelta::minutes(1));
        let (settings, mut rests, paused) = (config(), Rests::default(), row(Some(now + minute)));
        rests.begin(&settings);
        rests.note(&paused, None, now);
        rests.begin(&settings);
        assert_eq!(rests.of(&paused, now), Some(None));
        rests.begin(&settings);
        assert_eq!(rests.of(&paused, now + minute), None);
    }
}
