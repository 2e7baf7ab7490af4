//! The mirror's statements on SQLite: many rows a statement, in chunks of few fixed sizes so that each statement is
//! prepared once and found again in the connection's cache.
//!
//! Decimals travel as text into NUMERIC columns; SQLite turns them into integers or doubles where that loses none of
//! 15 significant digits, and hands back the same digits.

use chrono::SecondsFormat;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite};

use super::rows::{Cell, Rows};
use crate::domain::catalogue::{Column, Kind};
use crate::domain::product::Value;

/// Values bound by one statement at the most. Larger statements cost more to prepare than they save (SQLite's own
/// limit is 32,766).
const MAX_BINDS: usize = 4_000;

/// Inserts all rows, as few statements as the chunk sizes allow.
pub async fn insert(tx: &mut SqliteConnection, rows: &Rows<'_>) -> sqlx::Result<()> {
    let width = rows.columns.len();
    let largest = (MAX_BINDS / width).max(1);
    let mut first = 0;
    while first < rows.len() {
        let size = chunk_size(rows.len() - first, largest);
        let chunk = rows.from(first).take(size);
        first += size;
        let group = format!("({})", vec!["?"; width].join(", "));
        let sql = format!("{}VALUES {}{}", rows.insert_head(), vec![group; size].join(", "), rows.insert_tail());
        let cells = chunk.flat_map(|(leading, values)| leading.iter().copied().chain(values.iter().map(Cell::from)));
        cells.fold(sqlx::query(AssertSqlSafe(sql)), bind).execute(&mut *tx).await?;
    }
    Ok(())
}

/// The next chunk: as many rows as fit, or else the largest power of four that is there.
fn chunk_size(rows: usize, largest: usize) -> usize {
    if rows >= largest {
        return largest;
    }
    4_usize.pow(rows.ilog(4))
}

fn bind<'q>(query: Query<'q, Sqlite, SqliteArguments>, cell: Cell<'_>) -> Query<'q, Sqlite, SqliteArguments> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Text(text) => query.bind(text.to_owned()),
        Cell::Int(number) => query.bind(number),
        Cell::Decimal(number) => query.bind(number.to_string()),
        Cell::Bool(truth) => query.bind(truth),
        Cell::Time(time) => query.bind(time.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
        Cell::LocalTime(time) => query.bind(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()),
        Cell::Date(date) => query.bind(date.to_string()),
        Cell::Bytes(bytes) => query.bind(bytes.to_vec()),
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
