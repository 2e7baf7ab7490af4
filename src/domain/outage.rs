//! Is it the vendor? When many stores of one connector fail together, no key is to blame.

use chrono::{DateTime, TimeDelta, Utc};

/// From when on failures count as being together (`[auth]` of the configuration).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How far back is looked.
    pub window: TimeDelta,
    /// So many stores fail at least …
    pub stores: u64,
    /// … and this share of those that were tried.
    pub share: f64,
}

/// The stores of one connector, counted; those that are paused or whose key is known to be revoked say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub active: u64,
    /// Those that were called within the time looked at.
    pub tried: u64,
    /// Those of them whose last call was refused, or brought no answer.
    pub failing: u64,
    /// When one that is not failing last answered.
    pub answered_at: Option<DateTime<Utc>>,
}

impl Tally {
    /// With one more store that has just failed.
    #[must_use]
    pub fn and_one_that_fails(self) -> Self {
        Self { active: self.active + 1, tried: self.tried + 1, failing: self.failing + 1, ..self }
    }

    /// Whether one that is not failing has answered since.
    #[must_use]
    pub fn answered_since(&self, time: DateTime<Utc>) -> bool {
        self.answered_at.is_some_and(|at| at >= time)
    }
}

impl Rule {
    /// Whether these failures are the vendor's.
    #[must_use]
    pub fn holds(&self, tally: &Tally) -> bool {
        tally.failing >= self.stores && tally.failing as f64 >= self.share * tally.tried as f64
    }

    /// Whether there are enough stores for an outage to show.
    #[must_use]
    pub fn could_hold(&self, tally: &Tally) -> bool {
        tally.active >= self.stores
    }

    /// Whether an outage is over that began at `begun`; `tally` looks back to [`Rule::reach`] of it. One store has to have
    /// answered: as long as nobody is called, nothing is known. Without a store there is no outage.
    #[must_use]
    pub fn over(&self, begun: DateTime<Utc>, tally: &Tally) -> bool {
        tally.active == 0 || tally.answered_since(begun) && !self.holds(tally)
    }

    /// How far back the first failures of an outage may lie that began (was noticed) at `begun`.
    #[must_use]
    pub fn reach(&self, begun: DateTime<Utc>) -> DateTime<Utc> {
        begun - self.window
    }
}

/// The shortest wait within an outage.
const SHORTEST: TimeDelta = TimeDelta::seconds(15);
/// The longest, on the first day of it.
const LONGEST: TimeDelta = TimeDelta::minutes(5);

/// How long a store is left alone that failed in an outage `age` after it began: half its age, five minutes at the most. An
/// outage that lasts longer than a day may be something else, so from then on each store is called after `in_the_end` only.
#[must_use]
pub fn wait(age: TimeDelta, in_the_end: TimeDelta) -> TimeDelta {
    if age > TimeDelta::days(1) {
        return in_the_end.max(LONGEST);
    }
    // In whole milliseconds, as all times are.
    TimeDelta::milliseconds(age.num_milliseconds() / 2).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { window: TimeDelta::minutes(10), stores: 5, share: 0.25 };

    fn tally(tried: u64, failing: u64) -> Tally {
        Tally { active: 100, tried, failing, answered_at: None }
    }

    #[test]
    fn an_outage_is_five_stores_and_a_quarter_of_those_tried() {
        for (tried, failing, expected) in [
            (0, 0, false),
            (4, 4, false),
            (5, 5, true),
            (20, 5, true),
            (21, 5, false),
            (1000, 249, false),
            (1000, 250, true),
        ] {
            assert_eq!(RULE.holds(&tally(tried, failing)), expected, "{failing} of {tried}");
        }
        assert!(RULE.holds(&tally(4, 4).and_one_that_fails()));
        assert!(!RULE.could_hold(&Tally { active: 4, ..Tally::default() }));
    }

    #[test]
    fn an_outage_is_over_when_a_store_has_answered_and_few_still_fail() {
        let begun = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let answered = |seconds| Some(begun + TimeDelta::seconds(seconds));
        for (failing, answered_at, expected) in [
            (3, None, false),
            (3, answered(-1), false),
            (3, answered(60), true),
            (9, answered(60), true),
            (10, answered(60), false),
            (0, answered(60), true),
        ] {
            let tally = Tally { answered_at, ..tally(40, failing) };
            assert_eq!(RULE.over(begun, &tally), expected, "{tally:?}");
        }
        assert!(RULE.over(begun, &Tally::default()), "no store, no outage");
    }

    #[test]
    fn the_waits_within_an_outage_grow_to_five_minutes_and_after_a_day_to_hours() {
        let six_hours = TimeDelta::hours(6);
        let waits: Vec<_> = [0, 30, 60, 240, 600, 86_400, 86_401]
            .map(|seconds| wait(TimeDelta::seconds(seconds), six_hours).num_seconds())
            .into();
        assert_eq!(waits, [15, 15, 30, 120, 300, 300, 21_600]);
    }
}
