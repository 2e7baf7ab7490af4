//! The mirror's statements on SQLite: many rows a statement, in chunks of few fixed sizes so that each statement is
//! prepared once and found again in the connection's cache.
//!
//! Decimals travel as text into NUMERIC columns; SQLite turns them into integers or doubles where that loses none of
//! 15 significant digits, and hands back the same digits.

use std::sync::Arc;

use chrono::NaiveDateTime;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _, Sqlite};

use super::rows::{Cell, Rows};
use crate::domain::catalogue::{Column, Kind};
use crate::domain::product::Value;
use crate::domain::spelling;

/// Values bound by one statement at the most (SQLite's own limit is 32,766). From here on a larger statement only takes more
/// memory, and each connection keeps a hundred of them.
const MAX_BINDS: usize = 1_000;

/// Inserts all rows, as few statements as the chunk sizes allow. While the database is at work on one, the next is made.
pub async fn insert(tx: &mut SqliteConnection, rows: &Rows<'_>) -> sqlx::Result<()> {
    let largest = (MAX_BINDS / rows.columns.len()).max(1);
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
        let sql = format!(
            "{}VALUES {}{}",
            rows.insert_head("INSERT OR FAIL"),
            vec![group; size].join(", "),
            rows.insert_tail()
        );
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
        // Shared text is passed on without another copy.
        Cell::Text(text) => arguments.add(Arc::<str>::from(text)),
        Cell::Int(number) => arguments.add(number),
        Cell::Decimal(number) => arguments.add(number.to_string()),
        Cell::Bool(truth) => arguments.add(truth),
        Cell::Time(time) => arguments.add(spelled(time.naive_utc(), "+00:00")),
        Cell::LocalTime(time) => arguments.add(spelled(time, "")),
        Cell::Date(date) => arguments.add(date.to_string()),
        Cell::Bytes(bytes) => arguments.add(bytes.to_vec()),
    }
}

/// A time and what is to follow it.
fn spelled(time: NaiveDateTime, zone: &str) -> String {
    match spelling::time(time) {
        Some(text) => [spelling::ascii(&text), zone].concat(),
        None => format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.f")),
    }
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
