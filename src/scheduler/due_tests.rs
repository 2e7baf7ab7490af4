//! What is due, by example.

use super::*;

fn time(text: &str) -> DateTime<Utc> {
    let text = if text.len() == 16 { format!("{text}:00Z") } else { format!("{text}Z") };
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn began(at: DateTime<Utc>) -> LastRun {
    LastRun { kind: RunKind::Full, began_at: at, left: Left::Nothing }
}

fn key(state: CredentialState, since: DateTime<Utc>) -> lifecycle::Standing {
    lifecycle::Standing { state, ..lifecycle::Standing::working(since) }
}

/// A store with a working key and nothing shifted.
fn standing(schedule: &Schedule, timezone: Tz, last: Option<LastRun>) -> Standing<'_> {
    Standing {
        kind: RunKind::Full,
        schedule: Some(Ok(schedule)),
        timezone,
        phase: Phase::of(1, RunKind::Full),
        spread: TimeDelta::zero(),
        paused: false,
        key: Some(lifecycle::Standing::working(time("2026-01-01T00:00"))),
        last,
    }
}

#[test]
fn a_store_is_due_once_its_schedule_has_a_moment_since_the_last_start() {
    let utc = Tz::UTC;
    let brisbane = Tz::Australia__Brisbane;
    for (text, zone, last, now, expected) in [
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
        let due = due(&standing(&schedule(text), zone, Some(began(time(last)))), time(now));
        let expected = expected.map_or(Due::Now, |at| Due::At(time(at)));
        assert_eq!(due, expected, "{text} in {zone}, last {last}, now {now}");
    }
}

