//! The lease of a run while it is worked on: renewed by its holder's heartbeat, which learns at the same time what has
//! changed about the store.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

use super::{Database, StorageError};
use crate::domain::error::ErrorClass;
use crate::domain::run::Lease;

/// What the store's row says at the renewal of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The store's own budget, calls a minute; `None` = the configured one.
    pub calls_per_minute: Option<u32>,
    /// Nobody calls the store before.
    pub silent_until: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Row {
    calls_per_minute: Option<i64>,
    silent_until: Option<DateTime<Utc>>,
}

/// Extends the lease to `until`, or leaves it as it is when it holds for longer already; `None` when it is lost.
/// One that has run out and that nobody has taken over is good again.
///
/// # Errors
/// [`StorageError::Query`]; then it is not known whether it was extended.
pub async fn renew(db: &Database, lease: &Lease, until: DateTime<Utc>) -> Result<Option<Renewed>, StorageError> {
    let sql = "/* renew */ UPDATE runs SET \
         lease_expires_at = CASE WHEN lease_expires_at < $1 THEN $1 ELSE lease_expires_at END \
         WHERE id = $2 AND lease_owner = $3 AND lease_epoch = $4 AND state = 'running' RETURNING \
         (SELECT calls_per_minute FROM stores WHERE stores.id = runs.store_id) AS calls_per_minute, \
         (SELECT silent_until FROM stores WHERE stores.id = runs.store_id) AS silent_until";
    let values: [Value; 4] = [until.into(), lease.run_id.into(), lease.owner.as_str().into(), lease.epoch.into()];
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let row = Row::find_by_statement(statement).one(db.orm()).await.map_err(StorageError::query("renew a lease"))?;
    Ok(row.map(|row| Renewed {
        calls_per_minute: row.calls_per_minute.and_then(|calls| u32::try_from(calls).ok()),
        silent_until: row.silent_until,
    }))
}

/// Writes down that the holder of the lease let the run go because it made no progress for `stood_still`. The lease is left
/// to run out; whoever claims the run then sees why. Does nothing when the lease is lost.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn note_hang(db: &Database, lease: &Lease, stood_still: Duration) -> Result<(), StorageError> {
    let sql = "/* note_hang */ UPDATE runs SET error_class = $1, error = $2 \
         WHERE id = $3 AND lease_owner = $4 AND lease_epoch = $5 AND state = 'running'";
    let said = format!("the run made no progress for {} s and was let go", stood_still.as_secs());
    let values: [Value; 5] = [
        ErrorClass::Internal.as_str().into(),
        said.into(),
        lease.run_id.into(),
        lease.owner.as_str().into(),
        lease.epoch.into(),
    ];
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    db.orm().execute_raw(statement).await.map_err(StorageError::query("note a hanging run"))?;
    Ok(())
}
