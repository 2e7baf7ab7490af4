//! The proof that [`Schedule::next`] keeps its rule: in every IANA zone, around every change of its clock from 2010 to 2040, a
//! set of schedules is compared with an oracle that reads the rule literally. The oracle goes through the minutes of the UTC
//! clock one by one; it knows neither croner nor how local times are turned into instants.
//!
//! A change that several zones share is looked at once, and those that differ in their date only share all but four schedules.
//! `NETOSYNC_TEST_ZONES=all` looks at every change of every zone with every schedule, which takes many minutes.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::moments::Schedule;
use super::phase::Phase;

/// The years looked at.
const YEARS: std::ops::Range<i32> = 2010..2041;

/// A clock that is set: to be looked at from some hours before until some hours after.
#[derive(Clone, Copy, Debug)]
struct Change {
    zone: Tz,
    at: DateTime<Utc>,
    before: TimeDelta,
    after: TimeDelta,
}

fn offset(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    TimeDelta::seconds(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into())
}

/// Every change of a zone's clock. No two are less than six days apart, which this relies on; the number of all is checked.
fn changes(zone: Tz) -> Vec<Change> {
    let new_year = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single().expect("a time");
    let (mut from, end) = (new_year(YEARS.start), new_year(YEARS.end));
    let mut before = offset(zone, from);
    let mut found = Vec::new();
    while from < end {
        let to = from + TimeDelta::days(6);
        let after = offset(zone, to);
        if before != after {
            let (mut old, mut new) = (from, to);
            while new - old > TimeDelta::seconds(1) {
                let middle = old + TimeDelta::seconds((new - old).num_seconds() / 2);
                if offset(zone, middle) == before { old = middle } else { new = middle }
            }
            found.push(Change { zone, at: new, before, after });
        }
        (from, before) = (to, after);
    }
    found
}

/// Which values a field of a cron expression allows, as bits: `*`, `*/n`, `a`, `a-b` and lists of the last two.
fn allowed(field: &str, lowest: u32, highest: u32) -> u64 {
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(part)..=number(part),
    };
    let values: Vec<_> = match field.strip_prefix("*/") {
        Some(step) => (lowest..=highest).step_by(number(step) as usize).collect(),
        None if field == "*" => (lowest..=highest).collect(),
        None => field.split(',').flat_map(part).collect(),
    };
    values.into_iter().fold(0, |bits, value| bits | 1 << value)
}

/// A cron expression as its manual reads it.
struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    either_day: bool,
}

impl Fields {
    fn of(text: &str) -> Self {
        let fields: Vec<_> = text.split(' ').collect();
        Self {
            minutes: allowed(fields[0], 0, 59),
            hours: allowed(fields[1], 0, 23),
            days: allowed(fields[2], 1, 31),
            months: allowed(fields[3], 1, 12),
            weekdays: allowed(fields[4], 0, 6),
            either_day: fields[2] != "*" && fields[4] != "*",
        }
    }

    fn fit(&self, wall: NaiveDateTime) -> bool {
        let has = |bits: u64, value: u32| bits >> value & 1 == 1;
        if !has(self.minutes, wall.minute()) || !has(self.hours, wall.hour()) || !has(self.months, wall.month()) {
            return false;
        }
        let day = has(self.days, wall.day());
        let weekday = has(self.weekdays, wall.weekday().num_days_from_sunday());
        if self.either_day { day || weekday } else { day && weekday }
    }
}

/// The minutes around a change, with what the clock shows at each, and the latest it has shown before.
struct Window {
    minutes: Vec<(DateTime<Utc>, NaiveDateTime, NaiveDateTime)>,
}

const MINUTE: TimeDelta = TimeDelta::minutes(1);

impl Window {
    fn around(change: &Change) -> Self {
        let size = (change.after - change.before).abs();
        let (mut at, end) = (change.at - TimeDelta::hours(3), change.at + size + TimeDelta::hours(3));
        let shown = |at: DateTime<Utc>| at.naive_utc() + offset(change.zone, at);
        let mut latest = shown(at - MINUTE);
        let mut minutes = Vec::new();
        while at <= end {
            let wall = shown(at);
            minutes.push((at, wall, latest));
            latest = latest.max(wall);
            at += MINUTE;
        }
        Self { minutes }
    }

    fn start(&self) -> DateTime<Utc> {
        self.minutes[0].0 - MINUTE
    }

    fn end(&self) -> DateTime<Utc> {
        self.minutes[self.minutes.len() - 1].0
    }

    /// The rule, read literally.
    fn moments(&self, schedule: &str) -> Vec<DateTime<Utc>> {
        let fields = Fields::of(schedule);
        let pace = fields.hours.count_ones() == 24;
        let met = |wall: NaiveDateTime, latest: NaiveDateTime| {
            let mut new = latest;
            while new < wall {
                new += MINUTE;
                if fields.fit(new) {
                    return true;
                }
            }
            pace && fields.fit(wall)
        };
        self.minutes.iter().filter(|(_, wall, latest)| met(*wall, *latest)).map(|(at, ..)| *at).collect()
    }
}

