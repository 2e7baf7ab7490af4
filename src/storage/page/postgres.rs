//! The mirror's statements on PostgreSQL: a table's rows go as one array a column (`UNNEST`), whatever their number; many rows
//! that are certainly new are copied ([`super::copy`]).
//!
//! Decimals travel as text, so that `0.00` stays `0.00` and no digit passes through a float.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Postgres, Row as _};

use super::copy;
use super::rows::{Cell, CellKind, Conflict, Rows};
use super::session::Session;
use super::statement::{Arg, Sql};
use crate::domain::catalogue::{Column, Kind};
use crate::domain::product::Value;

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// From so many rows on a copy is faster than a prepared statement; it takes three messages there and back instead of one.
const COPY_FROM: usize = 32;

/// Inserts all rows with one statement.
pub async fn insert(tx: &mut Session, rows: &Rows) -> sqlx::Result<()> {
    if tx.copies() && rows.conflict == Conflict::Fail && rows.len() >= COPY_FROM {
        return copy::insert(tx, rows).await;
    }
    let kinds = || rows.columns.iter().map(|(_, kind)| kind).enumerate();
    let arrays: Vec<_> = kinds().map(|(n, kind)| format!("${}::{}[]", n + 1, types(*kind).0)).collect();
    let aliases: Vec<_> = kinds().map(|(n, _)| format!("c{n}")).collect();
    let values: Vec<_> = kinds()
        .map(|(n, kind)| match types(*kind) {
            (wire, column) if wire == column => format!("c{n}"),
            (_, column) => format!("c{n}::{column}"),
        })
        .collect();
    let sql = format!(
        "{}SELECT {} FROM UNNEST({}) AS rows({}){}",
        rows.insert_head("INSERT"),
        values.join(", "),
        arrays.join(", "),
        aliases.join(", "),
        rows.insert_tail()
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    let cells: Vec<Cell<'_>> = rows.cells().collect();
    for (column, (_, kind)) in rows.columns.iter().enumerate() {
        query = bind_column(query, *kind, cells.iter().skip(column).step_by(rows.columns.len()));
    }
    query.execute(&mut **tx).await.map(drop)
}

/// A statement with its values.
pub fn query<'q>(sql: Sql, args: &[Arg<'q>]) -> Statement<'q> {
    let query = match sql {
        Sql::Kept(text) => sqlx::query(text),
        Sql::Once(text) => sqlx::query(AssertSqlSafe(text)).persistent(false),
    };
    args.iter().fold(query, |query, arg| match *arg {
        Arg::Int(number) => query.bind(number),
        Arg::Text(text) => query.bind(text),
        Arg::Bytes(bytes) => query.bind(bytes),
        Arg::Time(time) => query.bind(time),
        Arg::Json(json) => query.bind(Json(json)),
        Arg::Ints(numbers) => query.bind(numbers),
        Arg::Texts(texts) => query.bind(texts),
    })
}

/// Type on the wire and type of the column.
fn types(kind: CellKind) -> (&'static str, &'static str) {
    match kind {
        CellKind::Bytes => ("bytea", "bytea"),
        CellKind::Written => ("text", "json"),
        CellKind::Of(Kind::Text) => ("text", "text"),
        CellKind::Of(Kind::Int) => ("bigint", "bigint"),
        CellKind::Of(Kind::Decimal) => ("text", "numeric"),
        CellKind::Of(Kind::Bool) => ("boolean", "boolean"),
        CellKind::Of(Kind::Time) => ("timestamptz", "timestamptz"),
        CellKind::Of(Kind::LocalTime) => ("timestamp", "timestamp"),
        CellKind::Of(Kind::Date) => ("date", "date"),
        CellKind::Of(Kind::Json) => ("text", "jsonb"),
    }
}

fn bind_column<'q, 'c>(
    query: Statement<'q>,
    kind: CellKind,
    cells: impl Iterator<Item = &'c Cell<'c>>,
) -> Statement<'q> {
    /// The column's cells as the type that `$pattern` holds; a cell of another type cannot occur and would be NULL.
    macro_rules! array {
        ($pattern:pat => $value:expr) => {
            query.bind(cells.map(|cell| if let $pattern = *cell { Some($value) } else { None }).collect::<Vec<_>>())
        };
    }
    match kind {
        CellKind::Bytes => array!(Cell::Bytes(bytes) => bytes),
        CellKind::Written | CellKind::Of(Kind::Text | Kind::Json) => array!(Cell::Text(text) => text),
        CellKind::Of(Kind::Int) => array!(Cell::Int(number) => number),
        CellKind::Of(Kind::Decimal) => array!(Cell::Decimal(number) => number.to_string()),
        CellKind::Of(Kind::Bool) => array!(Cell::Bool(truth) => truth),
        CellKind::Of(Kind::Time) => array!(Cell::Time(time) => time),
        CellKind::Of(Kind::LocalTime) => array!(Cell::LocalTime(time) => time),
        CellKind::Of(Kind::Date) => array!(Cell::Date(date) => date),
    }
}

/// Expression that reads a column in the form [`value`] expects.
pub fn select(column: &Column) -> String {
    match column.kind {
        Kind::Decimal | Kind::Json => format!("\"{}\"::text", column.name),
        _ => format!("\"{}\"", column.name),
    }
}

/// Reads back the value of a column selected by [`select`].
pub fn value(row: &PgRow, index: usize, kind: Kind) -> sqlx::Result<Value<'static>> {
    Ok(match kind {
        Kind::Text => row.try_get::<Option<String>, _>(index)?.map(|text| Value::Text(text.into())),
        Kind::Int => row.try_get::<Option<i64>, _>(index)?.map(Value::Int),
        Kind::Bool => row.try_get::<Option<bool>, _>(index)?.map(Value::Bool),
        Kind::Time => row.try_get::<Option<DateTime<Utc>>, _>(index)?.map(Value::Time),
        Kind::LocalTime => row.try_get::<Option<NaiveDateTime>, _>(index)?.map(Value::LocalTime),
        Kind::Date => row.try_get::<Option<NaiveDate>, _>(index)?.map(Value::Date),
        Kind::Decimal | Kind::Json => {
            row.try_get::<Option<String>, _>(index)?.map(|text| super::from_text(kind, text)).transpose()?
        }
    }
    .unwrap_or(Value::Null))
}
