//! How far a stream has been read: the values of its cursor field.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::CursorFormat;

/// A value of a stream's cursor, in an order. Marks of one stream are all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A time.
    Time(DateTime<Utc>),
    /// A number that only grows.
    Number(i64),
}

impl CursorFormat {
    /// Reads a record's value; `None` when it is not of this format.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Mark> {
        let text = text.trim();
        let time = match self {
            Self::Rfc3339 => DateTime::parse_from_rfc3339(text).ok()?.to_utc(),
            Self::Date => text.parse::<NaiveDate>().ok()?.and_time(chrono::NaiveTime::MIN).and_utc(),
            Self::Unix => DateTime::from_timestamp(whole_part(text)?, 0)?,
            Self::UnixMs => DateTime::from_timestamp_millis(whole_part(text)?)?,
            Self::Number => return text.parse().ok().map(Mark::Number),
            Self::Pattern(pattern) => read_pattern(pattern, text)?,
        };
        Some(Mark::Time(time))
    }

    /// Writes a mark as the API's parameter wants it, rounded down where the format is coarse.
    #[must_use]
    pub fn write(&self, mark: Mark) -> String {
        let time = match mark {
            Mark::Number(number) => return number.to_string(),
            Mark::Time(time) => time,
        };
        match self {
            Self::Rfc3339 => time.to_rfc3339_opts(SecondsFormat::Secs, true),
            Self::Date => time.format("%Y-%m-%d").to_string(),
            Self::Unix | Self::Number => time.timestamp().to_string(),
            Self::UnixMs => time.timestamp_millis().to_string(),
            Self::Pattern(pattern) => time.format(pattern).to_string(),
        }
    }

    /// Whether the parameter is a number in a JSON body.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Unix | Self::UnixMs | Self::Number)
    }
}

/// The digits before the decimal point.
fn whole_part(text: &str) -> Option<i64> {
    text.split('.').next()?.parse().ok()
}

/// A time by its pattern: with a zone, without one (UTC), or a day.
pub(super) fn read_pattern(pattern: &str, text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_str(text, pattern).ok().map(|time| time.to_utc());
    let plain = || NaiveDateTime::parse_from_str(text, pattern).ok().map(|time| time.and_utc());
    let day =
        || NaiveDate::parse_from_str(text, pattern).ok().map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    zoned.or_else(plain).or_else(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_in_any_format_and_written_back_rounded_down() {
        let cases = [
            (CursorFormat::Rfc3339, "2026-03-30T17:12:09.9+02:00", "2026-03-30T15:12:09Z"),
            (CursorFormat::Date, "2026-03-30", "2026-03-30"),
            (CursorFormat::Unix, "1774883529.75", "1774883529"),
            (CursorFormat::UnixMs, "1774883529123", "1774883529123"),
            (CursorFormat::Number, "42", "42"),
            (CursorFormat::Pattern("%d/%m/%Y %H:%M".to_owned()), "30/03/2026 15:12", "30/03/2026 15:12"),
            (
                CursorFormat::Pattern("%Y-%m-%d %H:%M:%S %z".to_owned()),
                "2026-03-30 17:12:09 +0200",
                "2026-03-30 15:12:09 +0000",
            ),
        ];
        for (format, text, again) in cases {
            let mark = format.read(text).unwrap_or_else(|| panic!("{format:?} reads {text}"));
            assert_eq!(format.write(mark), again, "{format:?}");
            assert_eq!(format.read("no time"), None, "{format:?}");
        }
    }

    #[test]
    fn marks_are_compared_as_times_and_not_as_texts() {
        let read = |text| CursorFormat::Rfc3339.read(text).expect("a time");
        assert!(read("2026-03-30T17:00:00+02:00") < read("2026-03-30T16:00:00Z"));
    }
}
