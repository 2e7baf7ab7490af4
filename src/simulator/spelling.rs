//! How a value is spelled on the wire: as documented, or in one of the many ways of spec §5.
//!
//! Every choice asks [`Spelling::pick`] with a name. Option 0 is always the documented spelling, and a
//! documented answer always gets 0, so that one renderer serves both. The choices depend on nothing but
//! the product's seed and revision and the name: the same product is spelled the same way in every
//! answer until it is edited, whatever selectors were asked.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::field::Holds;
use super::product::STORE_OFFSET_HOURS;
use super::value::SimValue;

/// The choices made for one product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling(Option<u64>);

impl Spelling {
    /// As documented.
    pub(super) const DOCUMENTED: Self = Self(None);

    /// In ways that depend on `seed`.
    pub(super) fn quirky(seed: u64) -> Self {
        Self(Some(seed))
    }

    /// Whether anything but the documented spelling occurs.
    pub(super) fn seed(self) -> Option<u64> {
        self.0
    }

    /// The choices for a part of the product.
    pub(super) fn part(self, name: &str, place: usize) -> Self {
        Self(self.0.map(|seed| xxh3_64_with_seed(name.as_bytes(), seed.wrapping_add(place as u64 + 1))))
    }

    /// One of `options` ways, 0 being the documented one.
    pub(super) fn pick(self, what: &str, options: u64) -> u64 {
        self.0.map_or(0, |seed| xxh3_64_with_seed(what.as_bytes(), seed) % options)
    }

