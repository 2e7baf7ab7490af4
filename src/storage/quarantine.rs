//! Records that could not be normalised, for the operator to look at. They are written with their page
//! ([`super::products::commit_page`]) and marked when they could be read after all ([`super::products::replay`]).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

use super::overview::counted;
use super::{Database, StorageError};
use crate::entity::quarantine::{Column, Entity, Model};

/// A record in quarantine, without the record itself, which may be large.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Entry {
    /// Key of the entry.
    pub id: i64,
    /// The store.
    pub store_id: i64,
    /// The run that met it, while its history is kept.
    pub run_id: Option<i64>,
    /// Key of the product, if it could be read.
    pub inventory_id: Option<i64>,
    /// Which field, which value, what was expected.
    pub reason: String,
    /// When it was met.
    pub at: DateTime<Utc>,
    /// When it was replayed with success.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// The newest entries, newest first; of one store or of all.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn newest(db: &Database, store_id: Option<i64>, limit: u64) -> Result<Vec<Entry>, StorageError> {
    let columns = [
        Column::Id,
        Column::StoreId,
        Column::RunId,
        Column::InventoryId,
        Column::Reason,
        Column::At,
        Column::ReplayedAt,
    ];
    let mut find = Entity::find().select_only().columns(columns).order_by_desc(Column::Id).limit(limit);
    if let Some(store_id) = store_id {
        find = find.filter(Column::StoreId.eq(store_id));
    }
    find.into_model::<Entry>().all(db.orm()).await.map_err(StorageError::query("list the quarantine"))
}

/// One entry, and the record as the store sent it.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn get(db: &Database, id: i64) -> Result<Option<(Entry, String)>, StorageError> {
    let found = Entity::find_by_id(id).one(db.orm()).await.map_err(StorageError::query("read the quarantine"))?;
    Ok(found.map(read))
}

fn read(row: Model) -> (Entry, String) {
    let entry = Entry {
        id: row.id,
        store_id: row.store_id,
        run_id: row.run_id,
        inventory_id: row.inventory_id,
        reason: row.reason,
        at: row.at,
        replayed_at: row.replayed_at,
    };
    (entry, row.raw)
}

/// The entries of a store that wait to be replayed, with their records, oldest first: at most `limit` after number `after`.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn waiting(
    db: &Database,
    store_id: i64,
    after: i64,
    limit: u64,
) -> Result<Vec<(Entry, String)>, StorageError> {
    let find = Entity::find()
        .filter(Column::StoreId.eq(store_id))
        .filter(Column::ReplayedAt.is_null())
        .filter(Column::Id.gt(after))
        .order_by_asc(Column::Id)
        .limit(limit);
    let rows = find.all(db.orm()).await.map_err(StorageError::query("read the quarantine"))?;
    Ok(rows.into_iter().map(read).collect())
}

/// How many entries wait to be replayed, by store.
pub(super) async fn count_each(db: &Database, only: Option<i64>) -> Result<HashMap<i64, u64>, StorageError> {
    let mut find = Entity::find()
        .select_only()
        .column(Column::StoreId)
        .column_as(Column::Id.count(), "rows")
        .filter(Column::ReplayedAt.is_null())
        .group_by(Column::StoreId);
    if let Some(store_id) = only {
        find = find.filter(Column::StoreId.eq(store_id));
    }
    counted(db, find, "count the quarantine").await
}

/// The products of which a run has put a record into quarantine.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn products_of_run(db: &Database, run_id: i64) -> Result<std::collections::HashSet<i64>, StorageError> {
    let ids = Entity::find()
        .select_only()
        .column(Column::InventoryId)
        .filter(Column::RunId.eq(run_id))
        .filter(Column::InventoryId.is_not_null())
        .into_tuple::<i64>();
    let ids = ids.all(db.orm()).await.map_err(StorageError::query("read the quarantine"))?;
    Ok(ids.into_iter().collect())
}
