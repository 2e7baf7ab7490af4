//! Is a store due? One pure function of its schedule, its last start and the time.
//!
//! The schedule is asked for its first moment after the last start. That makes every rule fall out of one comparison:
//! however many moments were missed (the machine was off, the store was paused), one run makes up for all of them, and a
//! clock that ticks often or seldom changes nothing.

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};

use crate::domain::store::CredentialState;

/// What is known about a store and one kind of run.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Cron expression of five fields; `None` or empty = never by itself.
    pub schedule: Option<&'a str>,
    /// The zone in which it is read.
    pub timezone: Tz,
    /// Whether the store rests now.
    pub paused: bool,
    /// State of its credential, if it has one.
    pub credential: Option<CredentialState>,
    /// When the store is due whatever its schedule: a key that was given up is tested then, a new one at once.
    pub next_check_at: Option<DateTime<Utc>>,
    /// When its last run of this kind began, whoever asked for it and however it ended.
    pub last_start: Option<DateTime<Utc>>,
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
    let Standing { schedule, timezone, paused, credential, next_check_at, last_start } = *standing;
    if paused {
        return Due::No(Reason::Paused);
    }
    // Every test of a flagged key sets the time of the next one; a key that is ok has none but the run that is due.
    let served = |at| credential == Some(CredentialState::Ok) && last_start.is_some_and(|start| start >= at);
    match next_check_at {
        Some(at) if served(at) => {}
        Some(at) if at <= now => return Due::Now,
        Some(at) => return Due::At(at),
        None => {}
    }
    if credential == Some(CredentialState::Revoked) {
        return Due::No(Reason::Revoked);
    }
    let Some(schedule) = schedule.filter(|text| !text.is_empty()) else {
        return Due::No(Reason::NoSchedule);
    };
    match (next_moment(schedule, &last_start.unwrap_or(now).with_timezone(&timezone)), last_start) {
        (Err(error), _) => Due::No(Reason::BadSchedule(error.to_string())),
        (Ok(_), None) => Due::Now,
        (Ok(next), Some(_)) if next <= now => Due::Now,
        (Ok(next), Some(_)) => Due::At(next),
    }
}