    /// The key under which a field is sent: older spellings and other letter case occur.
    pub(super) fn key(self, name: &'static str) -> std::borrow::Cow<'static, str> {
        match (self.pick("key", 12), name) {
            (1..=6, "PreOrderQuantity") => "PreorderQuantity".into(),
            (1..=6, "SubType") => "Subtype".into(),
            (7, _) => name.to_lowercase().into(),
            (8, _) => name.to_uppercase().into(),
            _ => name.into(),
        }
    }

    /// Writes a value; `false` when the field is not sent at all.
    pub(super) fn write(self, out: &mut Vec<u8>, key: &str, value: &SimValue, holds: Holds) -> bool {
        match value {
            SimValue::None => return self.write_nothing(out, key, holds),
            SimValue::Text(text) => self.write_text(out, text),
            SimValue::Int(number) => match self.pick("int", 4) {
                1 => push(out, &number.to_string()),
                2 => quote(out, &format!("{number}.000")),
                _ => quote(out, &number.to_string()),
            },
            SimValue::Decimal(digits) => match self.pick("decimal", 5) {
                // Raw digits: the text never becomes a float on its way.
                1 => push(out, digits),
                2 => quote(out, &format!("{digits}0000")),
                3 | 4 => quote(out, &with_separators(digits)),
                _ => quote(out, digits),
            },
            SimValue::Bool(truth) => {
                let ways: [&str; 9] = if *truth {
                    ["\"True\"", "\"true\"", "\"1\"", "\"y\"", "true", "1", "\"TRUE\"", "\"Yes\"", "\"Y\""]
                } else {
                    ["\"False\"", "\"false\"", "\"0\"", "\"n\"", "false", "0", "\"FALSE\"", "\"No\"", "\"N\""]
                };
                let way = usize::try_from(self.pick("bool", 9)).expect("below 9");
                push(out, ways[way]);
            }
            SimValue::Time(at) => quote(out, &self.time(*at)),
            SimValue::LocalTime(at) => quote(out, &self.local_time(*at)),
            SimValue::Date(date) => quote(out, &date.to_string()),
        }
        true
    }

    fn write_nothing(self, out: &mut Vec<u8>, key: &str, holds: Holds) -> bool {
        let zero = match holds {
            Holds::Time | Holds::LocalTime => "\"0000-00-00 00:00:00\"",
            Holds::Date => "\"0000-00-00\"",
            Holds::Text if key == "ParentSKU" && self.pick("parent", 2) == 1 => "\"0\"",
            Holds::Text | Holds::Int | Holds::Decimal | Holds::Bool => "\"\"",
        };
        match self.pick("nothing", 4) {
            1 => push(out, "\"\""),
            2 => push(out, "null"),
            3 => return false,
            _ => push(out, zero),
        }
        true
    }

    fn write_text(self, out: &mut Vec<u8>, text: &str) {
        if self.pick("text", 6) == 1 {
            out.push(b'"');
            for unit in text.encode_utf16() {
                match u8::try_from(unit) {
                    Ok(b'/') => push(out, "\\/"),
                    Ok(byte @ (b' '..=b'~')) if byte != b'"' && byte != b'\\' => out.push(byte),
                    _ => push(out, &format!("\\u{unit:04x}")),
                }
            }
            out.push(b'"');
        } else {
            quote(out, text);
        }
    }

    fn time(self, at: DateTime<Utc>) -> String {
        match self.pick("time", 6) {
            1 => at.format("%Y-%m-%dT%H:%M:%S").to_string(),
            2 => at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            3 => {
                let local = at.naive_utc() + Duration::hours(i64::from(STORE_OFFSET_HOURS));
                format!("{}+{STORE_OFFSET_HOURS:02}:00", local.format("%Y-%m-%dT%H:%M:%S"))
            }
            4 => at.format("%Y-%m-%d %H:%M:%S.000").to_string(),
            _ => wire_time(at),
        }
    }

    fn local_time(self, at: NaiveDateTime) -> String {
        let format = if self.pick("local", 3) == 1 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        at.format(format).to_string()
    }
}

/// A time as documented.
pub(super) fn wire_time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Appends raw text.
pub(super) fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a JSON string.
pub(super) fn quote(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("text can always be written to memory");
}

/// `1234.50` as `1,234.50`.
fn with_separators(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut text = sign.to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn spellings(value: &SimValue, holds: Holds) -> BTreeSet<String> {
        (0..500)
            .map(|seed| {
                let mut out = Vec::new();
                let sent = Spelling::quirky(seed).write(&mut out, "Any", value, holds);
                if sent { String::from_utf8(out).unwrap() } else { "absent".into() }
            })
            .collect()
    }

    fn set(ways: &[&str]) -> BTreeSet<String> {
        ways.iter().map(|way| (*way).to_owned()).collect()
    }

    #[test]
    fn numbers_are_spelled_in_every_way_of_the_specification() {
        let price = SimValue::Decimal("1234.50".into());
        let ways = ["\"1234.50\"", "1234.50", "\"1234.500000\"", "\"1,234.50\""];
        assert_eq!(spellings(&price, Holds::Decimal), set(&ways));
        assert_eq!(spellings(&SimValue::Int(-5), Holds::Int), set(&["\"-5\"", "-5", "\"-5.000\""]));
    }

    #[test]
    fn nothing_is_spelled_in_every_way_of_the_specification() {
        let ways = ["\"0000-00-00 00:00:00\"", "\"\"", "null", "absent"];
        assert_eq!(spellings(&SimValue::None, Holds::Time), set(&ways));
        assert_eq!(spellings(&SimValue::None, Holds::Int), set(&["\"\"", "null", "absent"]));
    }

    #[test]
    fn a_time_is_the_same_instant_in_every_spelling() {
        let at: DateTime<Utc> = "2026-04-01T20:00:00Z".parse().unwrap();
        let ways = [
            "\"2026-04-01 20:00:00\"",
            "\"2026-04-01T20:00:00\"",
            "\"2026-04-01T20:00:00Z\"",
            "\"2026-04-02T06:00:00+10:00\"",
            "\"2026-04-01 20:00:00.000\"",
        ];
        assert_eq!(spellings(&SimValue::Time(at), Holds::Time), set(&ways));
    }

    #[test]
    fn escaped_text_is_the_same_text() {
        let text = "naïve \"quote\" \\ / 🍳 \r\n\t 銀";
        let ways = spellings(&SimValue::text(text), Holds::Text);
        assert_eq!(ways.len(), 2, "raw and escaped");
        assert!(ways.iter().all(|way| serde_json::from_str::<String>(way).unwrap() == text));
    }

    #[test]
    fn separators_stand_before_every_third_digit() {
        for (plain, spelled) in [("12.50", "12.50"), ("-1234", "-1,234"), ("1234567.0001", "1,234,567.0001")] {
            assert_eq!(with_separators(plain), spelled);
        }
    }
}
