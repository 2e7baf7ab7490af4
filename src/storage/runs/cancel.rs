//! A person's wish that a run ends.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, Value};

use super::{UNFINISHED, counted, read};
use crate::domain::run::{Counts, Lease, RunState};
use crate::entity::runs;
use crate::storage::{Database, StorageError, wake};

/// What became of the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Nobody worked on the run: it has ended.
    AtOnce,
    /// Its worker writes nothing more; the run ends when that worker notices, or at this time at the latest.
    Asked {
        /// End of the lease.
        until: DateTime<Utc>,
    },
    /// There is no such run, or it had ended before.
    No,
}

/// Cancels a run: one that waits, and one whose worker has fallen silent for as long as its lease held, end at once. One
/// that is worked on is marked. The epoch rises in any case, so whoever worked on it writes nothing more. The marked run
/// keeps its place until [`confirm_cancelled`] or the end of the lease, so that no other run of the store begins while the
/// old worker may still make a call.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn cancel(db: &Database, run_id: i64, reason: &str, now: DateTime<Utc>) -> Result<Cancelled, StorageError> {
    let doing = "cancel a run";
    let idle = "(state = 'queued' OR lease_expires_at <= $1)";
    let sql = format!(
        "/* cancel */ UPDATE runs SET error = $2, \
         lease_epoch = CASE WHEN cancel_requested_at IS NULL THEN lease_epoch + 1 ELSE lease_epoch END, \
         cancel_requested_at = CASE WHEN {idle} THEN cancel_requested_at ELSE COALESCE(cancel_requested_at, $1) END, \
         state = CASE WHEN {idle} THEN 'cancelled' ELSE state END, \
         finished_at = CASE WHEN {idle} THEN $1 ELSE finished_at END, \
         lease_owner = CASE WHEN {idle} THEN NULL ELSE lease_owner END, \
         lease_expires_at = CASE WHEN {idle} THEN NULL ELSE lease_expires_at END \
         WHERE id = $3 AND {UNFINISHED} RETURNING *"
    );
    let tx = db.begin_write().await?;
    let values: [Value; 3] = [now.into(), reason.into(), run_id.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let model = runs::Entity::find().from_raw_sql(statement).one(&tx).await.map_err(StorageError::query(doing))?;
    let Some(run) = model.map(read).transpose()? else { return Ok(Cancelled::No) };
    wake::notify(&tx, db).await?;
    tx.commit().await.map_err(StorageError::query(doing))?;
    Ok(match run.lease_expires_at.filter(|_| run.state == RunState::Running) {
        Some(until) => Cancelled::Asked { until },
        None => Cancelled::AtOnce,
    })
}

/// Ends a run whose lease was lost because it was cancelled; for the worker that held it, once it makes no call any more.
/// Without `counts` they stay as the last page left them. `false` when the lease was lost for another reason.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn confirm_cancelled(
    db: &Database,
    lost: &Lease,
    counts: Option<&Counts>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    use runs::Column;
    let update = runs::Entity::update_many()
        .filter(Column::Id.eq(lost.run_id))
        .filter(Column::LeaseOwner.eq(lost.owner.as_str()))
        .filter(Column::LeaseEpoch.eq(lost.epoch + 1))
        .filter(Column::CancelRequestedAt.is_not_null())
        .filter(Column::State.eq(RunState::Running.as_str()));
    let update = match counts {
        Some(counts) => counted(update, counts),
        None => update,
    };
    let update = update
        .col_expr(Column::State, RunState::Cancelled.as_str().into())
        .col_expr(Column::LeaseExpiresAt, None::<DateTime<Utc>>.into())
        .col_expr(Column::FinishedAt, now.into());
    Ok(update.exec(db.orm()).await.map_err(StorageError::query("end a cancelled run"))?.rows_affected == 1)
}