/// Schedules that have something to do with a change: at its edges, in its middle, and on its day. The first [`FEW`] are those
/// that differ most.
fn schedules(change: &Change) -> Vec<String> {
    let (old, new) = (change.at.naive_utc() + change.before, change.at.naive_utc() + change.after);
    let (low, high) = (old.min(new), old.max(new));
    let middle = low + (high - low) / 2;
    let daily = |time: NaiveDateTime| format!("{} {} * * *", time.minute(), time.hour());
    let (minute, hour) = (middle.minute(), middle.hour());
    let (day, month, weekday) = (middle.day(), middle.month(), middle.weekday().num_days_from_sunday());
    let mut all = vec![
        daily(middle),
        format!("{minute} * * * *"),
        format!("{minute} {hour} * * {weekday}"),
        "0 */2 * * *".to_owned(),
        format!("{minute} {hour} {day} * *"),
        format!("{minute} {hour} {day} {month} *"),
        format!("{minute} {hour} 13 * {weekday}"),
        format!("{minute} * {day} {month} *"),
    ];
    all.extend([low - MINUTE, low, high - MINUTE, high].map(daily));
    all.extend(["0 0 * * *", "30 2 * * *", "5 2-3 * * *", "0 * * * *", "*/15 * * * *"].map(str::to_owned));
    all.extend(["*/20 0-4,22,23 * * *", "*/10 0-23 * * *", "*/7 */3 * * *"].map(str::to_owned));
    all
}

/// How many of the [`schedules`] are checked at every change.
const FEW: usize = 4;

fn check(change: &Change, window: &Window, text: &str) {
    let schedule = Schedule::parse(text).expect("a schedule");
    let expected = window.moments(text);
    let mut after = window.start();
    for moment in &expected {
        after = schedule.next(change.zone, after);
        assert_eq!(after, *moment, "{text} around {change:?}, which has {expected:?}");
    }
    assert!(schedule.next(change.zone, after) > window.end(), "{text} around {change:?}, which has {expected:?}");
}

/// The same from any point in time, and shifted.
fn check_thoroughly(change: &Change, window: &Window, text: &str) {
    check(change, window, text);
    let schedule = Schedule::parse(text).expect("a schedule");
    let expected = window.moments(text);
    let next = |after: DateTime<Utc>| schedule.next(change.zone, after);
    for minutes in (-150..150).step_by(37) {
        let after = change.at + TimeDelta::minutes(minutes) - TimeDelta::milliseconds(minutes % 3);
        let met = next(after);
        let expected = expected.iter().find(|moment| **moment > after);
        assert_eq!(Some(&met).filter(|met| **met <= window.end()), expected, "{text} after {after} around {change:?}");
    }
    // Shifted, each moment still has exactly one run, before the next one.
    let spread = TimeDelta::minutes(40);
    for part in [1, 800] {
        let phase = Phase(u64::MAX / 1000 * part);
        let mut run = expected.first().map_or(window.end(), |first| *first - TimeDelta::seconds(1));
        while expected.first().is_some_and(|first| run < *first) {
            // Moments before the window may have been shifted into it.
            run = phase.next(&schedule, change.zone, spread, run);
        }
        for moment in &expected {
            let until = next(*moment).min(*moment + spread);
            assert!(*moment <= run && run < until, "{text}: {moment} is run at {run}, around {change:?}");
            run = phase.next(&schedule, change.zone, spread, run);
        }
    }
}

#[test]
fn every_zone_keeps_the_rule_around_every_change_of_its_clock() {
    let all = std::env::var("NETOSYNC_TEST_ZONES").is_ok_and(|zones| zones == "all");
    let mut seen = HashSet::new();
    let mut found: Vec<Change> = TZ_VARIANTS.iter().flat_map(|zone| changes(*zone)).collect();
    assert!(found.len() > 12_000, "{} changes", found.len());
    found.retain(|change| all || seen.insert((change.at, change.before, change.after)));
    let mut kinds = HashSet::new();
    let thoroughly: Vec<_> = found
        .iter()
        .map(|change| {
            all || kinds.insert((change.before, change.after, (change.at.naive_utc() + change.before).time()))
        })
        .collect();
    let work: Vec<_> = found.iter().zip(thoroughly).collect();
    let part = work.len().div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
    std::thread::scope(|scope| {
        for part in work.chunks(part) {
            scope.spawn(move || {
                for (change, thoroughly) in part {
                    let window = Window::around(change);
                    let schedules = schedules(change);
                    let few = if *thoroughly { schedules.len() } else { FEW };
                    for text in &schedules[..few] {
                        if *thoroughly { check_thoroughly(change, &window, text) } else { check(change, &window, text) }
                    }
                }
            });
        }
    });
}

#[test]
fn a_day_that_a_zone_left_out_has_its_run_when_the_next_day_begins() {
    // Samoa had no 30 December 2011: at midnight after the 29th it was the 31st.
    let (apia, friday) = (Tz::Pacific__Apia, Schedule::parse("0 3 * * 5").expect("a schedule"));
    let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
    let met = friday.next(apia, time("2011-12-29T00:00:00Z"));
    assert_eq!(met, time("2011-12-30T10:00:00Z"));
    assert_eq!(friday.next(apia, met), time("2012-01-05T13:00:00Z"));
}

#[test]
fn the_kinds_of_change_there_are_include_the_strange_ones() {
    // So that the proof above cannot become empty unnoticed.
    let mut sizes = BTreeMap::new();
    for zone in ["Pacific/Apia", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Gaza", "Africa/Casablanca"] {
        for change in changes(zone.parse().expect("a zone")) {
            *sizes.entry((change.after - change.before).num_minutes()).or_insert(0) += 1;
        }
    }
    assert_eq!(sizes.keys().copied().collect::<Vec<_>>(), [-120, -60, -30, 30, 60, 120, 1440], "{sizes:?}");
}
