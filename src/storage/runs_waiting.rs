//! Whether a run waits for a worker: what a run that has had its slice asks before it gives its place to others.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement};

use super::runs::UNFINISHED;
use super::{Database, StorageError};

/// Whether any run is due and nobody works on it: queued, or left behind by a worker whose lease ran out. One look
/// into the index of due runs.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn anyone_waiting(db: &Database, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let sql = format!(
        "/* anyone_waiting */ SELECT id FROM runs WHERE {UNFINISHED} \
         AND (state = 'queued' AND scheduled_at <= $1 OR state = 'running' AND lease_expires_at < $1) LIMIT 1"
    );
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [now.into()]);
    let found = db.orm().query_one_raw(statement).await.map_err(StorageError::query("see whether runs wait"))?;
    Ok(found.is_some())
}
