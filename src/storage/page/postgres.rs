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
    let mut columns: Vec<_> = kinds().map(|(_, kind)| Array::new(*kind, rows.len())).collect();
    for (cell, column) in rows.cells().zip((0..columns.len()).cycle()) {
        columns[column].push(cell);
    }
    let query = columns.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, column| column.bind(query));
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

/// The cells of one column.
enum Array<'c> {
    Bytes(Vec<Option<&'c [u8]>>),
    Text(Vec<Option<&'c str>>),
    Int(Vec<Option<i64>>),
    Decimal(Vec<Option<String>>),
    Bool(Vec<Option<bool>>),
    Time(Vec<Option<DateTime<Utc>>>),
    LocalTime(Vec<Option<NaiveDateTime>>),
    Date(Vec<Option<NaiveDate>>),
}

impl<'c> Array<'c> {
    /// None yet, with room for so many.
    fn new(kind: CellKind, rows: usize) -> Self {
        match kind {
            CellKind::Bytes => Self::Bytes(Vec::with_capacity(rows)),
            CellKind::Written | CellKind::Of(Kind::Text | Kind::Json) => Self::Text(Vec::with_capacity(rows)),
            CellKind::Of(Kind::Int) => Self::Int(Vec::with_capacity(rows)),
            CellKind::Of(Kind::Decimal) => Self::Decimal(Vec::with_capacity(rows)),
            CellKind::Of(Kind::Bool) => Self::Bool(Vec::with_capacity(rows)),
            CellKind::Of(Kind::Time) => Self::Time(Vec::with_capacity(rows)),
            CellKind::Of(Kind::LocalTime) => Self::LocalTime(Vec::with_capacity(rows)),
            CellKind::Of(Kind::Date) => Self::Date(Vec::with_capacity(rows)),
        }
    }

    /// Adds a cell; one of another kind cannot occur and would be NULL.
    fn push(&mut self, cell: Cell<'c>) {
        /// The cell, if it is one that `$pattern` holds.
        macro_rules! one {
            ($pattern:pat => $value:expr) => {
                if let $pattern = cell { Some($value) } else { None }
            };
        }
        match self {
            Self::Bytes(array) => array.push(one!(Cell::Bytes(bytes) => bytes)),
            Self::Text(array) => array.push(one!(Cell::Text(text) => text)),
            Self::Int(array) => array.push(one!(Cell::Int(number) => number)),
            Self::Decimal(array) => array.push(one!(Cell::Decimal(number) => number.to_string())),
            Self::Bool(array) => array.push(one!(Cell::Bool(truth) => truth)),
            Self::Time(array) => array.push(one!(Cell::Time(time) => time)),
            Self::LocalTime(array) => array.push(one!(Cell::LocalTime(time) => time)),
            Self::Date(array) => array.push(one!(Cell::Date(date) => date)),
        }
    }

    fn bind(self, query: Statement<'_>) -> Statement<'_> {
        match self {
            Self::Bytes(array) => query.bind(array),
            Self::Text(array) => query.bind(array),
            Self::Int(array) => query.bind(array),
            Self::Decimal(array) => query.bind(array),
            Self::Bool(array) => query.bind(array),
            Self::Time(array) => query.bind(array),
            Self::LocalTime(array) => query.bind(array),
            Self::Date(array) => query.bind(array),
        }
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
