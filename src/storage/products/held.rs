//! What is held, as lists by ID: of the products a sweep's page spans enough to see what is new, different or missing in one look.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use sqlx::query::QueryAs;
use sqlx::{AssertSqlSafe, PgPool};

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
    let args = [store_id, after.unwrap_or(i64::MIN), upto.unwrap_or(i64::MAX), limit];
    let held = match db.place() {
        Place::Server(pool) => held_on_server(pool, args).await,
        Place::File(file) => held_in_file(file, args).await,
    };
    held.map_err(StorageError::sql("read what is held"))
}

/// Every column is in one index of the table, so no row of it is read.
const HELD: &str = "SELECT inventory_id, light_hash, answer_hash, removed_at IS NOT NULL AS removed FROM products \
     WHERE store_id = $1 AND inventory_id > $2 AND inventory_id <= $3 ORDER BY inventory_id LIMIT $4";

/// As one row of lists: as many rows of four short values take longer on both sides.
async fn held_on_server(pool: &PgPool, args: [i64; 4]) -> sqlx::Result<Vec<Held>> {
    type Hashes = Vec<Option<Vec<u8>>>;
    let sql = format!(
        "/* held */ SELECT ARRAY_AGG(inventory_id), ARRAY_AGG(light_hash), ARRAY_AGG(answer_hash), ARRAY_AGG(removed) \
         FROM ({HELD}) AS held HAVING COUNT(*) > 0"
    );
    let query = args.into_iter().fold(sqlx::query_as(AssertSqlSafe(sql)), QueryAs::bind);
    let lists: Option<(Vec<i64>, Hashes, Hashes, Vec<bool>)> = query.fetch_optional(pool).await?;
    let Some((ids, light, answers, removed)) = lists else { return Ok(Vec::new()) };
    let hash = |bytes: Option<Vec<u8>>| bytes.as_deref().and_then(hash);
    let held =
        ids.into_iter().zip(light).zip(answers).zip(removed).map(|(((inventory_id, light), answer), removed)| Held {
            inventory_id,
            light: hash(light),
            answer: hash(answer),
            removed,
        });
    let mut held: Vec<Held> = held.collect();
    // As they come; only PostgreSQL does not promise it.
    held.sort_by_key(|held| held.inventory_id);
    Ok(held)
}

/// The driver hands its rows over one by one, which for thousands of short ones takes longer than all the rest.
async fn held_in_file(file: &Arc<SqliteFile>, args: [i64; 4]) -> sqlx::Result<Vec<Held>> {
    let held = |row: &rusqlite::Row<'_>| {
        let hash = |column: usize| match row.get_ref(column) {
            Ok(ValueRef::Blob(bytes)) => Ok(hash(bytes)),
            other => other.map(|_| None),
        };
        Ok(Held { inventory_id: row.get(0)?, light: hash(1)?, answer: hash(2)?, removed: row.get(3)? })
    };
    let read =
        move |connection: &rusqlite::Connection| connection.prepare_cached(HELD)?.query_map(args, held)?.collect();
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
