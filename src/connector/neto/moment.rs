//! Dates and times as a store writes them (spec: Neto API §5).

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, Utc};

/// A date and time as written, with the offset if one was written.
pub struct Moment {
    /// As written.
    pub local: NaiveDateTime,
    offset: Option<TimeDelta>,
}

impl Moment {
    /// `YYYY-MM-DD`, then optionally a space or `T`, `HH:MM[:SS[.fraction]]` and `Z` or `±HH[:]MM`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(local) = plain_time(text.as_bytes()) {
            return Some(Self { local, offset: None });
        }
        let number = |range: std::ops::Range<usize>| -> Option<u32> {
            let part = text.get(range)?;
            if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None }
        };
        let date = NaiveDate::from_ymd_opt(number(0..4)?.cast_signed(), number(5..7)?, number(8..10)?)?;
        if text.get(4..5)? != "-" || text.get(7..8)? != "-" {
            return None;
        }
        let rest = match text.get(10..11) {
            None => return Some(Self { local: date.and_time(NaiveTime::MIN), offset: None }),
            Some(" " | "T" | "t") => &text[11..],
            Some(_) => return None,
        };
        let zone = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
        let (clock, zone) = rest.split_at(zone);
        let clock = clock.trim_end();
        let time = NaiveTime::parse_from_str(clock, "%H:%M:%S%.f")
            .or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"))
            .ok()?;
        Some(Self { local: date.and_time(time.trunc_subsecs(6)), offset: offset(zone)? })
    }

    /// The instant; without an offset the value is UTC. `None` outside the calendar.
    pub fn utc(self) -> Option<DateTime<Utc>> {
        let local = match self.offset {
            Some(offset) => self.local.checked_sub_signed(offset)?,
            None => self.local,
        };
        Some(local.and_utc())
    }
}

/// `YYYY-MM-DD HH:MM:SS`, as all times of the platform are written. `None` for every other spelling, and for a time that there is not.
fn plain_time(text: &[u8]) -> Option<NaiveDateTime> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', i1, i2, b':', s1, s2] = *text else {
        return None;
    };
    let pair = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    let year = pair(y1, y2)? * 100 + pair(y3, y4)?;
    let date = NaiveDate::from_ymd_opt(year.cast_signed(), pair(m1, m2)?, pair(d1, d2)?)?;
    date.and_hms_opt(pair(h1, h2)?, pair(i1, i2)?, pair(s1, s2)?)
}

/// `""`, `Z`, `+10:00`, `-0930`, `+10`; the outer `None` is a zone that cannot be read.
#[expect(clippy::option_option, reason = "unreadable and absent are different answers")]
fn offset(zone: &str) -> Option<Option<TimeDelta>> {
    let sign = match zone.as_bytes().first() {
        None => return Some(None),
        Some(b'Z' | b'z') => return (zone.len() == 1).then_some(Some(TimeDelta::zero())),
        Some(b'+') => 1,
        Some(_) => -1,
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = if digits.len() == 4 { digits[2..].parse().ok()? } else { 0 };
    (hours <= 14 && minutes < 60).then(|| Some(TimeDelta::minutes(sign * (hours * 60 + minutes))))
}
