//! What people read: tables, lists of facts, times and ages. Texts that come from a store lose their control codes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Table, presets};

/// A table without lines, one row a line: easy to read, easy to `grep`.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| one_line(&cell)));
    }
    // Each line begins with the padding of its first cell.
    table.trim_fmt().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Facts under each other, names aligned; empty ones are left out.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let told = facts.iter().filter(|(_, fact)| !fact.is_empty());
    told.map(|(name, fact)| format!("{name:width$}  {}", one_line(fact))).collect::<Vec<_>>().join("\n")
}

/// A time, in UTC.
pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time that may be absent; then nothing.
pub fn time_if(at: Option<DateTime<Utc>>) -> String {
    at.map(time).unwrap_or_default()
}

/// How long ago `at` was, in the largest unit that says enough.
pub fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let age = (now - at).max(TimeDelta::zero());
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (0, 0, 0) => format!("{} s", age.num_seconds()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, _) => format!("{hours} h"),
        (days, ..) => format!("{days} d"),
    }
}

/// A number as people read it: 12,431.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

/// How long something takes: 27 s, 4 min, 1 h 20 min. Never nothing.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    // Up, so that nobody waits longer than was said.
    match (seconds, seconds.div_ceil(60)) {
        (..=90, _) => format!("{} s", seconds.max(1)),
        (_, minutes @ ..=90) => format!("{minutes} min"),
        (_, minutes) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// `text` on one line, without anything a terminal would act on.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` as it is, lines and tabs included, without anything else a terminal would act on.
pub fn lines(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let ages = [0, 59, 60, 3599, 3600, 86_399, 86_400, 864_000, -5];
        let told = ages.map(|seconds| age(now - TimeDelta::seconds(seconds), now));
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "10 d", "0 s"]);
    }

    #[test]
    fn numbers_and_spans_are_short_to_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        let told = [0, 1, 90, 91, 120, 5400, 5401, 86_400].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(told, ["1 s", "1 s", "90 s", "2 min", "2 min", "90 min", "1 h 31 min", "24 h 0 min"]);
        assert_eq!(span(Duration::from_millis(1001)), "2 s");
    }

    #[test]
    fn a_store_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\nc\u{9b}"), "a [31mb c ");
        assert_eq!(lines("a\u{1b}[2Jb\n\tc"), "a\u{fffd}[2Jb\n\tc");
    }

    #[test]
    fn a_table_has_a_line_a_row_and_no_padding_around() {
        let text = table(["STORE", "STATE"], [["main".into(), "ok".into()], ["second".into(), "two\nlines".into()]]);
        assert_eq!(text, "STORE   STATE\nmain    ok\nsecond  two lines");
    }
}
