//! The column types of the schema, the same words for both engines.
//!
//! A migration is never edited once released, so nothing in here may change its meaning: add, do not alter.

use sea_orm_migration::prelude::*;

/// Makes a column of one type.
pub type Make = fn(&'static str) -> ColumnDef;

/// Text.
pub fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().take()
}

/// A whole number of 64 bits.
pub fn bigint(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().take()
}

/// The key the database numbers by itself; numbers are not given twice.
pub fn id() -> ColumnDef {
    ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().take()
}

/// A count: a whole number that starts at 0.
pub fn count(name: &'static str) -> ColumnDef {
    bigint(name).not_null().default(0).take()
}

/// An exact decimal: unconstrained `numeric` on PostgreSQL, NUMERIC affinity on SQLite (exact to 15 digits).
///
/// The library's own decimal type would be REAL on SQLite, hence the plain word.
pub fn numeric(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).custom("numeric").take()
}

/// A truth value.
pub fn boolean(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().take()
}

/// An instant in UTC; RFC 3339 text on SQLite.
pub fn utc_time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().take()
}

/// A wall-clock time in the store's zone; text on SQLite.
pub fn local_time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).date_time().take()
}

/// A calendar date; text on SQLite.
pub fn date(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).date().take()
}

/// A JSON document; text on SQLite.
pub fn json(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json_binary().take()
}

/// Bytes.
pub fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().take()
}

/// A condition: `column` is NULL or one of `values`.
pub fn one_of(column: &'static str, values: &[&'static str]) -> Expr {
    Expr::col(column).is_in(values.iter().copied())
}

/// `table` belongs to a store and goes with it.
pub fn to_store(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_store"))
        .from(table, "store_id")
        .to("stores", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}
