//! What a run writes: pages and the checkpoint behind them, one after the other, or one while the next is made ready.

use std::future::ready;
use std::sync::Arc;

use chrono::TimeDelta;

use super::at_work::AtWork;
use super::outcome::Stop;
use crate::domain::finding::Finding;
use crate::domain::product::Product;
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::products::{self, NewProducts, PageWrite, Quarantined, Removal};
use crate::storage::{Database, StorageError};
use crate::transport::{CallContext, LiveLease};

/// What is committed of a page.
#[derive(Default)]
pub struct Commit<'p> {
    /// Products to store that are not held.
    pub new: Option<NewProducts>,
    /// Other products to store.
    pub products: Vec<Product<'p>>,
    /// Whether what is stored of them is known to be wrong.
    pub afresh: bool,
    /// Records that are none.
    pub quarantined: &'p [Quarantined<'p>],
    /// What was found and is left for later.
    pub found: &'p [Finding],
    /// Findings that are dealt with.
    pub done: &'p [i64],
    /// Pages of the store it comes from; one that shows nothing new is a look, not a page that was stored.
    pub pages: u32,
    /// Records taken in, besides those that are found.
    pub seen: usize,
    /// Of those, products that are held just so and need no look of the database.
    pub unchanged: usize,
}

/// What it takes to write for the run, also in a task beside it.
#[derive(Clone)]
pub struct Writer {
    db: Database,
    lease: Lease,
    lease_for: TimeDelta,
    live: Arc<LiveLease>,
    context: Arc<CallContext>,
}

impl Writer {
    /// Writes a page behind the one whose counts, without the calls of this attempt, `before` waits for, and gives those with this page
    /// in them. `None` where the page before was not written, and so this one is not either.
    pub async fn write(
        &self,
        commit: Commit<'_>,
        checkpoint: &Checkpoint,
        before: impl Future<Output = Option<Counts>>,
    ) -> Result<Option<Counts>, StorageError> {
        let renewal = self.live.renewal();
        let page = PageWrite {
            lease: &self.lease,
            lease_for: self.lease_for,
            new: commit.new,
            products: commit.products,
            afresh: commit.afresh,
            quarantined: commit.quarantined,
            found: commit.found,
            done: commit.done,
            checkpoint,
            now: renewal.at,
        };
        let mut calls = 0;
        let counts = async {
            let mut counts = before.await?;
            calls = counts.calls;
            counts.calls += self.context.calls_made().cast_signed();
            counts.pages += i64::from(commit.pages);
            counts.seen += commit.seen as i64;
            counts.unchanged += commit.unchanged as i64;
            Some(counts)
        };
        let written = products::commit_page_behind(&self.db, page, counts).await?;
        if written.is_some() {
            self.live.renewed(renewal);
        }
        Ok(written.map(|written| Counts { calls, ..written }))
    }
}

impl AtWork<'_> {
    /// What it takes to write beside the run.
    pub fn writer(&self) -> Writer {
        Writer {
            db: self.syncer.db.clone(),
            lease: self.lease.clone(),
            lease_for: self.syncer.config.worker.lease(),
            live: self.heartbeat.live.clone(),
            context: self.context.clone(),
        }
    }

    /// A checkpoint with what the budget has now.
    pub fn with_budget(&self, checkpoint: Checkpoint) -> Checkpoint {
        Checkpoint { budget: self.context.budget.state(), ..checkpoint }
    }

    /// Writes what came of a page and moves the checkpoint, in one transaction.
    pub async fn commit(&mut self, commit: Commit<'_>, checkpoint: Checkpoint) -> Result<(), Stop> {
        let checkpoint = self.with_budget(checkpoint);
        let written = self.writer().write(commit, &checkpoint, ready(Some(self.counts))).await?;
        self.committed(written.expect("nothing was to be written before it"), checkpoint);
        Ok(())
    }

    /// Marks products removed that the store was asked for by ID and does not have.
    pub async fn remove(&mut self, ids: &[i64]) -> Result<(), Stop> {
        let checkpoint = self.with_budget(self.checkpoint.clone());
        let renewal = self.heartbeat.live.renewal();
        let removal = Removal {
            lease: self.lease,
            lease_for: self.syncer.config.worker.lease(),
            ids,
            checkpoint: &checkpoint,
            counts: self.counts_now(),
            now: renewal.at,
        };
        let written = products::mark_removed(&self.syncer.db, removal).await?;
        self.heartbeat.live.renewed(renewal);
        self.committed(written, checkpoint);
        Ok(())
    }

    /// Takes note of what was committed.
    pub fn committed(&mut self, written: Counts, checkpoint: Checkpoint) {
        self.heartbeat.pulse.beat();
        self.syncer.metrics().page_committed(&self.counts, &written);
        self.counts = Counts { calls: self.counts.calls, ..written };
        self.checkpoint = checkpoint;
    }
}
