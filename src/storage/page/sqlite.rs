//! The mirror's statements on SQLite: many rows a statement, in chunks of few fixed sizes so that each statement is
//! prepared once and found again in the connection's cache.
//!
//! Decimals travel as text into NUMERIC columns; SQLite turns them into integers or doubles where that loses none of
//! 15 significant digits, and hands back the same digits.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{Datelike, NaiveDateTime, Timelike};
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _, Sqlite};

use super::rows::{Cell, Rows};
use crate::domain::catalogue::{Column, Kind};
use crate::domain::product::Value;

/// Values bound by one statement at the most. Larger statements cost more to prepare than they save (SQLite's own
/// limit is 32,766).
const MAX_BINDS: usize = 4_000;
const NANOS: u32 = 1_000_000_000;

/// Inserts all rows, as few statements as the chunk sizes allow. While the database is at work on one, the next is made.
pub async fn insert(tx: &mut SqliteConnection, rows: &Rows<'_>) -> sqlx::Result<()> {
    let largest = (max_binds() / rows.columns.len()).max(1);
    let mut text = Text::default();
    let mut first = 0;
    let mut next = || {
        let size = chunk_size(rows.len() - first, largest);
        let statement = (size > 0).then(|| statement(rows, first, size, &mut text));
        first += size;
        statement
    };
    let mut ready = next();
    while let Some(statement) = ready {
        let (done, made) = futures::join!(statement.execute(&mut *tx), async { next() });
        done?;
        ready = made;
    }
    Ok(())
}

fn max_binds() -> usize {
    static N: std::sync::LazyLock<usize> =
        std::sync::LazyLock::new(|| std::env::var("XBINDS").ok().and_then(|n| n.parse().ok()).unwrap_or(MAX_BINDS));
    *N
}

/// The next chunk: as many rows as fit, or else the largest power of four that is there.
fn chunk_size(rows: usize, largest: usize) -> usize {
    match rows {
        0 => 0,
        rows if rows >= largest => largest,
        rows => 4_usize.pow(rows.ilog(4)),
    }
}

/// The text of the last statement, which is that of the next one of the same size.
#[derive(Default)]
struct Text {
    size: usize,
    sql: Arc<str>,
}

fn statement<'q>(rows: &Rows<'_>, first: usize, size: usize, text: &mut Text) -> Query<'q, Sqlite, SqliteArguments> {
    let width = rows.columns.len();
    if text.size != size {
        let group = format!("({})", vec!["?"; width].join(", "));
        let sql = format!("{}VALUES {}{}", rows.insert_head(), vec![group; size].join(", "), rows.insert_tail());
        *text = Text { size, sql: sql.into() };
    }
    let mut arguments = SqliteArguments::default();
    arguments.reserve(size * width, 0);
    for (leading, values) in rows.from(first).take(size) {
        for cell in leading.iter().copied().chain(values.iter().map(Cell::from)) {
            add(&mut arguments, cell).expect("the types of cells are the database's own");
        }
    }
    sqlx::query_with(AssertSqlSafe(text.sql.clone()), arguments)
}

fn add(arguments: &mut SqliteArguments, cell: Cell<'_>) -> Result<(), BoxDynError> {
    match cell {
        Cell::Null => arguments.add(None::<i64>),
        Cell::Text(text) => arguments.add(text.to_owned()),
        Cell::Int(number) => arguments.add(number),
        Cell::Decimal(number) => arguments.add(number.to_string()),
        Cell::Bool(truth) => arguments.add(truth),
        Cell::Time(time) => arguments.add(moment(time.naive_utc(), "+00:00")),
        Cell::LocalTime(time) => arguments.add(moment(time, "")),
        Cell::Date(date) => arguments.add(date.to_string()),
        Cell::Bytes(bytes) => arguments.add(bytes.to_vec()),
    }
}

/// `2026-11-21T09:30:00`, with a fraction of 3, 6 or 9 digits where there is one, and what is to follow it.
fn moment(time: NaiveDateTime, zone: &str) -> String {
    let mut text = String::with_capacity(36);
    let (second, nano) = (time.second() + time.nanosecond() / NANOS, time.nanosecond() % NANOS);
    if (0..=9999).contains(&time.year()) {
        // What chrono writes through its formatter, which takes longer than all else that is done to a value here.
        let mut digits = |number: u32, places: u32, behind: char| {
            (0..places).rev().for_each(|place| text.push(char::from(b'0' + (number / 10_u32.pow(place) % 10) as u8)));
            text.push(behind);
        };
        digits(time.year() as u32, 4, '-');
        digits(time.month(), 2, '-');
        digits(time.day(), 2, 'T');
        digits(time.hour(), 2, ':');
        digits(time.minute(), 2, ':');
        digits(second, 2, '.');
        match nano {
            0 => {}
            nano if nano % 1_000_000 == 0 => digits(nano / 1_000_000, 3, '.'),
            nano if nano % 1_000 == 0 => digits(nano / 1_000, 6, '.'),
            nano => digits(nano, 9, '.'),
        }
        text.pop();
    } else {
        write!(text, "{}", time.format("%Y-%m-%dT%H:%M:%S%.f")).expect("a string takes everything");
    }
    text.push_str(zone);
    text
}

/// Expression that reads a column in the form [`value`] expects.
pub fn select(column: &Column) -> String {
    match column.kind {
        Kind::Decimal => format!("CAST(\"{}\" AS TEXT)", column.name),
        _ => format!("\"{}\"", column.name),
    }
}

/// Reads back the value of a column selected by [`select`].
pub fn value(row: &SqliteRow, index: usize, kind: Kind) -> sqlx::Result<Value<'static>> {
    Ok(match kind {
        Kind::Int => row.try_get::<Option<i64>, _>(index)?.map(Value::Int),
        Kind::Bool => row.try_get::<Option<bool>, _>(index)?.map(Value::Bool),
        _ => row.try_get_unchecked::<Option<String>, _>(index)?.map(|text| super::from_text(kind, text)).transpose()?,
    }
    .unwrap_or(Value::Null))
}
