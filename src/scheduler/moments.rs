//! When a schedule's moments are: the fields of a cron expression, read off the wall clock of a time zone.
//!
//! **The rule.** A moment is met as soon as the zone's clock shows it or a later time. So every wall-clock time has exactly one
//! run: one that the clock leaves out is met at the end of the gap, one that it shows twice is met the first time only, and
//! several that fall together are one. A schedule for all 24 hours is a pace, not a time of day: where an hour comes twice it
//! is met both times, because twice the time passes.
//!
//! croner knows the calendar and is asked about wall-clock times only, as if every day had 24 hours. It is not asked about
//! zones: around a change of the clocks it repeats or leaves out moments. That the rule holds is shown by `zones_tests.rs` in
//! every zone there is.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, SubsecRound, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};

/// No zone is further from UTC, and no clock is set by more.
const DAY: TimeDelta = TimeDelta::days(1);

/// A cron expression of five fields that has moments.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    /// Whether it is a pace: all hours of the day.
    every_hour: bool,
}

impl Schedule {
    /// Reads an expression. An error says what is wrong with it; having no moment at all (30 February) is wrong too.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let cron = CronParser::builder().seconds(Seconds::Disallowed).build().parse(text)?;
        cron.find_next_occurrence(&DateTime::UNIX_EPOCH, true)?;
        let hours = (0..24).map(|hour| cron.pattern.hour_match(hour)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { cron, every_hour: hours.into_iter().all(|met| met) })
    }

    /// The first moment after `after`, in a zone, by the rule of this module.
    #[must_use]
    pub fn next(&self, zone: Tz, after: DateTime<Utc>) -> DateTime<Utc> {
        let mut wall = shown(zone, after);
        let first = loop {
            wall = self.next_wall(wall);
            // Within an hour that comes for the second time, its times were met the first time.
            let met = first_shown(zone, wall);
            if met > after {
                break met;
            }
        };
        self.next_again(zone, after).map_or(first, |again| again.min(first))
    }

    /// For a pace: the first moment after `after` in an hour that comes for the second time, if one is near.
    fn next_again(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let back = SetBack::near(zone, after).filter(|_| self.every_hour)?;
        let just_before = back.shown_from() - TimeDelta::seconds(1);
        let wall = self.next_wall(shown_at(back.offset, after).max(just_before));
        (wall < back.shown_until).then(|| wall.and_utc() - offset(back.offset))
    }

    /// The first time after `wall` that fits the expression, on a clock that is never set.
    fn next_wall(&self, wall: NaiveDateTime) -> NaiveDateTime {
        // croner leaves fractions of a second standing. It ends in the year 5000, and so may we.
        let next = self.cron.find_next_occurrence(&wall.trunc_subsecs(0).and_utc(), false);
        next.unwrap_or(DateTime::<Utc>::MAX_UTC - DAY * 2).naive_utc()
    }
}

/// A clock that is set back.
struct SetBack {
    at: DateTime<Utc>,
    /// The offset from then on.
    offset: FixedOffset,
    /// What it would have shown: until it shows this again, all is shown for the second time.
    shown_until: NaiveDateTime,
}

impl SetBack {
    /// The one within a day of `around`.
    fn near(zone: Tz, around: DateTime<Utc>) -> Option<Self> {
        let offset_at = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let (before, after) = (offset_at(around - DAY), offset_at(around + DAY));
        if before.local_minus_utc() <= after.local_minus_utc() {
            return None;
        }
        let at = first_that(around - DAY, around + DAY, |at| offset_at(at) == after);
        Some(Self { at, offset: after, shown_until: shown_at(before, at) })
    }

    /// What it shows first after it was set.
    fn shown_from(&self) -> NaiveDateTime {
        shown_at(self.offset, self.at)
    }
}

/// What the clock of a zone shows.
fn shown(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// What a clock shows that is that far from UTC.
fn shown_at(offset: FixedOffset, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&offset).naive_local()
}

fn offset(offset: FixedOffset) -> TimeDelta {
    TimeDelta::seconds(offset.local_minus_utc().into())
}

/// When the clock of a zone shows `wall`, or a later time, for the first time.
fn first_shown(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    let near = wall.and_utc();
    zone.from_local_datetime(&wall)
        .earliest()
        .map_or_else(|| first_that(near - DAY, near + DAY, |at| shown(zone, at) >= wall), |at| at.to_utc())
}

/// The first second after `from` of which `holds` is true, given that it is from then on until `to`.
fn first_that(from: DateTime<Utc>, to: DateTime<Utc>, holds: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    let (mut not_yet, mut then) = (from.timestamp(), to.timestamp());
    let at = |second| DateTime::from_timestamp(second, 0).unwrap_or(to);
    while then - not_yet > 1 {
        let middle = not_yet.midpoint(then);
        if holds(at(middle)) { then = middle } else { not_yet = middle }
    }
    at(then)
}
