//! The change feed, read: what became of a store's products or records, in the order in which it was written.
//!
//! It is written by [`super::products`] and [`super::records`] alone, in the transaction of the rows. A line's number is given out under the lock of
//! the store's row, which is held until the commit: whoever sees a line sees all before it. Only the oldest lines ever go
//! ([`super::prune`]), so a reader notices what it has missed by the number of the first line it gets.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::page::{Arg, Found, Transaction};
use super::{Database, StorageError};
use crate::domain::store::NETO;
use crate::entity::{record_changes, stores};

/// One line of the feed.
#[derive(Clone, Debug)]
pub struct ChangeLine {
    /// Number of the line, gapless per store.
    pub seq: i64,
    /// What it is about.
    pub subject: Subject,
    /// `added`, `changed`, `removed` or `restored`.
    pub kind: String,
    /// Column or child table, or field of the record, to `[old, new]`; of what is new all it has, nothing for what was removed.
    pub fields: Option<serde_json::Value>,
    /// The run that saw it; its history may be forgotten.
    pub run_id: Option<i64>,
    /// When it was stored.
    pub at: DateTime<Utc>,
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A product.
    Product {
        /// Its key.
        inventory_id: i64,
        /// Its SKU at that time.
        sku: Option<String>,
    },
    /// A record of a described connector.
    Record {
        /// Its stream.
        stream: String,
        /// Its key there.
        key: String,
    },
}

/// The lines after number `after`, oldest first, at most `limit`; with `None` from the oldest that is there.
///
/// # Errors
/// [`StorageError::ChangesGone`] when the first of them was forgotten, [`StorageError::ChangesAhead`] when `after` is a line
/// that was never written, [`StorageError::UnknownStore`], [`StorageError::Query`].
pub async fn after(
    db: &Database,
    store_id: i64,
    after: Option<i64>,
    limit: u64,
) -> Result<Vec<ChangeLine>, StorageError> {
    // Read before the lines: every line up to this number is there by then, or was forgotten.
    let store = store(db, store_id).await?;
    let last = store.change_seq;
    if let Some(seq) = after.filter(|seq| *seq > last) {
        return Err(StorageError::ChangesAhead { seq, last });
    }
    let lines = if store.connector == NETO {
        of_products(db, store_id, after.unwrap_or(0), limit).await.map_err(StorageError::sql(DOING))?
    } else {
        of_records(db, store_id, after.unwrap_or(0), limit).await.map_err(StorageError::query(DOING))?
    };
    if let Some(after) = after {
        let first = lines.first().map_or(last + 1, |line| line.seq);
        if first > after + 1 {
            return Err(StorageError::ChangesGone { asked: after + 1, first });
        }
    }
    Ok(lines)
}

/// The number of the last line that was ever written; 0 when there was none.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`].
pub async fn last(db: &Database, store_id: i64) -> Result<i64, StorageError> {
    Ok(store(db, store_id).await?.change_seq)
}

const DOING: &str = "read the change feed";

async fn store(db: &Database, store_id: i64) -> Result<stores::Model, StorageError> {
    let store = stores::Entity::find_by_id(store_id).one(db.orm()).await.map_err(StorageError::query(DOING))?;
    store.ok_or_else(|| StorageError::UnknownStore { name: format!("number {store_id}") })
}

/// Lines that leave out what their product had are told by its rows, in the state of the database in which the lines were read.
async fn of_products(db: &Database, store_id: i64, after: i64, limit: u64) -> sqlx::Result<Vec<ChangeLine>> {
    const SQL: &str = "/* changes */ SELECT seq, inventory_id, sku, kind, CAST(fields AS text), run_id, at \
         FROM product_change_lines WHERE store_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let mut tx = Transaction::snapshot(db).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.fetch(SQL, &[Arg::Int(store_id), Arg::Int(after), Arg::Int(limit)]).await?;
    let leaves_out = |row: &Found| Ok::<_, sqlx::Error>(row.some_text(3)? == "added" && row.text(4)?.is_none());
    let mut left_out = Vec::new();
    for row in &rows {
        if leaves_out(row)? {
            left_out.push(row.int(1)?);
        }
    }
    let told = tx.told(store_id, &left_out).await?;
    let line = |row: &Found| {
        let (inventory_id, written) = (row.int(1)?, row.text(4)?);
        let fields = if leaves_out(row)? { told.get(&inventory_id) } else { written.as_ref() };
        let fields = fields.map(|text| serde_json::from_str(text)).transpose();
        Ok(ChangeLine {
            seq: row.int(0)?,
            subject: Subject::Product { inventory_id, sku: row.text(2)? },
            kind: row.some_text(3)?,
            fields: fields.map_err(|error| sqlx::Error::Decode(error.into()))?,
            run_id: row.int_or_null(5)?,
            at: row.time(6)?,
        })
    };
    rows.iter().map(line).collect()
}

async fn of_records(db: &Database, store_id: i64, after: i64, limit: u64) -> Result<Vec<ChangeLine>, DbErr> {
    use record_changes::{Column, Entity, Model};
    let find = Entity::find().filter(Column::StoreId.eq(store_id)).filter(Column::Seq.gt(after));
    let rows = find.order_by_asc(Column::Seq).limit(limit).all(db.orm()).await?;
    let line = |row: Model| {
        let Model { seq, stream, key, kind, fields, run_id, at, .. } = row;
        ChangeLine { seq, subject: Subject::Record { stream, key }, kind, fields, run_id, at }
    };
    Ok(rows.into_iter().map(line).collect())
}
