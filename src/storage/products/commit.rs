//! The commit of a page: its changed products, their lines of the change feed, the quarantine and the checkpoint in one transaction
//! that compares the lease's epoch.

use std::future::ready;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::packed::NewProducts;
use super::writes::Plan;
use crate::domain::finding::Finding;
use crate::domain::product::{ContentHash, Product};
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::page::{Quarantined, Transaction};
use crate::storage::{Database, Engine, StorageError};

/// A transaction that waits for the one before it gives a sign of life so often: PostgreSQL ends one in which nothing happens.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// A page ready to be written.
#[derive(Debug)]
pub struct PageWrite<'a> {
    /// The right to write.
    pub lease: &'a Lease,
    /// How long the lease holds from now; committing a page renews it.
    pub lease_for: TimeDelta,
    /// Products that the mirror does not hold, if there are such among those of the page.
    pub new: Option<NewProducts>,
    /// The other normalised products, each `inventory_id` once.
    pub products: Vec<Product<'a>>,
    /// Whether what is stored of them is known to be wrong, whatever its hashes say.
    pub afresh: bool,
    /// Records of the page that are no products.
    pub quarantined: &'a [Quarantined<'a>],
    /// Where the walk goes on after this page.
    pub checkpoint: &'a Checkpoint,
    /// What a sweep has found on it and leaves for later.
    pub found: &'a [Finding],
    /// Findings that are dealt with by this page.
    pub done: &'a [i64],
    /// Time of the commit.
    pub now: DateTime<Utc>,
}

/// Writes the changed products of a page, the change feed, the quarantine and the checkpoint. `counts` are those of the run without
/// this page's `inserted`, `updated`, `unchanged` and `quarantined`.
///
/// Returns the counts of the run with this page in them. [`StorageError::LeaseLost`] means that nothing was written
/// and the run is somebody else's now.
pub async fn commit_page(db: &Database, page: PageWrite<'_>, counts: Counts) -> Result<Counts, StorageError> {
    let run_id = page.lease.run_id;
    commit_page_behind(db, page, ready(Some(counts))).await?.ok_or(StorageError::LeaseLost { run_id })
}

/// [`commit_page`] while the page before it is being written: `counts` come when that one is durable, and `None` if it is not going to
/// be; then this one is not written either, and `None` comes of it. No product may be in both.
///
/// What can be done before is done before: everything is made ready, and on PostgreSQL, which has more than one writer, the rows of
/// the products are written. The checkpoint and the feed wait, so that both only ever grow in the order of the pages.
pub async fn commit_page_behind(
    db: &Database,
    page: PageWrite<'_>,
    counts: impl Future<Output = Option<Counts>>,
) -> Result<Option<Counts>, StorageError> {
    let run_id = page.lease.run_id;
    match write(db, page, counts).await.map_err(StorageError::sql("write a page of products"))? {
        Written::Whole(counts) => Ok(Some(counts)),
        Written::NotOurs => Err(StorageError::LeaseLost { run_id }),
        Written::NotItsTurn => Ok(None),
        Written::NotNew(inventory_id) => Err(StorageError::Overtaken { inventory_id }),
    }
}

enum Written {
    Whole(Counts),
    /// The lease is lost.
    NotOurs,
    /// The page before it was not written.
    NotItsTurn,
    /// This product is held by now.
    NotNew(i64),
}

async fn write(
    db: &Database,
    page: PageWrite<'_>,
    counts: impl Future<Output = Option<Counts>>,
) -> sqlx::Result<Written> {
    let store_id = page.lease.store_id;
    let new = page.new.unwrap_or_else(|| NewProducts::of_run(page.lease, page.now));
    let ids: Vec<i64> =
        page.products.iter().map(|product| product.inventory_id).chain(new.ids().iter().copied()).collect();
    let mut tx = Transaction::begin_page(db, page.lease).await?;
    let mut known = tx.known(store_id, &ids).await?;
    if let Some(overtaken) = new.ids().iter().copied().find(|id| known.contains_key(id)) {
        // It may have been written by whoever has the run now.
        return Ok(if tx.holds(page.lease).await? { Written::NotNew(overtaken) } else { Written::NotOurs });
    }
    if page.afresh {
        for known in known.values_mut() {
            known.hash = ContentHash::default();
        }
    }
    // What is written is packed, and may have to wait.
    let mut writes = Plan::new(new, page.products, &known).writes(&mut tx, store_id).await?;

    let counts = match db.engine() {
        Engine::Postgres => {
            tx.rows(store_id, &writes.added, std::mem::take(&mut writes.steps)).await?;
            tx.wait_for(counts, || db.clock().sleep(SIGN_OF_LIFE)).await?
        }
        Engine::Sqlite => {
            tx.commit().await?;
            let counts = counts.await;
            tx = Transaction::begin(db).await?;
            counts
        }
    };
    let Some(mut counts) = counts else { return Ok(Written::NotItsTurn) };
    counts.inserted += writes.added.len() as i64;
    counts.updated += writes.updated as i64;
    counts.unchanged += (ids.len() - writes.added.len() - writes.updated) as i64;
    counts.quarantined += page.quarantined.len() as i64;
    if !tx.checkpoint(page.lease, page.checkpoint, &counts, page.now + page.lease_for).await? {
        return Ok(Written::NotOurs);
    }
    if !writes.steps.is_empty() {
        tx.rows(store_id, &writes.added, writes.steps).await?;
    }
    tx.write_out(store_id, &writes.written_out).await?;
    tx.feed(store_id, writes.feed).await?;
    tx.hash(store_id, &writes.unhashed).await?;
    tx.quarantine(page.lease, page.quarantined, page.now).await?;
    tx.found(page.lease.run_id, page.found).await?;
    tx.done(page.lease.run_id, page.done).await?;
    tx.commit().await?;
    Ok(Written::Whole(counts))
}
