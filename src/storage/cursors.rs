//! Where the next incremental run of a store begins, by how much it looks back, and what else a run leaves to the next.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Statement, Value};
use serde_json::Value as Json;

use super::runs::Evidence;
use super::{Database, StorageError};
use crate::domain::run::RunKind;
use crate::domain::store::Store;
use crate::entity::cursors;

/// What a run begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The newest edit that is known to be held, in the server's time; `None` before the first run that listed everything.
    pub edited: Option<DateTime<Utc>>,
    /// The store's own overlap; `None` = the configured one.
    pub overlap: Option<TimeDelta>,
}

/// The cursor of a store, as it was read.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn read(db: &Database, store: &Store) -> Result<Cursor, StorageError> {
    let key = (store.id, RunKind::Incremental.as_str().to_owned());
    let row = cursors::Entity::find_by_id(key).one(db.orm()).await.map_err(StorageError::query("read a cursor"))?;
    Ok(Cursor { edited: row.and_then(|row| row.starts_at), overlap: store.overlap_secs.map(TimeDelta::seconds) })
}

/// How the kinds of the streams' cursors begin.
const STREAM: &str = "stream:";

/// The cursors of a described connector's streams, by stream.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn of_streams(db: &Database, store_id: i64) -> Result<BTreeMap<String, Json>, StorageError> {
    let find = cursors::Entity::find().filter(cursors::Column::StoreId.eq(store_id));
    let rows = find.all(db.orm()).await.map_err(StorageError::query("read the cursors"))?;
    let read = |row: cursors::Model| {
        let stream = row.kind.strip_prefix(STREAM)?.to_owned();
        // One that cannot be read is no reason to stop: the stream is listed whole.
        Some((stream, serde_json::from_str(&row.value?).ok()?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Moves the cursor, the overlap and what was learned as a run's evidence says, in the transaction that ends the run.
pub(super) async fn write(
    tx: &DatabaseTransaction,
    store_id: i64,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let failed = || StorageError::query("move a cursor");
    let execute = async |sql: &str, values: Vec<Value>| {
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await
    };
    if let Some(cursor) = evidence.cursor {
        let sql = "/* cursor */ INSERT INTO cursors (store_id, kind, starts_at, updated_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (store_id, kind) DO UPDATE SET starts_at = excluded.starts_at, updated_at = excluded.updated_at";
        let kind = RunKind::Incremental.as_str();
        execute(sql, vec![store_id.into(), kind.into(), cursor.into(), now.into()]).await.map_err(failed())?;
    }
    for (stream, mark) in &evidence.streams {
        let sql = "/* cursor */ INSERT INTO cursors (store_id, kind, value, updated_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (store_id, kind) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";
        let kind = format!("{STREAM}{stream}");
        let values = vec![store_id.into(), kind.into(), mark.to_string().into(), now.into()];
        execute(sql, values).await.map_err(failed())?;
    }
    if let Some(overlap) = evidence.overlap_secs {
        let sql = "/* cursor */ UPDATE stores SET overlap_secs = $1 WHERE id = $2";
        execute(sql, vec![overlap.into(), store_id.into()]).await.map_err(failed())?;
    }
    if let Some(learned) = &evidence.learned {
        let sql = "/* learned */ UPDATE stores SET learned = $1 WHERE id = $2";
        let json = serde_json::to_value(learned).expect("plain data");
        execute(sql, vec![json.into(), store_id.into()]).await.map_err(failed())?;
    }
    Ok(())
}
