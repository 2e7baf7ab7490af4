//! What everybody who calls a store has to know of the others who do: a silence it has asked for, and calls that no
//! checkpoint tells of.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement, Value};

use super::{Database, StorageError};

/// Nobody calls the store before `until`. A silence is never shortened.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn keep_silent(db: &Database, store_id: i64, until: DateTime<Utc>) -> Result<(), StorageError> {
    let sql = "/* keep_silent */ UPDATE stores SET silent_until = $1 \
         WHERE id = $2 AND (silent_until IS NULL OR silent_until < $1)";
    execute(db, sql, [until.into(), store_id.into()]).await
}

/// Somebody who holds no lease is about to call the store: what the checkpoint of its waiting run says about the budget no
/// longer holds. The epoch rises, so the next holder begins with an empty bucket (see
/// [`crate::domain::budget::BudgetState::settled_by`]).
///
/// # Errors
/// [`StorageError::Query`].
pub async fn call_without_lease(db: &Database, store_id: i64) -> Result<(), StorageError> {
    let sql = "/* call_without_lease */ UPDATE runs SET lease_epoch = lease_epoch + 1 \
         WHERE store_id = $1 AND state = 'queued'";
    execute(db, sql, [store_id.into()]).await
}

async fn execute<const N: usize>(db: &Database, sql: &str, values: [Value; N]) -> Result<(), StorageError> {
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    db.orm().execute_raw(statement).await.map_err(StorageError::query("note a call to the store"))?;
    Ok(())
}
