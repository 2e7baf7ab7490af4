//! The change feed, read: what became of a store's products, in the order in which it was written.
//!
//! It is written by [`super::products`] alone, in the transaction of the rows. A line's number is given out under the lock of
//! the store's row, which is held until the commit: whoever sees a line sees all before it. Only the oldest lines ever go
//! ([`super::prune`]), so a reader notices what it has missed by the number of the first line it gets.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Database, StorageError};
use crate::entity::product_changes::{Column, Entity, Model};
use crate::entity::stores;

/// One line of the feed.
#[derive(Clone, Debug)]
pub struct ChangeLine {
    /// Number of the line, gapless per store.
    pub seq: i64,
    /// The product.
    pub inventory_id: i64,
    /// Its SKU at that time.
    pub sku: Option<String>,
    /// `added`, `changed`, `removed` or `restored`.
    pub kind: String,
    /// Column or child table to `[old, new]`; of a product that is new all it has, nothing for one that was removed.
    pub fields: Option<serde_json::Value>,
    /// The run that saw it; its history may be forgotten.
    pub run_id: Option<i64>,
    /// When it was stored.
    pub at: DateTime<Utc>,
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
    let last = last(db, store_id).await?;
    if let Some(seq) = after.filter(|seq| *seq > last) {
        return Err(StorageError::ChangesAhead { seq, last });
    }
    let lines = Entity::find()
        .filter(Column::StoreId.eq(store_id))
        .filter(Column::Seq.gt(after.unwrap_or(0)))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db.orm())
        .await
        .map_err(StorageError::query("read the change feed"))?;
    if let Some(after) = after {
        let first = lines.first().map_or(last + 1, |line| line.seq);
        if first > after + 1 {
            return Err(StorageError::ChangesGone { asked: after + 1, first });
        }
    }
    Ok(lines.into_iter().map(line).collect())
}

/// The number of the last line that was ever written; 0 when there was none.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`].
pub async fn last(db: &Database, store_id: i64) -> Result<i64, StorageError> {
    let store = stores::Entity::find_by_id(store_id).one(db.orm()).await;
    let store = store.map_err(StorageError::query("read the change feed"))?;
    store.map(|store| store.change_seq).ok_or_else(|| StorageError::UnknownStore { name: format!("number {store_id}") })
}

fn line(row: Model) -> ChangeLine {
    ChangeLine {
        seq: row.seq,
        inventory_id: row.inventory_id,
        sku: row.sku,
        kind: row.kind,
        fields: row.fields,
        run_id: row.run_id,
        at: row.at,
    }
}
