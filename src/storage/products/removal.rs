//! Marks products removed, with their lines of the change feed, in the transaction that compares the lease's epoch.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::page::Transaction;
use crate::storage::{Database, StorageError};

/// Products the store was asked for by ID and did not have.
#[derive(Debug)]
pub struct Removal<'a> {
    /// The right to write.
    pub lease: &'a Lease,
    /// How long the lease holds from now.
    pub lease_for: TimeDelta,
    /// The products; their findings are dealt with.
    pub ids: &'a [i64],
    /// Where the run goes on.
    pub checkpoint: &'a Checkpoint,
    /// Counts of the run without these removals.
    pub counts: Counts,
    /// Time of the commit.
    pub now: DateTime<Utc>,
}

/// Marks them removed; one that is marked already is left alone. Gives the counts with these removals in them.
///
/// # Errors
/// [`StorageError::LeaseLost`] when the run is somebody else's, [`StorageError::Query`].
pub async fn mark_removed(db: &Database, removal: Removal<'_>) -> Result<Counts, StorageError> {
    let run_id = removal.lease.run_id;
    let written = write(db, &removal).await.map_err(StorageError::sql("mark products removed"))?;
    written.ok_or(StorageError::LeaseLost { run_id })
}

async fn write(db: &Database, removal: &Removal<'_>) -> sqlx::Result<Option<Counts>> {
    let Removal { lease, lease_for, ids, checkpoint, mut counts, now } = *removal;
    let mut tx = Transaction::begin(db).await?;
    let present = tx.present(lease.store_id, ids).await?;
    counts.removed += present.len() as i64;
    if !tx.checkpoint(lease, checkpoint, &counts, now + lease_for).await? {
        return Ok(None);
    }
    tx.remove(lease, &present, now).await?;
    tx.done(lease.run_id, ids).await?;
    tx.commit().await?;
    Ok(Some(counts))
}
