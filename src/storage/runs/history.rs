//! Reading runs.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value};

use super::read;
use crate::domain::run::{Run, RunState};
use crate::entity::runs;
use crate::storage::{Database, StorageError};

/// Runs asked for in one statement: below every limit on the number of values.
const AT_ONCE: usize = 1000;

/// One run.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn get(db: &Database, run_id: i64) -> Result<Option<Run>, StorageError> {
    let found = runs::Entity::find_by_id(run_id).one(db.orm()).await.map_err(StorageError::query("read a run"))?;
    found.map(read).transpose()
}

/// Those of the runs that exist, in no particular order.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn get_all(db: &Database, run_ids: &[i64]) -> Result<Vec<Run>, StorageError> {
    let mut all = Vec::with_capacity(run_ids.len());
    for ids in run_ids.chunks(AT_ONCE) {
        let find = runs::Entity::find().filter(runs::Column::Id.is_in(ids.iter().copied()));
        for model in find.all(db.orm()).await.map_err(StorageError::query("read runs"))? {
            all.push(read(model)?);
        }
    }
    Ok(all)
}

/// The newest runs, newest first; of one store or of all.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn newest(db: &Database, store_id: Option<i64>, limit: u64) -> Result<Vec<Run>, StorageError> {
    let mut find = runs::Entity::find().order_by_desc(runs::Column::Id).limit(limit);
    if let Some(store_id) = store_id {
        find = find.filter(runs::Column::StoreId.eq(store_id));
    }
    find.all(db.orm()).await.map_err(StorageError::query("list runs"))?.into_iter().map(read).collect()
}

/// The newest run of each store that is in one of `states`, by store; of one store or of all. Audits that have ended are left
/// out: they say nothing of how the syncs go. Reads a few rows a store, however long the history is.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn newest_each(
    db: &Database,
    store_id: Option<i64>,
    states: &[RunState],
) -> Result<HashMap<i64, Run>, StorageError> {
    let states: Vec<_> = states.iter().map(|state| format!("'{state}'")).collect();
    let only = if store_id.is_some() { "WHERE stores.id = $1" } else { "" };
    let sql = format!(
        "/* newest_each */ SELECT runs.* FROM stores JOIN runs ON runs.id = (SELECT newest.id FROM runs newest \
         WHERE newest.store_id = stores.id AND newest.state IN ({}) \
         AND (newest.kind <> 'audit' OR newest.finished_at IS NULL) ORDER BY newest.id DESC LIMIT 1) {only}",
        states.join(", ")
    );
    let values = store_id.map(Value::from);
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let found = runs::Entity::find().from_raw_sql(statement).all(db.orm()).await;
    let found = found.map_err(StorageError::query("look for the newest runs"))?;
    found.into_iter().map(|model| Ok((model.store_id, read(model)?))).collect()
}
