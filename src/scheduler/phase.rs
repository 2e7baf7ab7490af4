//! The shift of a store's moments, so that a thousand stores with one schedule do not start in the same second.
//!
//! **The rule.** A run is due at its moment plus a part of the time until the next moment, or of `schedule.spread_secs` where
//! that is shorter. The part is a fixed one for each store and kind, from 0 up to but not including the whole: a run is never
//! moved as far as the next moment, each moment keeps exactly one run, and restarts and new versions change nothing.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::moments::Schedule;
use crate::domain::run::RunKind;

/// Never to be changed: every store's runs would move.
const SEED: u64 = 0x6e65_746f_7379_6e63;

/// Which part of the time it may be shifted by a store's run is shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase(pub(super) u64);

impl Phase {
    /// That of a store's runs of a kind.
    #[must_use]
    pub fn of(store_id: i64, kind: RunKind) -> Self {
        Self(xxh3_64_with_seed(format!("{store_id} {kind}").as_bytes(), SEED))
    }

    /// The first shifted moment after `after`.
    #[must_use]
    pub fn next(self, schedule: &Schedule, zone: Tz, spread: TimeDelta, after: DateTime<Utc>) -> DateTime<Utc> {
        // A moment before `after` may be shifted behind it.
        let mut moment = schedule.next(zone, after - spread);
        loop {
            let following = schedule.next(zone, moment);
            let due = moment + self.part(spread.min(following - moment));
            if due > after {
                return due;
            }
            moment = following;
        }
    }

    /// In whole seconds.
    fn part(self, whole: TimeDelta) -> TimeDelta {
        let seconds = (u128::from(self.0) * u128::from(whole.num_seconds().unsigned_abs())) >> u64::BITS;
        TimeDelta::seconds(i64::try_from(seconds).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_keeps_its_phase_in_every_version() {
        let phases = [1, 2, 10_000].map(|store_id| Phase::of(store_id, RunKind::Full).0);
        assert_eq!(phases, [16_173_851_257_595_045_306, 4_484_700_455_083_860_010, 15_271_994_998_207_716_464]);
    }

    #[test]
    fn a_thousand_stores_are_spread_evenly() {
        let quarter = TimeDelta::minutes(15);
        let mut starts = [0; 15];
        for store_id in 1..=1000 {
            starts[usize::try_from(Phase::of(store_id, RunKind::Full).part(quarter).num_minutes()).expect("small")] +=
                1;
        }
        assert!(starts.iter().all(|count| (40..100).contains(count)), "{starts:?}");
    }

    #[test]
    fn a_run_between_a_moment_and_its_shifted_time_does_not_serve_it() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let (schedule, half) = (Schedule::parse("0 3 * * *").expect("a schedule"), Phase(1 << 63));
        let next = |after: &str| half.next(&schedule, Tz::UTC, TimeDelta::minutes(20), time(after));
        assert_eq!(next("2026-11-21T02:59:00Z"), time("2026-11-21T03:10:00Z"));
        assert_eq!(next("2026-11-21T03:09:59Z"), time("2026-11-21T03:10:00Z"));
        assert_eq!(next("2026-11-21T03:10:00Z"), time("2026-11-22T03:10:00Z"));
    }

    #[test]
    fn without_a_spread_a_run_is_due_at_its_moment() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let schedule = Schedule::parse("0 3 * * *").expect("a schedule");
        let next = Phase(u64::MAX).next(&schedule, Tz::UTC, TimeDelta::zero(), time("2026-11-21T02:59:00Z"));
        assert_eq!(next, time("2026-11-21T03:00:00Z"));
    }
}
