//! The mirror's statements on SQLite: one a table for some rows at once, one for those that are left, both prepared once.
//!
//! Packed rows go to the thread that has the connection and are unpacked there: no value takes an allocation of its own.

use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{CachedStatement, Connection};
use rust_decimal::Decimal;

use super::rows::{Cell, Rows};
use super::statement::{Arg, Sql};
use crate::domain::catalogue::{Column, Kind};
use crate::domain::product::Value;
use crate::domain::spelling;
use crate::storage::sqlite_file::FileTransaction;

/// Ten to this power is a double without rounding, and fits into 64 bits.
const EXACT_SCALE: u32 = 18;
/// So many digits are a double without rounding, and SQLite hands them back (design §7).
const EXACT_MANTISSA: u128 = 10_u128.pow(15);

/// Values of a statement, about, and the most rows. A statement finds its place in the table and its indexes once for all of its rows,
/// which halves what a short row costs; a long one gains nothing.
const VALUES: usize = 200;
const MOST_ROWS: usize = 16;

/// Inserts all rows.
pub async fn insert(tx: &mut FileTransaction, rows: Rows) -> sqlx::Result<()> {
    tx.run(move |connection| write(connection, &rows)).await
}

fn write(connection: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    // A row that is refused takes the whole transaction along, so no statement has to be able to undo itself.
    let (head, tail, columns) = (rows.insert_head("INSERT OR FAIL"), rows.insert_tail(), rows.columns.len());
    let row = format!("({})", vec!["?"; columns].join(", "));
    let prepare =
        |many: usize| connection.prepare_cached(&format!("{head}VALUES {}{tail}", vec![&*row; many].join(", ")));
    let (mut left, mut many) = (rows.len(), (VALUES / columns).clamp(1, MOST_ROWS));
    if left < many {
        many = 1;
    }
    let (mut statement, mut place) = (prepare(many)?, 0);
    rows.cells().try_for_each(|cell| {
        place += 1;
        bind(&mut statement, place, cell)?;
        if place == many * columns {
            statement.raw_execute()?;
            (place, left) = (0, left - many);
            if 0 < left && left < many {
                many = 1;
                statement = prepare(many)?;
            }
        }
        Ok(())
    })
}

fn bind(statement: &mut CachedStatement<'_>, place: usize, cell: Cell<'_>) -> rusqlite::Result<()> {
    let spelled;
    let value = match cell {
        Cell::Null => ValueRef::Null,
        Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        Cell::Int(number) => ValueRef::Integer(number),
        Cell::Numbered(_) => unreachable!("rows give such a cell as the number it is"),
        Cell::Bool(truth) => ValueRef::Integer(truth.into()),
        Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        Cell::Decimal(number) => {
            if let Some(number) = decimal(number) {
                number
            } else {
                spelled = number.to_string();
                ValueRef::Text(spelled.as_bytes())
            }
        }
        Cell::Time(time) => {
            spelled = spelling::moment(time.naive_utc(), "+00:00");
            ValueRef::Text(spelled.as_bytes())
        }
        Cell::LocalTime(time) => {
            spelled = spelling::moment(time, "");
            ValueRef::Text(spelled.as_bytes())
        }
        Cell::Date(date) => {
            spelled = spelling::date(date).map_or_else(|| date.to_string(), |text| spelling::ascii(&text).to_owned());
            ValueRef::Text(spelled.as_bytes())
        }
    };
    statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))
}

/// What SQLite itself makes of a decimal in a NUMERIC column: a whole number or a double, where that loses none of 15 significant
/// digits. It is told the digits to make it of where that is harder to say.
#[expect(clippy::cast_possible_truncation, reason = "a mantissa below 10 to the 15th")]
fn decimal(number: Decimal) -> Option<ValueRef<'static>> {
    let (mantissa, scale) = (number.mantissa(), number.scale());
    if mantissa.unsigned_abs() >= EXACT_MANTISSA || scale > EXACT_SCALE {
        return None;
    }
    let (mantissa, unit) = (mantissa as i64, 10_i64.pow(scale));
    let whole = mantissa % unit == 0;
    Some(if whole { ValueRef::Integer(mantissa / unit) } else { ValueRef::Real(mantissa as f64 / unit as f64) })
}

