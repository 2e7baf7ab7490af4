//! What is held: of the products a sweep's page spans enough to see what is new, different or missing in one look, and the whole
//! of products for those who compare.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::product::{AnswerHash, ContentHash, Product};
use crate::entity::findings;
use crate::entity::products::{self as entity, Column};
use crate::storage::page::Transaction;
use crate::storage::{Database, Pools, StorageError};

/// A product that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The product.
    pub inventory_id: i64,
    /// Hash of its light part ([`crate::domain::light::hash`]), if it is known.
    pub light: Option<ContentHash>,
    /// Hash of the record that tells it, if one record does.
    pub answer: Option<AnswerHash>,
    /// Whether it is marked removed.
    pub removed: bool,
}

/// ID, hash of the light part, hash of the answer, whether it is marked removed.
type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, bool);

/// The products held with IDs above `after` and up to `upto` (without bounds, where there are none), by ID.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn held_between(
    db: &Database,
    store_id: i64,
    after: Option<i64>,
    upto: Option<i64>,
) -> Result<Vec<Held>, StorageError> {
    held(db, store_id, after, upto, i64::MAX).await
}

/// The next `limit` products held behind `after`, by ID, removed ones included.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn held_next(
    db: &Database,
    store_id: i64,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<Held>, StorageError> {
    held(db, store_id, after, None, limit as i64).await
}

async fn held(
    db: &Database,
    store_id: i64,
    after: Option<i64>,
    upto: Option<i64>,
    limit: i64,
) -> Result<Vec<Held>, StorageError> {
    // Every column is in one index of the table, so no row of it is read.
    const SQL: &str = "/* held */ SELECT inventory_id, light_hash, answer_hash, removed_at IS NOT NULL FROM products \
         WHERE store_id = $1 AND inventory_id > $2 AND inventory_id <= $3 ORDER BY inventory_id LIMIT $4";
    let (after, upto) = (after.unwrap_or(i64::MIN), upto.unwrap_or(i64::MAX));
    macro_rules! read {
        ($pool:expr) => {
            sqlx::query_as(SQL).bind(store_id).bind(after).bind(upto).bind(limit).fetch_all($pool).await
        };
    }
    let rows: sqlx::Result<Vec<Row>> = match db.pools() {
        Pools::Postgres(pool) => read!(pool),
        Pools::Sqlite(pool) => read!(pool),
    };
    let held = |(inventory_id, light, answer, removed): Row| Held {
        inventory_id,
        light: light.and_then(|light| ContentHash::try_from(light).ok()),
        answer: answer.and_then(|answer| AnswerHash::try_from(answer).ok()),
        removed,
    };
    Ok(rows.map_err(StorageError::sql("read what is held"))?.into_iter().map(held).collect())
}

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

/// The next products held behind `after`, by ID; removed ones are left out.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn held_ids(db: &Database, store_id: i64, after: Option<i64>, limit: u32) -> Result<Vec<i64>, StorageError> {
    const SQL: &str = "/* held_ids */ SELECT inventory_id FROM products \
         WHERE store_id = $1 AND inventory_id > $2 AND removed_at IS NULL ORDER BY inventory_id LIMIT $3";
    let (after, limit) = (after.unwrap_or(i64::MIN), i64::from(limit));
    macro_rules! read {
        ($pool:expr) => {
            sqlx::query_scalar(SQL).bind(store_id).bind(after).bind(limit).fetch_all($pool).await
        };
    }
    let ids: sqlx::Result<Vec<i64>> = match db.pools() {
        Pools::Postgres(pool) => read!(pool),
        Pools::Sqlite(pool) => read!(pool),
    };
    ids.map_err(StorageError::sql("read what is held"))
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
