//! Stores whose last run failed, as incidents. Read from the runs at every tick instead of being told by whoever ends a run, so
//! that no way for a run to fail is forgotten.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Database, StorageError};

/// The newest sync of a store that succeeded or failed; what was cancelled says nothing.
const LAST_ENDED: &str = "(SELECT id FROM runs WHERE store_id = s.id AND state IN ('succeeded', 'failed') AND kind <> 'audit' \
                          ORDER BY id DESC LIMIT 1)";

/// A store whose last run failed.
#[derive(Clone, Debug)]
pub struct Failing {
    /// Key of the store.
    pub store_id: i64,
    /// Its name.
    pub store: String,
    /// Its connector.
    pub connector: String,
    /// What the run said.
    pub error: Option<String>,
    /// When it ended.
    pub failed_at: DateTime<Utc>,
}

/// The stores whose last run failed, not for want of a key, and of which no open incident says so. Paused ones are left out.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn newly_failing(db: &Database, now: DateTime<Utc>) -> Result<Vec<Failing>, StorageError> {
    find(db, now).await.map_err(StorageError::query("look for stores that fail"))
}

async fn find(db: &Database, now: DateTime<Utc>) -> Result<Vec<Failing>, DbErr> {
    let sql = format!(
        "/* newly_failing */ SELECT s.id, s.name, s.connector, r.error, r.finished_at \
         FROM stores s JOIN runs r ON r.id = {LAST_ENDED} \
         WHERE r.state = 'failed' AND r.finished_at IS NOT NULL AND COALESCE(r.error_class, '') <> 'unauthorized' \
         AND (s.paused_at IS NULL OR s.paused_until <= $1) AND NOT EXISTS (SELECT 1 FROM incidents i \
         WHERE i.store_id = s.id AND i.kind = 'store_failing' AND i.closed_at IS NULL) ORDER BY s.id"
    );
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [now.into()]);
    let rows = db.orm().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            Ok(Failing {
                store_id: row.try_get_by_index(0)?,
                store: row.try_get_by_index(1)?,
                connector: row.try_get_by_index(2)?,
                error: row.try_get_by_index(3)?,
                failed_at: row.try_get_by_index(4)?,
            })
        })
        .collect()
}

/// Closes the incidents of stores whose last run succeeded.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn close_recovered(db: &Database, now: DateTime<Utc>) -> Result<u64, StorageError> {
    let sql = format!(
        "/* close_recovered */ UPDATE incidents SET closed_at = $1, notice_at = $1, notice_tries = 0 \
         WHERE kind = 'store_failing' AND closed_at IS NULL AND EXISTS (SELECT 1 FROM stores s JOIN runs r \
         ON r.id = {LAST_ENDED} WHERE s.id = incidents.store_id AND r.state = 'succeeded')"
    );
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [now.into()]);
    let done = db.orm().execute_raw(statement).await;
    Ok(done.map_err(StorageError::query("close the incidents of stores that work again"))?.rows_affected())
}