/// Runs a statement; how many rows it touched.
pub async fn execute(tx: &mut FileTransaction, sql: Sql, args: &[Arg<'_>]) -> sqlx::Result<u64> {
    let args: Vec<Stored> = args.iter().map(stored).collect();
    let execute = move |connection: &Connection| {
        let mut statement = bound(connection, &sql.text(), args)?;
        statement.raw_execute()
    };
    tx.run(execute).await.map(|rows| rows as u64)
}

/// Runs a statement; the rows that come of it.
pub async fn fetch(tx: &mut FileTransaction, sql: Sql, args: &[Arg<'_>]) -> sqlx::Result<Vec<Vec<Stored>>> {
    let args: Vec<Stored> = args.iter().map(stored).collect();
    let fetch = move |connection: &Connection| {
        let mut statement = bound(connection, &sql.text(), args)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?);
        }
        Ok(found)
    };
    tx.run(fetch).await
}

/// A statement with its values: `$1` is a name to SQLite, and not the first parameter unless it comes first.
fn bound<'c>(connection: &'c Connection, sql: &str, args: Vec<Stored>) -> rusqlite::Result<CachedStatement<'c>> {
    let mut statement = connection.prepare_cached(sql)?;
    for (place, arg) in args.into_iter().enumerate() {
        statement.raw_bind_parameter(format!("${}", place + 1).as_str(), arg)?;
    }
    Ok(statement)
}

fn stored(arg: &Arg<'_>) -> Stored {
    let list = |list: serde_json::Result<String>| Stored::Text(list.expect("numbers and texts are JSON"));
    match arg {
        Arg::Int(number) => Stored::Integer(*number),
        Arg::Text(text) => Stored::Text((*text).to_owned()),
        Arg::Bytes(bytes) => bytes.map_or(Stored::Null, |bytes| Stored::Blob(bytes.to_vec())),
        Arg::Time(time) => Stored::Text(spelling::moment(time.naive_utc(), "+00:00")),
        Arg::Json(json) => Stored::Text(json.get().to_owned()),
        Arg::Ints(numbers) => list(serde_json::to_string(numbers)),
        Arg::Texts(texts) => list(serde_json::to_string(texts)),
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
pub fn value(stored: &Stored, kind: Kind) -> sqlx::Result<Value<'static>> {
    Ok(match (stored, kind) {
        (Stored::Null, _) => Value::Null,
        (_, Kind::Int) => Value::Int(int(stored)?),
        (_, Kind::Bool) => Value::Bool(int(stored)? != 0),
        _ => text(stored)?.map(|text| super::from_text(kind, text)).transpose()?.unwrap_or(Value::Null),
    })
}

/// A whole number.
pub fn int(stored: &Stored) -> sqlx::Result<i64> {
    match stored {
        Stored::Integer(number) => Ok(*number),
        other => Err(unfit(other, "a whole number")),
    }
}

/// Text, or NULL.
pub fn text(stored: &Stored) -> sqlx::Result<Option<String>> {
    match stored {
        Stored::Null => Ok(None),
        Stored::Text(text) => Ok(Some(text.clone())),
        Stored::Integer(number) => Ok(Some(number.to_string())),
        Stored::Real(_) | Stored::Blob(_) => Err(unfit(stored, "text")),
    }
}

/// Bytes; none where there is something else.
pub fn bytes(stored: &Stored) -> Vec<u8> {
    match stored {
        Stored::Blob(bytes) => bytes.clone(),
        _ => Vec::new(),
    }
}

fn unfit(stored: &Stored, expected: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a value of type {} where {expected} should be", stored.data_type()).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a NUMERIC column makes of a value.
    fn kept(value: ValueRef<'_>) -> (String, String) {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch("CREATE TABLE t (n NUMERIC)").expect("a table");
        connection.execute("INSERT INTO t VALUES (?)", [ToSqlOutput::Borrowed(value)]).expect("a row");
        let read = "SELECT typeof(n), CAST(n AS TEXT) FROM t";
        connection.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("the row")
    }

    proptest! {
        #[test]
        fn a_decimal_is_what_sqlite_makes_of_its_digits(mantissa in any::<i64>(), digits in 1..19_u32, scale in 0..29_u32) {
            let number = Decimal::from_i128_with_scale((mantissa % 10_i64.pow(digits)).into(), scale);
            let digits = number.to_string();
            let digits = ValueRef::Text(digits.as_bytes());
            let told = decimal(number).unwrap_or(digits);
            prop_assert_eq!(kept(told), kept(digits), "{}", number);
        }
    }
}
