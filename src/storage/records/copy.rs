//! Copies what a run reads of the records that are held into another database, for a plan ([`crate::storage::scratch`]): which there
//! are and their hashes. What they say is left out, because nothing that a run decides hangs on it.

use chrono::{DateTime, Utc};

use crate::storage::page::{Cell, Rows, Transaction};
use crate::storage::{Database, Pools, StorageError};

/// Records copied at once.
const CHUNK: i64 = 5000;

/// Stream, key, content hash, first seen, changed, removed.
type Own = (String, String, Vec<u8>, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>);

/// Copies what is ours of every record of a store, removed ones included.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn copy_hashes(from: &Database, to: &Database, store_id: i64) -> Result<(), StorageError> {
    let mut after = (String::new(), String::new());
    loop {
        let copied = chunk(from, to, store_id, &after).await;
        match copied.map_err(StorageError::sql("copy the records for a plan"))? {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Copies the next records and gives stream and key of the last; `None` when there are no more.
async fn chunk(
    from: &Database,
    to: &Database,
    store_id: i64,
    (stream, key): &(String, String),
) -> sqlx::Result<Option<(String, String)>> {
    const SQL: &str = "/* copy_hashes */ SELECT stream, key, content_hash, first_seen_at, changed_at, removed_at FROM records \
         WHERE store_id = $1 AND (stream, key) > ($2, $3) ORDER BY stream, key LIMIT $4";
    let own: Vec<Own> = match from.pools() {
        Pools::Postgres(pool) => {
            sqlx::query_as(SQL).bind(store_id).bind(stream).bind(key).bind(CHUNK).fetch_all(pool).await?
        }
        Pools::Sqlite(pool) => {
            sqlx::query_as(SQL).bind(store_id).bind(stream).bind(key).bind(CHUNK).fetch_all(pool).await?
        }
    };
    let mut rows = Rows::records();
    for (stream, key, hash, first_seen, changed, removed) in &own {
        let row = [
            Cell::Int(store_id),
            Cell::Text(stream),
            Cell::Text(key),
            Cell::Text("null"),
            Cell::Bytes(hash),
            Cell::Time(*first_seen),
            Cell::Time(*changed),
            removed.map_or(Cell::Null, Cell::Time),
        ];
        rows.push(&row, &[]);
    }
    let mut tx = Transaction::begin(to).await?;
    tx.insert(rows).await?;
    tx.commit().await?;
    Ok(own.into_iter().next_back().map(|(stream, key, ..)| (stream, key)))
}
