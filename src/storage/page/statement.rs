//! A statement with its values, and the rows that come of it, alike on both databases.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::{postgres, sqlite};
use crate::domain::catalogue::Kind;
use crate::domain::product::Value;

/// A value of a statement, for its `$1` and so on.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    Int(i64),
    Text(&'a str),
    Bytes(Option<&'a [u8]>),
    Time(DateTime<Utc>),
    Json(&'a RawValue),
    /// A list, which is an array on PostgreSQL and JSON on SQLite.
    Ints(&'a [i64]),
    /// As [`Arg::Ints`].
    Texts(&'a [&'a str]),
}

/// What a statement says.
#[derive(Clone, Debug)]
pub enum Sql {
    /// Always the same: made ready once for each connection.
    Kept(&'static str),
    /// Planned anew each time: a plan that was made while the tables were empty would read them from end to end, ever longer in a
    /// first load.
    Once(String),
}

impl Sql {
    /// The text.
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::Kept(text) => text.into(),
            Self::Once(text) => text.into(),
        }
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::Kept(text)
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self::Once(text)
    }
}

/// A row.
#[derive(Debug)]
pub enum Found {
    Postgres(PgRow),
    Sqlite(Vec<rusqlite::types::Value>),
}

impl Found {
    /// A whole number.
    pub fn int(&self, column: usize) -> sqlx::Result<i64> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => sqlite::int(&row[column]),
        }
    }

    /// A whole number, or NULL.
    pub fn int_or_null(&self, column: usize) -> sqlx::Result<Option<i64>> {
        match self.value(column, Kind::Int)? {
            Value::Int(number) => Ok(Some(number)),
            _ => Ok(None),
        }
    }

    /// A time of a column that has no NULL.
    pub fn time(&self, column: usize) -> sqlx::Result<DateTime<Utc>> {
        match self.value(column, Kind::Time)? {
            Value::Time(time) => Ok(time),
            other => Err(sqlx::Error::Decode(format!("{other:?} is no time").into())),
        }
    }

    /// A truth value.
    pub fn truth(&self, column: usize) -> sqlx::Result<bool> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => Ok(sqlite::int(&row[column])? != 0),
        }
    }

    /// Text, or NULL.
    pub fn text(&self, column: usize) -> sqlx::Result<Option<String>> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => sqlite::text(&row[column]),
        }
    }

    /// Text of a column that has no NULL.
    pub fn some_text(&self, column: usize) -> sqlx::Result<String> {
        self.text(column)?.ok_or_else(|| sqlx::Error::Decode(format!("column {column} is NULL").into()))
    }

    /// Bytes; none where there is NULL.
    pub fn bytes(&self, column: usize) -> sqlx::Result<Vec<u8>> {
        match self {
            Self::Postgres(row) => row.try_get::<Option<Vec<u8>>, _>(column).map(Option::unwrap_or_default),
            Self::Sqlite(row) => Ok(sqlite::bytes(&row[column])),
        }
    }

    /// A value of the catalogue, from a column that was selected by [`postgres::select`] or [`sqlite::select`].
    pub fn value(&self, column: usize, kind: Kind) -> sqlx::Result<Value<'static>> {
        match self {
            Self::Postgres(row) => postgres::value(row, column, kind),
            Self::Sqlite(row) => sqlite::value(&row[column], kind),
        }
    }
}
