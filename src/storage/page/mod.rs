//! What everything that is written page by page shares: the transaction, and rows on their way into a table.
//!
//! [`super::products`] and [`super::records`] say what is written; nobody else writes mirrored rows.

mod copy;
mod pack;
pub(super) mod postgres;
mod rows;
mod session;
pub(super) mod sqlite;
mod statement;
mod transaction;

use std::borrow::Cow;

use chrono::DateTime;

pub(super) use self::rows::{Cell, Rows};
pub(super) use self::statement::{Arg, Found};
pub(super) use self::transaction::Transaction;
use crate::domain::catalogue::Kind;
use crate::domain::json::canonical;
use crate::domain::product::Value;

/// A record that could not be read.
#[derive(Clone, Debug)]
pub struct Quarantined<'a> {
    /// Key of the product, if it is one and that could be read.
    pub inventory_id: Option<i64>,
    /// Which field, which value, what was expected.
    pub reason: String,
    /// The record as sent.
    pub raw: Cow<'a, str>,
}

impl Quarantined<'_> {
    /// The same, borrowing nothing of its page.
    #[must_use]
    pub fn into_static(self) -> Quarantined<'static> {
        Quarantined { raw: Cow::Owned(self.raw.into_owned()), ..self }
    }
}

/// A value that a database hands back as text.
fn from_text(kind: Kind, text: String) -> sqlx::Result<Value<'static>> {
    let broken = |error: &dyn std::fmt::Display| sqlx::Error::Decode(format!("{text:?}: {error}").into());
    Ok(match kind {
        Kind::Decimal => {
            let number = match text.split_once(['e', 'E']) {
                // The zero that SQLite writes behind the point counts as a digit, of which there may be 28.
                Some((digits, exponent)) => {
                    let digits = digits.strip_suffix(".0").unwrap_or(digits);
                    rust_decimal::Decimal::from_scientific(&format!("{digits}e{exponent}"))
                }
                None => rust_decimal::Decimal::from_str_exact(&text),
            };
            Value::Decimal(number.map_err(|error| broken(&error))?)
        }
        Kind::Time => Value::Time(DateTime::parse_from_rfc3339(&text).map_err(|error| broken(&error))?.to_utc()),
        Kind::LocalTime => Value::LocalTime(text.parse().map_err(|error: chrono::ParseError| broken(&error))?),
        Kind::Date => Value::Date(text.parse().map_err(|error: chrono::ParseError| broken(&error))?),
        Kind::Json => Value::Text(canonical(&text).ok_or_else(|| broken(&"not JSON"))?.into()),
        Kind::Text | Kind::Int | Kind::Bool => Value::Text(text.into()),
    })
}