/// The moments of a schedule, each found from the one before it.
fn moments(text: &str, zone: Tz, from: &str, count: usize) -> Vec<DateTime<Utc>> {
    let (schedule, start) = (schedule(text), time(from));
    std::iter::successors(Some(start), |last| match due(&standing(&schedule, zone, Some(began(*last))), *last) {
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
fn stores_with_one_schedule_are_due_at_times_of_their_own() {
    let weekly = schedule("0 3 * * 0");
    let mut times: Vec<_> = (1..=3)
        .map(|store_id| {
            let phase = Phase::of(store_id, RunKind::Full);
            let last = Some(began(time("2026-11-20T00:00")));
            let standing = Standing { phase, spread: TimeDelta::minutes(15), ..standing(&weekly, Tz::UTC, last) };
            due(&standing, time("2026-11-20T00:00"))
        })
        .collect();
    for due in &times {
        let quarter = time("2026-11-22T03:00")..time("2026-11-22T03:15");
        assert!(matches!(due, Due::At(at) if quarter.contains(at)), "{due:?}");
    }
    times.dedup();
    assert_eq!(times.len(), 3, "{times:?}");
}

#[test]
fn a_failed_run_is_due_again_after_an_hour_then_ever_later_and_never_later_than_its_next_moment() {
    let weekly = schedule("0 3 * * 0");
    let began_at = time("2026-11-15T03:00");
    for (minutes, since, expected) in [
        // It failed within ten minutes for the first time.
        (10, "2026-11-15T03:00", "2026-11-15T04:10"),
        // It has been failing for five hours and ten minutes, for days, and shortly before the next moment.
        (10, "2026-11-14T22:00", "2026-11-15T08:20"),
        (10, "2026-11-10T00:00", "2026-11-16T03:10"),
        (7 * 24 * 60 - 10, "2026-11-15T03:00", "2026-11-22T03:00"),
    ] {
        let at = began_at + TimeDelta::minutes(minutes);
        let left = Left::Failed { at, since: time(since) };
        let last = Some(LastRun { kind: RunKind::Full, began_at, left });
        assert_eq!(due(&standing(&weekly, Tz::UTC, last), at), Due::At(time(expected)), "{minutes} since {since}");
        assert_eq!(due(&standing(&weekly, Tz::UTC, last), time(expected)), Due::Now);
    }
}

#[test]
fn a_run_that_a_refused_key_has_ended_waits_for_the_key() {
    let weekly = schedule("0 3 * * 0");
    let (began_at, at, now) = (time("2026-11-15T03:00"), time("2026-11-15T03:01"), time("2026-11-18T00:00"));
    let last = Some(LastRun { kind: RunKind::Full, began_at, left: Left::Refused { at } });
    let with =
        |state, since| due(&Standing { key: Some(key(state, time(since))), ..standing(&weekly, Tz::UTC, last) }, now);
    let next_moment = Due::At(time("2026-11-22T03:00"));
    assert_eq!(with(CredentialState::Suspect, "2026-11-15T03:02"), next_moment);
    assert_eq!(with(CredentialState::Ok, "2026-11-01T00:00"), next_moment);
    assert_eq!(with(CredentialState::Revoked, "2026-11-15T03:02"), Due::No(Reason::Revoked));
    // It works again, or is another one.
    assert_eq!(with(CredentialState::Ok, "2026-11-17T00:00"), Due::Now);
}

#[test]
fn a_run_that_is_not_over_or_was_cancelled_by_a_person_leaves_nothing_to_be_made_up_for() {
    let weekly = schedule("0 3 * * 0");
    for left in [Left::Nothing, Left::Unfinished] {
        let last = Some(LastRun { kind: RunKind::Full, began_at: time("2026-11-15T03:00"), left });
        let due = due(&standing(&weekly, Tz::UTC, last), time("2026-11-20T03:00"));
        assert_eq!(due, Due::At(time("2026-11-22T03:00")), "{left:?}");
    }
}

#[test]
fn a_store_that_was_never_synced_is_due_at_once() {
    assert_eq!(due(&standing(&schedule("0 3 * * 0"), Tz::UTC, None), time("2026-11-21T09:00")), Due::Now);
}

#[test]
fn a_paused_store_a_revoked_key_and_a_store_without_schedule_are_never_due() {
    let (always, now) = (schedule("* * * * *"), time("2026-11-21T09:00"));
    let ready = standing(&always, Tz::UTC, None);
    for (standing, reason) in [
        (Standing { paused: true, ..ready }, Reason::Paused),
        (Standing { key: Some(key(CredentialState::Revoked, now)), ..ready }, Reason::Revoked),
        (Standing { schedule: None, ..ready }, Reason::NoSchedule),
        (Standing { schedule: Some(Err("no")), ..ready }, Reason::BadSchedule("no".to_owned())),
    ] {
        assert_eq!(due(&standing, now), Due::No(reason));
    }
    for key in [None, Some(key(CredentialState::Suspect, now))] {
        assert_eq!(due(&Standing { key, ..ready }, now), Due::Now);
    }
}

#[test]
fn a_flagged_key_is_tested_when_its_time_has_come_and_a_new_one_once_whatever_the_schedule() {
    let (earlier, now, later) = (time("2026-11-21T08:00"), time("2026-11-21T09:00"), time("2026-11-21T10:00"));
    let (always, seldom) = (schedule("* * * * *"), schedule("0 0 1 1 *"));
    for schedule in [None, Some(Ok(&always)), Some(Ok(&seldom))] {
        let next = |state, next_check_at, last_start| Standing {
            key: Some(lifecycle::Standing {
                state,
                next_check_at: Some(next_check_at),
                ..lifecycle::Standing::working(earlier)
            }),
            schedule,
            ..standing(&always, Tz::UTC, Some(began(last_start)))
        };
        for flagged in [CredentialState::Suspect, CredentialState::Revoked] {
            assert_eq!(due(&next(flagged, later, earlier), now), Due::At(later));
            assert_eq!(due(&next(flagged, now, earlier), now), Due::Now);
            assert_eq!(due(&next(flagged, earlier, now), now), Due::Now, "a test that was not recorded");
            assert_eq!(due(&Standing { paused: true, ..next(flagged, now, earlier) }, now), Due::No(Reason::Paused));
        }
        assert_eq!(due(&next(CredentialState::Ok, now, earlier), now), Due::Now);
        let served = next(CredentialState::Ok, earlier, earlier);
        let ordinary = Standing { key: Some(key(CredentialState::Ok, earlier)), ..served };
        assert_eq!(due(&served, now), due(&ordinary, now), "the schedule's turn");
    }
}
