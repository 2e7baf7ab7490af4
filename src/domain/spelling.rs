//! How decimals, dates and times are spelled, in the forms that nearly all of them have; the libraries' own way, which costs ten times as
//! much, is for the rest.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use rust_decimal::Decimal;

/// A decimal without the zeros at its end: [`Decimal::normalize`].
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the mantissa is taken apart again")]
pub fn normalized(number: Decimal) -> Decimal {
    let parts = number.unpack();
    let mut mantissa = u64::from(parts.mid) << 32 | u64::from(parts.lo);
    if parts.hi != 0 || mantissa == 0 {
        return number.normalize();
    }
    let mut scale = parts.scale;
    while scale > 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::from_parts(mantissa as u32, (mantissa >> 32) as u32, 0, parts.negative, scale)
}

/// Writes a decimal without the zeros at its end.
pub fn decimal(number: Decimal, out: &mut String) {
    let number = normalized(number);
    let parts = number.unpack();
    if parts.hi != 0 {
        write!(out, "{number}").expect("a String takes every write");
        return;
    }
    let mut mantissa = u64::from(parts.mid) << 32 | u64::from(parts.lo);
    // 20 digits, or the 28 behind a point and one before it.
    let mut text = [b'0'; 32];
    let mut at = text.len();
    let mut behind = parts.scale;
    loop {
        at -= 1;
        text[at] += (mantissa % 10) as u8;
        mantissa /= 10;
        match behind {
            0 if mantissa == 0 => break,
            1 => {
                at -= 1;
                text[at] = b'.';
                behind = 0;
            }
            0 => {}
            _ => behind -= 1,
        }
    }
    if parts.negative {
        at -= 1;
        text[at] = b'-';
    }
    out.push_str(ascii(&text[at..]));
}

/// `YYYY-MM-DD`, of dates in the years that have four digits.
#[must_use]
pub fn date(date: NaiveDate) -> Option<[u8; 10]> {
    let year = u32::try_from(date.year()).ok().filter(|year| *year < 10_000)?;
    let mut text = *b"0000-00-00";
    put(&mut text[0..2], year / 100);
    put(&mut text[2..4], year % 100);
    put(&mut text[5..7], date.month());
    put(&mut text[8..10], date.day());
    Some(text)
}

/// `YYYY-MM-DDTHH:MM:SS`, of whole seconds in the years that have four digits.
#[must_use]
pub fn time(time: NaiveDateTime) -> Option<[u8; 19]> {
    if time.nanosecond() != 0 {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00";
    text[..10].copy_from_slice(&date(time.date())?);
    put(&mut text[11..13], time.hour());
    put(&mut text[14..16], time.minute());
    put(&mut text[17..19], time.second());
    Some(text)
}

/// `YYYY-MM-DDTHH:MM:SS` with as many digits of the second as it takes (none, 3, 6 or 9), and what is to follow it.
#[must_use]
pub fn moment(moment: NaiveDateTime, zone: &str) -> String {
    let nanos = moment.nanosecond();
    let Some(whole) = moment.with_nanosecond(0).filter(|_| nanos < 1_000_000_000).and_then(time) else {
        return format!("{}{zone}", moment.format("%Y-%m-%dT%H:%M:%S%.f"));
    };
    let mut text = String::with_capacity(whole.len() + 10 + zone.len());
    text.push_str(ascii(&whole));
    let fraction = match nanos {
        0 => Ok(()),
        _ if nanos.is_multiple_of(1_000_000) => write!(text, ".{:03}", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1_000) => write!(text, ".{:06}", nanos / 1_000),
        _ => write!(text, ".{nanos:09}"),
    };
    fraction.expect("a String takes every write");
    text.push_str(zone);
    text
}

/// What this room has spelled, as text.
#[must_use]
pub fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("digits and signs")
}

/// Writes a number below 100 as two digits.
fn put(text: &mut [u8], number: u32) {
    const DIGITS: &[u8; 10] = b"0123456789";
    text[0] = DIGITS[(number / 10) as usize];
    text[1] = DIGITS[(number % 10) as usize];
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(number: Decimal) -> String {
        let mut out = String::new();
        decimal(number, &mut out);
        out
    }

    fn is_alike(number: Decimal) {
        assert_eq!(normalized(number).serialize(), number.normalize().serialize(), "{number:?}");
        assert_eq!(spelled(number), number.normalize().to_string());
    }

    #[test]
    fn decimals_at_the_edges_are_spelled_as_the_library_does() {
        for text in [
            "0",
            "-0",
            "0.00",
            "-0.00",
            "5",
            "0.05",
            "-0.05",
            "10",
            "100.00",
            "1.10",
            "18446744073709551615",
            "18446744073709551616",
            "1844674407370955161.0",
            "0.0000000000000000000000000001",
            "-79228162514264337593543950335",
            "0.1844674407370955161500000000",
        ] {
            is_alike(text.parse().expect("a decimal"));
        }
    }

    #[test]
    fn years_of_other_lengths_and_fractions_are_left_to_the_library() {
        let day = |year| NaiveDate::from_ymd_opt(year, 2, 3).expect("a date");
        assert_eq!(date(day(7)).as_ref().map(|text| ascii(text)), Some("0007-02-03"));
        assert_eq!((date(day(10_000)), date(day(-1))), (None, None));
        assert_eq!(time(day(2026).and_hms_milli_opt(1, 2, 3, 4).expect("a time")), None);
        assert_eq!(time(day(2026).and_hms_milli_opt(23, 59, 59, 1000).expect("a leap second")), None);
    }

    proptest! {
        #[test]
        fn any_decimal_is_spelled_as_the_library_does(mantissa in any::<i64>(), wide in any::<bool>(), zeros in 0..9_u32, scale in 0..29_u32) {
            let wide = i128::from(mantissa) * if wide { 1 << 31 } else { 1 };
            is_alike(Decimal::from_i128_with_scale(wide, scale));
            is_alike(Decimal::from_i128_with_scale(i128::from(mantissa % 1000) * 10_i128.pow(zeros), scale));
        }

        #[test]
        fn any_moment_is_spelled_as_the_library_does(seconds in -62_167_219_200..253_402_300_800_i64, nanos in 0..1_000_000_000_u32, cut in 0..4_u32) {
            let nanos = nanos - nanos % 1000_u32.pow(cut);
            let at = chrono::DateTime::from_timestamp(seconds, nanos).expect("in the calendar").naive_utc();
            prop_assert_eq!(moment(at, "Z"), at.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string());
        }

        #[test]
        fn any_time_is_spelled_as_the_library_does(seconds in -62_167_219_200..253_402_300_800_i64) {
            let moment = chrono::DateTime::from_timestamp(seconds, 0).expect("in the calendar").naive_utc();
            let text = time(moment).expect("four digits");
            prop_assert_eq!(ascii(&text), moment.format("%Y-%m-%dT%H:%M:%S%.f").to_string());
            prop_assert_eq!(ascii(&text[..10]), moment.date().to_string());
        }
    }
}