/// The first moment of a schedule after that one. A time of day that a change of the clocks leaves out is met when the gap
/// ends; one that comes twice is met the first time only.
fn next_moment(schedule: &str, after: &DateTime<Tz>) -> Result<DateTime<Utc>, CronError> {
    let cron = CronParser::builder().seconds(Seconds::Disallowed).build().parse(schedule)?;
    let mut next = cron.find_next_occurrence(after, false)?;
    // Within an hour that comes for the second time croner answers with its first time, which is over: look behind it.
    while next <= *after {
        let again = next.timezone().from_local_datetime(&next.naive_local()).latest().unwrap_or(next);
        next = cron.find_next_occurrence(&again, false)?;
    }
    // croner leaves out the whole hour that comes twice, which a schedule of every hour must not.
    if schedule.split_whitespace().nth(1) == Some("*") {
        let steady = cron.find_next_occurrence(&after.fixed_offset(), false)?.with_timezone(&after.timezone());
        if steady < next && cron.is_time_matching(&steady)? {
            return Ok(steady.to_utc());
        }
    }
    Ok(next.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        let text = if text.len() == 16 { format!("{text}:00Z") } else { format!("{text}Z") };
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn standing(schedule: &str, timezone: Tz, last_start: Option<DateTime<Utc>>) -> Standing<'_> {
        Standing {
            schedule: Some(schedule),
            timezone,
            paused: false,
            credential: Some(CredentialState::Ok),
            next_check_at: None,
            last_start,
        }
    }

    #[test]
    fn a_store_is_due_once_its_schedule_has_a_moment_since_the_last_start() {
        let utc = Tz::UTC;
        let brisbane = Tz::Australia__Brisbane;
        for (schedule, zone, last, now, expected) in [
            // Between two moments.
            ("*/15 * * * *", utc, "2026-11-21T09:00:02", "2026-11-21T09:14:59", Some("2026-11-21T09:15")),
            // At one, and after it.
            ("*/15 * * * *", utc, "2026-11-21T09:00:02", "2026-11-21T09:15", None),
            ("*/15 * * * *", utc, "2026-11-21T09:00:02", "2026-11-21T09:15:01", None),
            // A run that began exactly at a moment has served it.
            ("*/15 * * * *", utc, "2026-11-21T09:15", "2026-11-21T09:15", Some("2026-11-21T09:30")),
            // A month of missed moments is one run: due now, and the next one is after it.
            ("0 3 * * *", utc, "2026-10-21T03:00", "2026-11-21T09:00", None),
            ("0 3 * * *", utc, "2026-11-21T09:00", "2026-11-21T09:00:01", Some("2026-11-22T03:00")),
            // Read in its zone: 03:00 in Brisbane is 17:00 UTC of the day before.
            ("0 3 * * 0", brisbane, "2026-11-20T00:00", "2026-11-21T16:59", Some("2026-11-21T17:00")),
            ("0 3 * * 0", brisbane, "2026-11-20T00:00", "2026-11-21T17:00", None),
        ] {
            let due = due(&standing(schedule, zone, Some(time(last))), time(now));
            let expected = expected.map_or(Due::Now, |at| Due::At(time(at)));
            assert_eq!(due, expected, "{schedule} in {zone}, last {last}, now {now}");
        }
    }

    /// The moments of a daily schedule, each found from the one before it.
    fn moments(schedule: &str, zone: Tz, from: &str, count: usize) -> Vec<DateTime<Utc>> {
        let start = time(from);
        std::iter::successors(Some(start), |last| match due(&standing(schedule, zone, Some(*last)), *last) {
            Due::At(next) => Some(next),
            other => panic!("{other:?}"),
        })
        .skip(1)
        .take(count)
        .collect()
    }

    #[test]
    fn a_day_on_which_the_clocks_change_has_exactly_one_moment_of_a_daily_schedule() {
        let sydney = Tz::Australia__Sydney;
        // On 4 October 2026 at 02:00 it becomes 03:00, so there is no 02:30; on 5 April 2026 02:30 comes twice.
        for (from, expected) in [
            ("2026-10-02T16:30", ["2026-10-03T16:00", "2026-10-04T15:30", "2026-10-05T15:30"]),
            ("2026-04-03T15:30", ["2026-04-04T15:30", "2026-04-05T16:30", "2026-04-06T16:30"]),
        ] {
            assert_eq!(moments("30 2 * * *", sydney, from, 3), expected.map(time), "from {from}");
        }
    }

    #[test]
    fn a_schedule_of_every_quarter_of_an_hour_keeps_its_pace_while_the_clocks_change() {
        for from in ["2026-10-03T14:00", "2026-04-04T13:00"] {
            let met = moments("*/15 * * * *", Tz::Australia__Sydney, from, 16);
            let gaps: Vec<_> = met.windows(2).map(|pair| (pair[1] - pair[0]).num_minutes()).collect();
            assert_eq!(gaps, [15; 15], "{met:?}");
        }
    }

    #[test]
    fn the_next_moment_is_always_after_the_last_start() {
        // Else a store would be synced over and over for an hour.
        for schedule in ["30 2 * * *", "*/15 * * * *", "5 2-3 * * *", "0 */2 * * *", "* * * * *"] {
            for (zone, from) in [
                (Tz::Australia__Sydney, "2026-04-04T13:00"),
                (Tz::Australia__Sydney, "2026-10-03T13:00"),
                (Tz::Australia__Lord_Howe, "2026-04-04T12:00"),
            ] {
                for minutes in (0..360).step_by(7) {
                    let last = time(from) + chrono::TimeDelta::minutes(minutes);
                    let due = due(&standing(schedule, zone, Some(last)), last);
                    assert!(matches!(due, Due::At(next) if next > last), "{schedule} in {zone} after {last}: {due:?}");
                }
            }
        }
    }

    #[test]
    fn a_store_that_was_never_synced_is_due_at_once() {
        assert_eq!(due(&standing("0 3 * * 0", Tz::UTC, None), time("2026-11-21T09:00")), Due::Now);
    }

    #[test]
    fn a_paused_store_a_revoked_key_and_a_store_without_schedule_are_never_due() {
        let now = time("2026-11-21T09:00");
        let ready = standing("* * * * *", Tz::UTC, None);
        for (standing, reason) in [
            (Standing { paused: true, ..ready }, Reason::Paused),
            (Standing { credential: Some(CredentialState::Revoked), ..ready }, Reason::Revoked),
            (Standing { schedule: None, ..ready }, Reason::NoSchedule),
            (Standing { schedule: Some(""), ..ready }, Reason::NoSchedule),
        ] {
            assert_eq!(due(&standing, now), Due::No(reason));
        }
        for credential in [None, Some(CredentialState::Suspect)] {
            assert_eq!(due(&Standing { credential, ..ready }, now), Due::Now);
        }
    }

    #[test]
    fn a_flagged_key_is_tested_when_its_time_has_come_and_a_new_one_once_whatever_the_schedule() {
        let (earlier, now, later) = (time("2026-11-21T08:00"), time("2026-11-21T09:00"), time("2026-11-21T10:00"));
        for schedule in [None, Some("* * * * *"), Some("0 0 1 1 *")] {
            let next = |credential, next_check_at, last_start| Standing {
                credential: Some(credential),
                next_check_at: Some(next_check_at),
                schedule,
                ..standing("", Tz::UTC, Some(last_start))
            };
            for flagged in [CredentialState::Suspect, CredentialState::Revoked] {
                assert_eq!(due(&next(flagged, later, earlier), now), Due::At(later));
                assert_eq!(due(&next(flagged, now, earlier), now), Due::Now);
                assert_eq!(due(&next(flagged, earlier, now), now), Due::Now, "a test that was not recorded");
                assert_eq!(
                    due(&Standing { paused: true, ..next(flagged, now, earlier) }, now),
                    Due::No(Reason::Paused)
                );
            }
            assert_eq!(due(&next(CredentialState::Ok, now, earlier), now), Due::Now);
            let served = next(CredentialState::Ok, earlier, earlier);
            assert_eq!(due(&served, now), due(&Standing { next_check_at: None, ..served }, now), "the schedule's turn");
        }
    }

    #[test]
    fn a_schedule_that_is_none_or_has_no_moment_says_so() {
        for schedule in ["every day", "0 0 30 2 *", "0 0 3 * * *"] {
            for last in [None, Some(time("2026-11-20T09:00"))] {
                let due = due(&standing(schedule, Tz::UTC, last), time("2026-11-21T09:00"));
                assert!(matches!(due, Due::No(Reason::BadSchedule(_))), "{schedule}: {due:?}");
            }
        }
    }
}
