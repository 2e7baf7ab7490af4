//! The change feed, read: what became of a store's products, in the order in which it was written.
//!
//! It is written by [`super::products::commit_page`] alone, in the transaction of the rows.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Database, StorageError};
use crate::entity::product_changes::{Column, Entity};

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
    /// Column or child table to `[old, new]`; nothing for a product that is new.
    pub fields: Option<serde_json::Value>,
}

/// The lines after number `after`, oldest first, at most `limit`.
pub async fn after(db: &Database, store_id: i64, after: i64, limit: u64) -> Result<Vec<ChangeLine>, StorageError> {
    let lines = Entity::find()
        .filter(Column::StoreId.eq(store_id))
        .filter(Column::Seq.gt(after))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db.orm())
        .await
        .map_err(StorageError::query("read the change feed"))?;
    Ok(lines
        .into_iter()
        .map(|line| ChangeLine {
            seq: line.seq,
            inventory_id: line.inventory_id,
            sku: line.sku,
            kind: line.kind,
            fields: line.fields,
        })
        .collect())
}

/// The number of the last line; 0 when there is none.
pub async fn last(db: &Database, store_id: i64) -> Result<i64, StorageError> {
    let last = Entity::find()
        .filter(Column::StoreId.eq(store_id))
        .order_by_desc(Column::Seq)
        .one(db.orm())
        .await
        .map_err(StorageError::query("read the change feed"))?;
    Ok(last.map_or(0, |line| line.seq))
}
