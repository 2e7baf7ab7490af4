//! One value of the answer to one typed value (spec: Neto API §5, quirks 1, 2, 5, 6 and 7).
//!
//! Strict and total: every text gives a value, "keep it raw", or a reason to put the record into quarantine.

use std::borrow::Cow;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::moment::Moment;
use crate::domain::catalogue::Kind;
use crate::domain::json::{self, Node};
use crate::domain::product::Value;

/// What reading a value gave.
#[derive(Debug, PartialEq)]
pub enum Read<'a> {
    /// A value of the column's type, or [`Value::Null`] for nothing.
    Value(Value<'a>),
    /// A value that is stored, but not with every digit on every database: the raw text is kept beside it.
    Rounded(Value<'a>),
    /// Not a value of the type, but harmless: the column is NULL and the raw text is kept.
    Keep,
    /// Not a value of the type: the record goes to quarantine; the text says what was expected.
    Reject(&'static str),
}

/// Reads a value for a column of `kind`.
pub fn read<'a>(kind: Kind, value: Node<'_, 'a>) -> Read<'a> {
    match value.plain() {
        Some(text) => read_text(kind, Cow::Borrowed(text)),
        None => read_raw(kind, value.raw()),
    }
}

/// [`read`], of the raw JSON text of a value.
fn read_raw(kind: Kind, raw: &str) -> Read<'_> {
    let text = match raw.as_bytes().first() {
        None | Some(b'n') => return Read::Value(Value::Null),
        Some(b'{' | b'[') => {
            return if json::is_nothing(raw) { Read::Value(Value::Null) } else { Read::Keep };
        }
        Some(b'"') => match json::text(raw) {
            Some(text) => text,
            None => return Read::Reject("valid text"),
        },
        Some(_) => Cow::Borrowed(raw),
    };
    read_text(kind, text)
}

/// [`read`], of a string without its quotes, or of a number or a truth value as it is spelled.
fn read_text(kind: Kind, text: Cow<'_, str>) -> Read<'_> {
    if kind == Kind::Text {
        // `""`, `null` and no field at all say the same, and a store may say it differently each time.
        return Read::Value(if text.is_empty() { Value::Null } else { Value::Text(text.into()) });
    }
    let text = match text.as_bytes() {
        [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => &*text,
        _ => text.trim(),
    };
    if text.is_empty() {
        return Read::Value(Value::Null);
    }
    match kind {
        Kind::Text | Kind::Json => Read::Keep,
        Kind::Int => whole(text).map_or(Read::Reject("a whole number"), |number| Read::Value(Value::Int(number))),
        Kind::Decimal => decimal(text).map_or(Read::Reject("a decimal of at most 28 digits"), |number| {
            let value = Value::Decimal(number);
            if has_more_digits(number) { Read::Rounded(value) } else { Read::Value(value) }
        }),
        Kind::Bool => boolean(text).map_or(Read::Keep, |truth| Read::Value(Value::Bool(truth))),
        Kind::Time | Kind::LocalTime | Kind::Date if is_zero_date(text) => Read::Value(Value::Null),
        Kind::Time => Moment::parse(text)
            .and_then(Moment::utc)
            .map_or(Read::Reject("a time (YYYY-MM-DD HH:MM:SS)"), |time| Read::Value(Value::Time(time))),
        Kind::LocalTime => Moment::parse(text)
            .map_or(Read::Reject("a time (YYYY-MM-DD HH:MM:SS)"), |moment| Read::Value(Value::LocalTime(moment.local))),
        Kind::Date => Moment::parse(text)
            .map_or(Read::Reject("a date (YYYY-MM-DD)"), |moment| Read::Value(Value::Date(moment.local.date()))),
    }
}

/// SQLite's NUMERIC affinity keeps this many significant digits exactly (design §7).
const SQLITE_EXACT_DIGITS: u32 = 15;

/// Whether a number has more significant digits than [`SQLITE_EXACT_DIGITS`].
fn has_more_digits(number: Decimal) -> bool {
    let bound = 10_u128.pow(SQLITE_EXACT_DIGITS);
    number.mantissa().unsigned_abs() >= bound && number.normalize().mantissa().unsigned_abs() >= bound
}

/// A decimal as the store writes it: plain, with an exponent, or with thousands separators (`1,234.50`).
fn decimal(text: &str) -> Option<Decimal> {
    if let Some(plain) = plain_decimal(text.as_bytes()) {
        return Some(plain);
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if !text.as_bytes().last()?.is_ascii_digit() && !text.ends_with('.') {
        return None;
    }
    if text.contains(',') {
        return grouped(text).and_then(|plain| Decimal::from_str_exact(&plain).ok());
    }
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    if text.contains('_') {
        return None; // rust_decimal would read Rust's digit separators
    }
    Decimal::from_str_exact(text).ok()
}

/// The spelling nearly all decimals have: at most 18 digits, with a point among them or none. `None` for every other.
fn plain_decimal(text: &[u8]) -> Option<Decimal> {
    let (sign, digits) = text.strip_prefix(b"-").map_or((1, text), |digits| (-1, digits));
    if digits.len() > 18 || !digits.first()?.is_ascii_digit() || !digits.last()?.is_ascii_digit() {
        return None;
    }
    let mut number = 0;
    let mut point = None;
    for (place, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(place),
            _ => return None,
        }
    }
    let scale = point.map_or(0, |place| digits.len() - 1 - place);
    // A negative zero keeps its sign the long way.
    (number != 0 || sign > 0).then(|| Decimal::new(sign * number, u32::try_from(scale).unwrap_or_default()))
}

/// Takes the separators out of `1,234,567.89`; `None` where the commas do not part groups of three.
fn grouped(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.strip_prefix('-').unwrap_or(whole).split(',');
    let first = groups.next()?;
    if !digits(first) || first.len() > 3 || !groups.all(|group| digits(group) && group.len() == 3) {
        return None;
    }
    fraction.is_none_or(digits).then(|| text.replace(',', ""))
}

/// A whole number, also as `5.000`.
fn whole(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number = decimal(text)?;
    if number.is_integer() { number.to_i64() } else { None }
}

fn boolean(text: &str) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "1", "y", "yes", "t"];
    const FALSE: [&str; 5] = ["false", "0", "n", "no", "f"];
    match text {
        "True" | "1" => return Some(true),
        "False" | "0" => return Some(false),
        _ => {} // all other spellings are rare
    }
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if TRUE.iter().any(is) {
        Some(true)
    } else if FALSE.iter().any(is) {
        Some(false)
    } else {
        None
    }
}

/// MySQL's zero date, with or without a time, and a bare `0`.
fn is_zero_date(text: &str) -> bool {
    text.starts_with("0000-00-00") || text == "0"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::json::Tape;

    /// A value as it stands in a record; what is no JSON as it is.
    fn read(kind: Kind, raw: &str) -> Read<'_> {
        match Tape::new(raw) {
            Some(tape) => super::read(kind, tape.root()),
            None => read_raw(kind, raw),
        }
    }

    fn value(kind: Kind, raw: &str) -> String {
        match read(kind, raw) {
            Read::Value(value) => match value {
                Value::Null => "null".into(),
                Value::Text(text) => text.to_string(),
                Value::Int(number) => number.to_string(),
                Value::Decimal(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                Value::Time(time) => time.to_rfc3339(),
                Value::LocalTime(time) => time.to_string(),
                Value::Date(date) => date.to_string(),
            },
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn decimals_keep_every_digit_and_refuse_what_is_not_one() {
        for (raw, expected) in [
            (r#""12.50000000""#, "12.50000000"),
            (r#""0.000121000""#, "0.000121000"),
            ("19.9", "19.9"),
            (r#""1,234.50""#, "1234.50"),
            (r#""-1,234,567""#, "-1234567"),
            (r#"" 7 ""#, "7"),
            ("1.5e2", "150"),
            (r#""""#, "null"),
            ("null", "null"),
            ("[\"\"]", "null"),
        ] {
            assert_eq!(value(Kind::Decimal, raw), expected, "{raw}");
        }
        for raw in [
            r#""abc""#,
            r#""12,50""#,
            r#""1,23,456""#,
            r#""NaN""#,
            r#""1_000""#,
            r#""$5""#,
            r#""--1""#,
            "true",
            r#""5-""#,
        ] {
            assert!(matches!(read(Kind::Decimal, raw), Read::Reject(_)), "{raw}");
        }
    }

    #[test]
    fn a_decimal_that_sqlite_would_round_keeps_its_raw_text() {
        assert!(matches!(read(Kind::Decimal, r#""123456789012345.6""#), Read::Rounded(_)));
        assert!(matches!(read(Kind::Decimal, r#""12345678901234.500""#), Read::Value(_)));
    }

    #[test]
    fn whole_numbers_may_be_written_as_decimals() {
        for (raw, expected) in [
            (r#""5.000""#, "5"),
            (r#""-2""#, "-2"),
            ("31", "31"),
            (r#""1,200""#, "1200"),
            ("1e3", "1000"),
            (r#""""#, "null"),
        ] {
            assert_eq!(value(Kind::Int, raw), expected, "{raw}");
        }
        for raw in [r#""2.5""#, r#""x""#, r#""99999999999999999999""#] {
            assert!(matches!(read(Kind::Int, raw), Read::Reject(_)), "{raw}");
        }
    }

    #[test]
    fn booleans_come_in_many_spellings_and_unknown_ones_are_kept_raw() {
        for raw in [r#""True""#, "true", "1", r#""1""#, r#""y""#, r#""YES""#] {
            assert_eq!(value(Kind::Bool, raw), "true", "{raw}");
        }
        for raw in [r#""False""#, "false", "0", r#""0""#, r#""N""#, r#""no""#] {
            assert_eq!(value(Kind::Bool, raw), "false", "{raw}");
        }
        assert_eq!(value(Kind::Bool, r#""""#), "null");
        assert_eq!(read(Kind::Bool, r#""perhaps""#), Read::Keep);
    }

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        for (raw, expected) in [
            (r#""2026-04-01 10:00:00""#, "2026-04-01T10:00:00+00:00"),
            (r#""2026-04-01T10:00:00""#, "2026-04-01T10:00:00+00:00"),
            (r#""2026-04-01T10:00:00Z""#, "2026-04-01T10:00:00+00:00"),
            (r#""2026-04-01T10:00:00+10:00""#, "2026-04-01T00:00:00+00:00"),
            (r#""2026-04-01 10:00:00.25 -0930""#, "2026-04-01T19:30:00.250+00:00"),
            (r#""2026-04-01 10:00""#, "2026-04-01T10:00:00+00:00"),
            (r#""2026-04-01""#, "2026-04-01T00:00:00+00:00"),
            (r#""0000-00-00 00:00:00""#, "null"),
            (r#""0000-00-00""#, "null"),
            (r#""""#, "null"),
        ] {
            assert_eq!(value(Kind::Time, raw), expected, "{raw}");
        }
        assert_eq!(value(Kind::LocalTime, r#""2026-04-01T10:00:00+10:00""#), "2026-04-01 10:00:00");
        assert_eq!(value(Kind::Date, r#""2026-05-02""#), "2026-05-02");
        for raw in [
            r#""2026-13-01""#,
            r#""2026-04-01X""#,
            r#""yesterday""#,
            r#""2026-04-01 25:00:00""#,
            "17",
            r#""2026/04/01""#,
            r#""2026-04-01 10:00:00+99:00""#,
            r#""é026-04-01""#,
        ] {
            assert!(matches!(read(Kind::Time, raw), Read::Reject(_)), "{raw}");
        }
    }

    #[test]
    fn text_is_kept_as_sent() {
        assert_eq!(value(Kind::Text, r#""  00060004 ""#), "  00060004 ");
        assert_eq!(value(Kind::Text, r#""&amp; &#39;""#), "&amp; &#39;");
        assert_eq!(value(Kind::Text, "42"), "42");
        assert_eq!(value(Kind::Text, r#"" ""#), " ");
        assert_eq!(read(Kind::Text, r#""null""#), Read::Value(Value::Text("null".into())));
        assert_eq!(read(Kind::Text, r#"{"a":1}"#), Read::Keep);
    }

    #[test]
    fn every_spelling_of_no_text_is_the_same() {
        for raw in [r#""""#, "null", "[]", "{}", "[\"\"]"] {
            assert_eq!(read(Kind::Text, raw), Read::Value(Value::Null), "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC*") {
            let raw = serde_json::to_string(&text).unwrap();
            for kind in [Kind::Text, Kind::Int, Kind::Decimal, Kind::Bool, Kind::Time, Kind::LocalTime, Kind::Date, Kind::Json] {
                read(kind, &raw);
                read(kind, &text);
            }
        }
    }
}
