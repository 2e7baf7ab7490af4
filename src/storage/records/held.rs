//! What is held of a stream.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::entity::records::{Column, Entity};
use crate::storage::{Database, Pools, StorageError};

/// The next keys that are held behind `after`, in the database's order; removed ones are left out.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn held_keys(
    db: &Database,
    store_id: i64,
    stream: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, StorageError> {
    // No key is the empty text, which all others are behind.
    const SQL: &str = "/* held_keys */ SELECT key FROM records \
         WHERE store_id = $1 AND stream = $2 AND key > $3 AND removed_at IS NULL ORDER BY key LIMIT $4";
    let after = after.unwrap_or_default();
    macro_rules! read {
        ($pool:expr) => {
            sqlx::query_scalar(SQL)
                .bind(store_id)
                .bind(stream)
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all($pool)
                .await
        };
    }
    let keys: sqlx::Result<Vec<String>> = match db.pools() {
        Pools::Postgres(pool) => read!(pool),
        Pools::Sqlite(pool) => read!(pool),
    };
    keys.map_err(StorageError::sql("read which records are held"))
}

/// How many records of the store are there, removed ones not counted.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn count(db: &Database, store_id: i64) -> Result<u64, StorageError> {
    counted(db, store_id, None).await
}

/// [`count`] of one stream.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn count_stream(db: &Database, store_id: i64, stream: &str) -> Result<u64, StorageError> {
    counted(db, store_id, Some(stream)).await
}

async fn counted(db: &Database, store_id: i64, stream: Option<&str>) -> Result<u64, StorageError> {
    let live = Entity::find().filter(Column::StoreId.eq(store_id)).filter(Column::RemovedAt.is_null());
    let live = match stream {
        Some(stream) => live.filter(Column::Stream.eq(stream)),
        None => live,
    };
    live.count(db.orm()).await.map_err(StorageError::query("count the records"))
}
