//! Pages of a list that are stored together: with `fetch.in_flight` at 1 each by itself, so that a crash repeats one page at most;
//! above it as many as come while the database is busy, up to `fetch.group_products` and so much time. They are stored in the order
//! of the list, with the checkpoint behind the last of them.

use std::time::Duration;

use tokio::time::Instant;

use super::at_work::{AtWork, Commit};
use super::outcome::Stop;
use crate::domain::finding::Finding;
use crate::domain::product::Product;
use crate::domain::run::Checkpoint;
use crate::storage::products::Quarantined;

/// Pages wait no longer to be stored.
const LONGEST: Duration = Duration::from_millis(250);

/// How many products may wait for the database.
pub fn products_waiting(work: &AtWork<'_>) -> u32 {
    let fetch = &work.syncer.config.fetch;
    if fetch.in_flight > 1 { fetch.group_products } else { 0 }
}

/// See the module.
#[derive(Default)]
pub struct Group {
    /// Products to store.
    pub products: Vec<Product<'static>>,
    /// Records that are none.
    pub quarantined: Vec<Quarantined<'static>>,
    /// What was found and is left for later.
    pub found: Vec<Finding>,
    /// Records taken in, besides those that are found.
    pub seen: usize,
    /// Of those, products that are held just so.
    pub unchanged: usize,
    /// Pages that brought something.
    pub pages: u32,
    /// The checkpoint behind the pages, and since when the first of them waits.
    behind: Option<(Checkpoint, Instant)>,
}

impl Group {
    /// The checkpoint behind its pages, to be moved behind one more.
    pub fn checkpoint(&mut self, work: &AtWork<'_>) -> &mut Checkpoint {
        let begin = || (work.checkpoint.clone(), work.syncer.clock.instant());
        &mut self.behind.get_or_insert_with(begin).0
    }

    /// Whether it is time to store it; `more` says that the next page is here already.
    pub fn is_due(&self, work: &AtWork<'_>, more: bool) -> bool {
        let rows = self.products.len() + self.quarantined.len() + self.found.len();
        let waits = |since: &Instant| work.syncer.clock.instant() - *since >= LONGEST;
        let most = products_waiting(work) as usize;
        rows >= most
            || (rows >= most / 2 && !more)
            || work.stop.is_cancelled()
            || self.behind.as_ref().is_some_and(|(_, since)| waits(since))
    }

    /// Stores its pages and moves the run's checkpoint behind them; nothing where there are none.
    pub async fn store(&mut self, work: &mut AtWork<'_>) -> Result<(), Stop> {
        let Self { products, quarantined, found, seen, unchanged, pages, behind } = std::mem::take(self);
        let Some((checkpoint, _)) = behind else { return Ok(()) };
        let commit = Commit {
            products: &products,
            quarantined: &quarantined,
            found: &found,
            pages,
            seen,
            unchanged,
            ..Commit::default()
        };
        work.commit(commit, checkpoint).await
    }

    /// Stores its pages before the run ends for this reason, which is not worth less for it.
    pub async fn store_before(&mut self, work: &mut AtWork<'_>, stop: Stop) -> Stop {
        self.store(work).await.err().unwrap_or(stop)
    }
}
