//! Marks records removed, with their lines of the change feed, in the transaction that compares the lease's epoch.

use chrono::{DateTime, TimeDelta, Utc};

use super::feed::Line;
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::page::{Arg, Transaction};
use crate::storage::{Database, StorageError};

/// Records that are gone.
#[derive(Debug)]
pub struct Removal<'a> {
    /// The right to write.
    pub lease: &'a Lease,
    /// How long the lease holds from now.
    pub lease_for: TimeDelta,
    /// The stream they are of.
    pub stream: &'a str,
    /// Their keys.
    pub keys: &'a [String],
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
    let written = write(db, &removal).await.map_err(StorageError::sql("mark records removed"))?;
    written.ok_or(StorageError::LeaseLost { run_id })
}

async fn write(db: &Database, removal: &Removal<'_>) -> sqlx::Result<Option<Counts>> {
    let Removal { lease, lease_for, stream, keys, checkpoint, mut counts, now } = *removal;
    let mut tx = Transaction::begin(db).await?;
    let mut marked = tx.remove_records(lease.store_id, stream, keys, now).await?;
    marked.sort_unstable();
    counts.removed += marked.len() as i64;
    if !tx.checkpoint(lease, checkpoint, &counts, now + lease_for).await? {
        return Ok(None);
    }
    let lines: Vec<_> = marked.iter().map(|key| Line { key, kind: "removed", fields: None }).collect();
    tx.record_changes(lease, stream, &lines, now).await?;
    tx.commit().await?;
    Ok(Some(counts))
}

impl Transaction {
    /// Marks those of the records that are held; their keys.
    async fn remove_records(
        &mut self,
        store_id: i64,
        stream: &str,
        keys: &[String],
        now: DateTime<Utc>,
    ) -> sqlx::Result<Vec<String>> {
        let sql = format!(
            "/* mark_removed */ UPDATE records SET removed_at = $4, changed_at = $4 \
             WHERE store_id = $1 AND key {} AND stream = $3 AND removed_at IS NULL RETURNING key",
            self.among()
        );
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let args = [Arg::Int(store_id), Arg::Texts(&keys), Arg::Text(stream), Arg::Time(now)];
        self.fetch(sql, &args).await?.iter().map(|row| row.some_text(0)).collect()
    }
}
