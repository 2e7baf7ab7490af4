//! New rows on PostgreSQL: `COPY` in the binary format, the fastest way in there is.
//!
//! The server takes a value as it stands, so everything is written here the way the server would have read it from text: a
//! decimal keeps its scale (`0.00` stays `0.00`), a time is cut to microseconds.

use chrono::{DateTime, NaiveDateTime};
use rust_decimal::Decimal;
use sqlx::postgres::PgConnection;

use super::rows::{Cell, CellKind, Rows};
use crate::domain::catalogue::Kind;

/// How a copy begins: signature, flags, length of the extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How it ends, in the place of a row's number of columns.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Version of the JSON format, which precedes the text.
const JSONB: u8 = 1;

/// Copies all rows into their table.
pub async fn insert(tx: &mut PgConnection, rows: &Rows) -> sqlx::Result<()> {
    let sql = format!("/* commit_page */ COPY {} FROM STDIN (FORMAT binary)", rows.target());
    let columns = i16::try_from(rows.columns.len()).expect("a table has at most 1,600 columns").to_be_bytes();
    let kinds: Vec<CellKind> = rows.columns.iter().map(|(_, kind)| *kind).collect();
    let mut copy = tx.copy_in_raw(&sql).await?;
    let mut out = HEADER.to_vec();
    for piece in rows.pieces() {
        for (cell, (place, kind)) in piece.zip(kinds.iter().enumerate().cycle()) {
            if place == 0 {
                out.extend_from_slice(&columns);
            }
            write(&mut out, cell, *kind);
        }
        copy.send(out.as_slice()).await?;
        out.clear();
    }
    out.extend_from_slice(&TRAILER);
    copy.send(out.as_slice()).await?;
    copy.finish().await.map(drop)
}

/// Writes one value: its length, then its bytes; NULL is the length -1.
fn write(out: &mut Vec<u8>, cell: Cell<'_>, kind: CellKind) {
    match cell {
        Cell::Null => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Cell::Text(text) if kind == CellKind::Of(Kind::Json) => {
            length(out, text.len() + 1);
            out.push(JSONB);
            out.extend_from_slice(text.as_bytes());
        }
        Cell::Text(text) => sized(out, text.as_bytes()),
        Cell::Bytes(bytes) => sized(out, bytes),
        Cell::Int(number) => sized(out, &number.to_be_bytes()),
        Cell::Numbered(_) => unreachable!("rows give such a cell as the number it is"),
        Cell::Bool(truth) => sized(out, &[u8::from(truth)]),
        Cell::Decimal(number) => numeric(out, number),
        Cell::Time(time) => sized(out, &micros(time.naive_utc()).to_be_bytes()),
        Cell::LocalTime(time) => sized(out, &micros(time).to_be_bytes()),
        Cell::Date(date) => {
            let days = date.signed_duration_since(epoch().date()).num_days();
            sized(out, &i32::try_from(days).expect("a calendar has fewer days").to_be_bytes());
        }
    }
}

fn length(out: &mut Vec<u8>, bytes: usize) {
    let bytes = i32::try_from(bytes).expect("an answer is far smaller than 2 GiB");
    out.extend_from_slice(&bytes.to_be_bytes());
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Where PostgreSQL counts from: 2000-01-01.
fn epoch() -> NaiveDateTime {
    DateTime::from_timestamp(946_684_800, 0).expect("a time").naive_utc()
}

fn micros(time: NaiveDateTime) -> i64 {
    time.signed_duration_since(epoch()).num_microseconds().expect("a calendar has fewer microseconds")
}

/// Digits to the base of 10,000: their number, the power of the first, the sign, the scale, then the digits without zeros at either
/// end.
#[expect(clippy::cast_possible_truncation, reason = "a remainder of 10,000, a scale of at most 28")]
fn numeric(out: &mut Vec<u8>, number: Decimal) {
    /// 96 bits and a scale of up to 28 have no more.
    const MOST: usize = 9;
    let scale = number.scale();
    // The last digit of the fraction is filled up with zeros.
    let fraction = scale.div_ceil(4);
    let lacking = fraction * 4 - scale;
    let mut rest = number.mantissa().unsigned_abs();
    let mut digits = [0_u16; MOST];
    let mut count = 0;
    if lacking > 0 && rest > 0 {
        let short = 10_u128.pow(4 - lacking);
        digits[0] = (rest % short) as u16 * 10_u16.pow(lacking);
        rest /= short;
        count = 1;
    }
    while rest > 0 {
        digits[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let weight = if count == 0 { 0 } else { count as i16 - 1 - fraction as i16 };
    let sign: u16 = if number.is_sign_negative() && count > 0 { 0x4000 } else { 0 };
    let zeros = digits[..count].iter().take_while(|digit| **digit == 0).count();
    let digits = &digits[zeros..count];
    length(out, 8 + 2 * digits.len());
    out.extend_from_slice(&(digits.len() as u16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for digit in digits.iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}
