//! What is held, as lists by ID: of the products a sweep's page spans enough to see what is new, different or missing in one look.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres, Row as _};

use crate::domain::product::{AnswerHash, ContentHash};
use crate::storage::sqlite_file::SqliteFile;
use crate::storage::{Database, Place, Pools, StorageError};

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
    let held = match db.place() {
        Place::Server(pool) => {
            held_on_server(sqlx::query(SQL).bind(store_id).bind(after).bind(upto).bind(limit), pool).await
        }
        Place::File(file) => held_in_file(file, SQL, [store_id, after, upto, limit]).await,
    };
    held.map_err(StorageError::sql("read what is held"))
}

async fn held_on_server(query: Query<'_, Postgres, PgArguments>, pool: &PgPool) -> sqlx::Result<Vec<Held>> {
    let held = |row: &PgRow| {
        let hash = |column: usize| row.try_get(column).map(|bytes: Option<&[u8]>| bytes.and_then(hash));
        Ok(Held { inventory_id: row.try_get(0)?, light: hash(1)?, answer: hash(2)?, removed: row.try_get(3)? })
    };
    query.fetch_all(pool).await?.iter().map(held).collect()
}

/// The driver hands its rows over one by one, which for thousands of short ones takes longer than all the rest.
async fn held_in_file(file: &Arc<SqliteFile>, sql: &'static str, args: [i64; 4]) -> sqlx::Result<Vec<Held>> {
    let held = |row: &rusqlite::Row<'_>| {
        let hash = |column: usize| match row.get_ref(column) {
            Ok(ValueRef::Blob(bytes)) => Ok(hash(bytes)),
            other => other.map(|_| None),
        };
        Ok(Held { inventory_id: row.get(0)?, light: hash(1)?, answer: hash(2)?, removed: row.get(3)? })
    };
    let read =
        move |connection: &rusqlite::Connection| connection.prepare_cached(sql)?.query_map(args, held)?.collect();
    file.reading().await?.run(read).await
}

/// A hash of another length is of another program version: it is not known.
fn hash<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
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
