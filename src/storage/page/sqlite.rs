//! The mirror's statements on SQLite: one a table, prepared once and stepped row after row.
//!
//! Rows are packed where they are and unpacked by the thread that has the connection: no value takes an allocation of its own, and
//! while one piece is written, the next is packed.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Value as Stored};
use rusqlite::{CachedStatement, Connection};
use rust_decimal::Decimal;

use super::pack::Pack;
use super::rows::{Cell, Rows};
use super::statement::{Arg, Sql};
use crate::domain::catalogue::{Column, Kind};
use crate::domain::product::Value;
use crate::domain::spelling;
use crate::storage::sqlite_file::FileTransaction;

/// Bytes that are written at once.
const PIECE: usize = 256 * 1024;
/// Bytes a packed value takes, about.
const BYTES_A_VALUE: usize = 24;
/// Ten to this power is a double without rounding, and fits into 64 bits.
const EXACT_SCALE: u32 = 18;
/// So many digits are a double without rounding, and SQLite hands them back (design §7).
const EXACT_MANTISSA: u128 = 10_u128.pow(15);

/// Inserts all rows.
pub async fn insert(tx: &mut FileTransaction, rows: &Rows<'_>) -> sqlx::Result<()> {
    let width = rows.columns.len();
    // A row that is refused takes the whole transaction along, so no statement has to be able to undo itself.
    let head = rows.insert_head("INSERT OR FAIL");
    let sql: Arc<str> = format!("{head}VALUES ({}){}", vec!["?"; width].join(", "), rows.insert_tail()).into();
    let room = (rows.len() * width * BYTES_A_VALUE).min(PIECE + PIECE / 4);
    let mut rest = rows.iter().peekable();
    let mut next = || {
        rest.peek()?;
        let mut piece = Pack::with_capacity(room);
        while let Some((leading, values)) = rest.next_if(|_| piece.len() < PIECE) {
            for cell in leading.iter().copied().chain(values.iter().map(Cell::from)) {
                pack(&mut piece, cell);
            }
        }
        Some(piece)
    };
    let mut ready = next();
    while let Some(piece) = ready {
        let sql = sql.clone();
        let write = tx.run(move |connection| write(&mut connection.prepare_cached(&sql)?, width, &piece));
        let (written, packed) = futures::join!(write, async { next() });
        written?;
        ready = packed;
    }
    Ok(())
}

fn write(statement: &mut CachedStatement<'_>, width: usize, piece: &Pack) -> rusqlite::Result<()> {
    let mut place = 0;
    for value in piece.values() {
        place += 1;
        statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
        if place == width {
            statement.raw_execute()?;
            place = 0;
        }
    }
    Ok(())
}

fn pack(piece: &mut Pack, cell: Cell<'_>) {
    match cell {
        Cell::Null => piece.null(),
        Cell::Text(text) => piece.text(text),
        Cell::Int(number) => piece.int(number),
        Cell::Decimal(number) => decimal(piece, number),
        Cell::Bool(truth) => piece.int(truth.into()),
        Cell::Time(time) => piece.text(&spelling::moment(time.naive_utc(), "+00:00")),
        Cell::LocalTime(time) => piece.text(&spelling::moment(time, "")),
        Cell::Date(date) => match spelling::date(date) {
            Some(text) => piece.text(spelling::ascii(&text)),
            None => piece.text(&date.to_string()),
        },
        Cell::Bytes(bytes) => piece.blob(bytes),
    }
}

/// What SQLite itself makes of a decimal in a NUMERIC column: a whole number or a double, where that loses none of 15 significant
/// digits. It is told to make it where that is harder to say.
#[expect(clippy::cast_possible_truncation, reason = "a mantissa below 10 to the 15th")]
fn decimal(piece: &mut Pack, number: Decimal) {
    let (mantissa, scale) = (number.mantissa(), number.scale());
    if mantissa.unsigned_abs() >= EXACT_MANTISSA || scale > EXACT_SCALE {
        return piece.text(&number.to_string());
    }
    let (mantissa, unit) = (mantissa as i64, 10_i64.pow(scale));
    if mantissa % unit == 0 { piece.int(mantissa / unit) } else { piece.real(mantissa as f64 / unit as f64) }
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
    use rusqlite::types::ValueRef;

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
            let mut piece = Pack::default();
            decimal(&mut piece, number);
            let told = piece.values().next().expect("a value");
            prop_assert_eq!(kept(told), kept(ValueRef::Text(number.to_string().as_bytes())), "{}", number);
        }
    }
}
