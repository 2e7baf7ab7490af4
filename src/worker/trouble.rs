//! A database that fails: said once a spell, tried again with a growing wait, and said once when it is over.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::storage::StorageError;

/// The first wait; each one after is twice as long ...
const FIRST_WAIT: TimeDelta = TimeDelta::milliseconds(250);
/// ... up to this.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(4);

/// The spell a worker is in, if it is in one.
#[derive(Debug, Default)]
pub struct Trouble {
    spell: Option<Spell>,
}

#[derive(Debug)]
struct Spell {
    since: DateTime<Utc>,
    wait: TimeDelta,
}

impl Trouble {
    /// Takes note of a failure; gives the time of the next try.
    pub fn met(&mut self, error: &StorageError, now: DateTime<Utc>) -> DateTime<Utc> {
        let wait = if let Some(spell) = &mut self.spell {
            spell.wait = (spell.wait * 2).min(LONGEST_WAIT);
            spell.wait
        } else {
            warn!("{error}; trying again until it works, which will be said");
            self.spell = Some(Spell { since: now, wait: FIRST_WAIT });
            FIRST_WAIT
        };
        now + wait
    }

    /// Takes note that everything worked.
    pub fn over(&mut self, now: DateTime<Utc>) {
        if let Some(spell) = self.spell.take() {
            let seconds = (now - spell.since).num_seconds();
            info!(spell.secs = seconds, "the database works again, after {seconds} seconds");
        }
    }

    /// Whether the last try failed.
    pub fn lasts(&self) -> bool {
        self.spell.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_up_to_a_few_seconds_and_begin_anew_after_a_good_spell() {
        let error = StorageError::UnknownStore { name: "x".to_owned() };
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let mut trouble = Trouble::default();
        let waits: Vec<_> = (0..7).map(|_| (trouble.met(&error, now) - now).num_milliseconds()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 4000, 4000]);
        assert!(trouble.lasts());
        trouble.over(now);
        assert!(!trouble.lasts());
        assert_eq!(trouble.met(&error, now) - now, FIRST_WAIT);
    }
}
