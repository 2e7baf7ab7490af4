//! What those who compare ask of the mirror: its newest edit, whole products, and a few that a sweep has listed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::product::Product;
use crate::entity::findings;
use crate::entity::products::{self as entity, Column};
use crate::storage::page::Transaction;
use crate::storage::{Database, StorageError};

/// The newest edit among the products that are held and not marked removed, up to `upto` where that is given.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn newest_edit(
    db: &Database,
    store_id: i64,
    upto: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, StorageError> {
    let mut find = entity::Entity::find()
        .select_only()
        .column_as(Column::DateUpdated.max(), "newest")
        .filter(Column::StoreId.eq(store_id))
        .filter(Column::RemovedAt.is_null());
    if let Some(upto) = upto {
        find = find.filter(Column::DateUpdated.lte(upto));
    }
    let newest: Option<Option<DateTime<Utc>>> =
        find.into_tuple().one(db.orm()).await.map_err(StorageError::query("read the newest edit that is held"))?;
    Ok(newest.flatten())
}

/// Stored products with all their rows, by ID; those that are not stored are left out.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn load(db: &Database, store_id: i64, ids: &[i64]) -> Result<HashMap<i64, Product<'static>>, StorageError> {
    let read = async {
        let mut tx = Transaction::snapshot(db).await?;
        tx.load(store_id, ids).await
    };
    read.await.map_err(StorageError::sql("read stored products"))
}

/// A few products that are held and that the run's sweep has listed, other than `but`.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn witnesses(
    db: &Database,
    store_id: i64,
    run_id: i64,
    but: Vec<i64>,
    limit: u64,
) -> Result<Vec<i64>, StorageError> {
    let found = Query::select()
        .column(findings::Column::InventoryId)
        .from(findings::Entity)
        .and_where(findings::Column::RunId.eq(run_id))
        .to_owned();
    let of_store =
        entity::Entity::find().select_only().column(Column::InventoryId).filter(Column::StoreId.eq(store_id));
    let listed = of_store.filter(Column::RemovedAt.is_null()).filter(Column::InventoryId.not_in_subquery(found));
    let others = listed.filter(Column::InventoryId.is_not_in(but)).order_by_asc(Column::InventoryId).limit(limit);
    others.into_tuple().all(db.orm()).await.map_err(StorageError::query("read what the sweep has listed"))
}
