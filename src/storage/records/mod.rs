//! The records of stores with a described connector: a page of one stream and its checkpoint in one transaction, with a few
//! statements a page.
//!
//! [`commit_page`] and [`mark_removed`] are all that writes `records`. A page of unchanged records is one read, one update of the
//! run and a commit. What a run may conclude from a list is not decided here ([`crate::sync`]).

mod copy;
mod feed;
mod held;
mod known;
mod removal;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use xxhash_rust::xxh3::xxh3_128;

pub(super) use self::copy::copy_hashes;
pub use self::held::{count, count_stream, held_keys};
use self::known::Known;
pub use self::removal::{Removal, mark_removed};
use super::page::{Cell, Rows, Transaction};
use super::{Database, StorageError};
use crate::domain::product::ContentHash;
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::products::Quarantined;

/// A record of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What tells it from the others of its stream.
    pub key: &'a str,
    /// The record as JSON in its canonical spelling ([`crate::domain::json::canonical`]).
    pub data: &'a str,
}

/// The longest key that both databases can index, in bytes.
pub const LONGEST_KEY: usize = 1024;

/// A page ready to be written.
#[derive(Debug)]
pub struct PageWrite<'a> {
    /// The right to write.
    pub lease: &'a Lease,
    /// How long the lease holds from now; committing a page renews it.
    pub lease_for: TimeDelta,
    /// The stream it is of.
    pub stream: &'a str,
    /// Its records, each key once and none longer than [`LONGEST_KEY`].
    pub records: &'a [Record<'a>],
    /// Whether the stream was listed by this run before, so that only what is new or different counts.
    pub again: bool,
    /// What on it are no records.
    pub quarantined: &'a [Quarantined<'a>],
    /// Where the list goes on after this page.
    pub checkpoint: &'a Checkpoint,
    /// Counts of the run without this page's `inserted`, `updated`, `unchanged` and `quarantined`.
    pub counts: Counts,
    /// Time of the commit.
    pub now: DateTime<Utc>,
}

/// Writes the changed records of a page, the change feed, the quarantine and the checkpoint in one transaction that compares the
/// lease's epoch. A record that was marked removed is not any more.
///
/// Returns the counts of the run with this page in them. [`StorageError::LeaseLost`] means that nothing was written
/// and the run is somebody else's now.
pub async fn commit_page(db: &Database, page: PageWrite<'_>) -> Result<Counts, StorageError> {
    let run_id = page.lease.run_id;
    let written = write(db, &page).await.map_err(StorageError::sql("write a page of records"))?;
    written.ok_or(StorageError::LeaseLost { run_id })
}

/// [`commit_page`]; `None` when the lease is lost.
async fn write(db: &Database, page: &PageWrite<'_>) -> sqlx::Result<Option<Counts>> {
    let mut tx = Transaction::begin(db).await?;
    let store_id = page.lease.store_id;
    let keys: Vec<&str> = page.records.iter().map(|record| record.key).collect();
    let known = tx.known_records(store_id, page.stream, &keys).await?;
    let plan = Plan::new(page.records, &known);

    let mut counts = page.counts;
    counts.inserted += plan.inserted.len() as i64;
    counts.updated += plan.updated.len() as i64;
    if page.again {
        counts.seen += plan.inserted.len() as i64;
    } else {
        counts.unchanged += (page.records.len() - plan.inserted.len() - plan.updated.len()) as i64;
    }
    counts.quarantined += page.quarantined.len() as i64;
    if !tx.checkpoint(page.lease, page.checkpoint, &counts, page.now + page.lease_for).await? {
        return Ok(None);
    }

    let touched: Vec<Record<'_>> = plan.updated.iter().map(|&index| page.records[index]).collect();
    let versions = tx.versions(store_id, page.stream, &touched).await?;
    let mut rows = Rows::records();
    let mut lines = Vec::with_capacity(plan.inserted.len() + plan.updated.len());
    for &index in plan.inserted.iter().chain(&plan.updated) {
        let record = &page.records[index];
        rows.push(
            &[
                Cell::Int(store_id),
                Cell::Text(page.stream),
                Cell::Text(record.key),
                Cell::Text(record.data),
                Cell::Bytes(&plan.hashes[index]),
                Cell::Time(page.now),
                Cell::Time(page.now),
                Cell::Null,
            ],
            &[],
        );
        let (kind, fields) = match versions.get(record.key) {
            None => ("added", feed::fields(None, record.data)),
            Some((old, new)) if known[record.key].removed => ("restored", feed::fields(Some(old), new)),
            Some((old, new)) => ("changed", feed::fields(Some(old), new)),
        };
        lines.push(feed::Line { key: record.key, kind, fields: Some(fields) });
    }
    tx.insert(rows).await?;
    tx.record_changes(page.lease, page.stream, &lines, page.now).await?;
    tx.quarantine(page.lease, page.quarantined, page.now).await?;
    tx.commit().await?;
    Ok(Some(counts))
}

/// Which records of a page have to be written, as places in the page.
#[derive(Debug, Default)]
struct Plan {
    inserted: Vec<usize>,
    updated: Vec<usize>,
    hashes: Vec<ContentHash>,
}

impl Plan {
    fn new(records: &[Record<'_>], known: &HashMap<String, Known>) -> Self {
        let hash = |record: &Record<'_>| xxh3_128(record.data.as_bytes()).to_le_bytes();
        let mut plan = Self { hashes: records.iter().map(hash).collect(), ..Self::default() };
        for (index, (record, hash)) in records.iter().zip(&plan.hashes).enumerate() {
            match known.get(record.key) {
                None => plan.inserted.push(index),
                Some(known) if known.removed || known.hash != *hash => plan.updated.push(index),
                Some(_) => {}
            }
        }
        plan
    }
}
