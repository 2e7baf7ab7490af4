//! Pages of a list that are stored together: with `fetch.in_flight` at 1 each by itself, so that a crash repeats one page at most; above
//! it as many as come while the database is busy, up to `fetch.group_products`, so many bytes and so much time. They are stored in the order
//! of the list, with the checkpoint behind the last of them; while one group is being stored, the next is made ready.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::at_work::AtWork;
use super::commit::Commit;
use super::outcome::Stop;
use crate::domain::finding::Finding;
use crate::domain::product::Product;
use crate::domain::run::{Checkpoint, Counts};
use crate::storage::StorageError;
use crate::storage::products::{NewProducts, Quarantined};

/// Products wait no longer to be stored once they take so many bytes of memory, about.
const MOST_BYTES: usize = 9 * 512 * 1024;
/// So many times the bytes of its record takes a product that is not packed, with what is held of it, which it is compared with.
const UNPACKED: usize = 6;
/// So many products that are held are worth a write where nothing else is being written. While a list comes that has changed here and
/// there, most of what it has changed is stored by the time it ends.
const WORTH_A_WRITE: usize = 50;
/// Pages wait no longer to be stored.
const LONGEST: Duration = Duration::from_millis(250);
/// Groups on their way into the database at once.
const UNDER_WAY: usize = 2;

/// How many products are stored together, at the most; 0 = each page by itself.
fn products_together(work: &AtWork<'_>) -> u32 {
    let fetch = &work.syncer.config.fetch;
    if fetch.in_flight > 1 { fetch.group_products } else { 0 }
}

/// How many pages of so many `records` and `bytes` may wait to join a group.
pub fn pages_waiting(work: &AtWork<'_>, records: u32, bytes: usize) -> usize {
    waiting(products_together(work), records, bytes)
}

/// Half a group of so many products, or less where pages are large, as a product that waits takes three times the room of one that is
/// packed.
fn waiting(together: u32, records: u32, bytes: usize) -> usize {
    ((together / 2 / records) as usize).min(MOST_BYTES / 3 / bytes.max(1))
}

/// Pages that are stored together.
#[derive(Default)]
pub struct Group {
    /// Products to store that are not held.
    new: Option<NewProducts>,
    /// Other products to store.
    pub products: Vec<Product<'static>>,
    /// Bytes they take, about.
    bytes: usize,
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

/// The groups of a list, each either open or on its way into the database.
#[derive(Default)]
pub struct Groups {
    /// The one that grows.
    pub open: Group,
    /// Those on their way, in the order of the list.
    under_way: VecDeque<UnderWay>,
    /// Gives the counts of the run behind the last of them, once it is durable.
    counts: Option<oneshot::Receiver<Counts>>,
}

struct UnderWay {
    behind: Checkpoint,
    /// `None` comes of a group that follows one that could not be stored.
    task: AbortOnDropHandle<Result<Option<Counts>, StorageError>>,
}

impl Groups {
    /// The checkpoint behind all pages, to be moved behind one more.
    pub fn checkpoint(&mut self, work: &AtWork<'_>) -> &mut Checkpoint {
        let Self { open, under_way, .. } = self;
        let begin = || (last(under_way, work).clone(), work.syncer.clock.instant());
        &mut open.behind.get_or_insert_with(begin).0
    }

    /// How many pages the list has had.
    pub fn pages(&self, work: &AtWork<'_>) -> u32 {
        let open = self.open.behind.as_ref().map(|(checkpoint, _)| checkpoint);
        open.unwrap_or_else(|| last(&self.under_way, work)).listed.pages
    }

    /// Begins to store the open group where it is time to; `more` says that the next page is here already. Says whether it did.
    pub async fn store_when_due(&mut self, work: &mut AtWork<'_>, more: bool) -> Result<bool, Stop> {
        while self.under_way.front().is_some_and(|group| group.task.is_finished()) {
            self.settle_first(work).await?;
        }
        let most = products_together(work) as usize;
        let due = self.open.is_due(most, more, self.under_way.is_empty(), work.syncer.clock.instant());
        if !due && !work.stop.is_cancelled() {
            return Ok(false);
        }
        let may_go_on = if most == 0 { 0 } else { UNDER_WAY - 1 };
        self.begin(work);
        while self.under_way.len() > may_go_on {
            self.settle_first(work).await?;
        }
        Ok(true)
    }

    /// Stores all pages and moves the run's checkpoint behind them; nothing where there are none.
    pub async fn store(&mut self, work: &mut AtWork<'_>) -> Result<(), Stop> {
        self.begin(work);
        while !self.under_way.is_empty() {
            self.settle_first(work).await?;
        }
        Ok(())
    }

    /// Ends with the list: what is under way is stored, what is open is not.
    pub async fn end(mut self, work: &mut AtWork<'_>, list: Result<(), Stop>) -> Result<(), Stop> {
        self.open = Group::default();
        let stored = self.store(work).await;
        list.and(stored)
    }

    /// Stores all pages before the run ends for this reason, which is not worth less for it.
    pub async fn store_before(&mut self, work: &mut AtWork<'_>, stop: Stop) -> Stop {
        self.store(work).await.err().unwrap_or(stop)
    }

    fn begin(&mut self, work: &AtWork<'_>) {
        let Group { new, products, quarantined, found, seen, unchanged, pages, behind, bytes: _ } =
            std::mem::take(&mut self.open);
        let Some((checkpoint, _)) = behind else { return };
        let behind = work.with_budget(checkpoint);
        let (tell, counts) = oneshot::channel();
        let before = self.counts.replace(counts).filter(|_| !self.under_way.is_empty());
        let (writer, checkpoint, now) = (work.writer(), behind.clone(), work.counts);
        let write = async move {
            let commit = Commit {
                new,
                products,
                quarantined: &quarantined,
                found: &found,
                pages,
                seen,
                unchanged,
                ..Commit::default()
            };
            let before = async {
                match before {
                    Some(counts) => counts.await.ok(),
                    None => Some(now),
                }
            };
            let written = writer.write(commit, &checkpoint, before).await?;
            // Nobody waits for it where no group follows.
            written.map(|counts| tell.send(counts).ok());
            Ok(written)
        };
        let (db, write) = (work.syncer.db.clone(), Box::pin(write.in_current_span()));
        let task = AbortOnDropHandle::new(tokio::spawn(async move { db.write_beside(write).await }));
        self.under_way.push_back(UnderWay { behind, task });
    }

    /// Waits until the first group under way is stored. Where that fails, those behind it are let go.
    async fn settle_first(&mut self, work: &mut AtWork<'_>) -> Result<(), Stop> {
        let Some(UnderWay { behind, task }) = self.under_way.pop_front() else { return Ok(()) };
        let written = task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        match written {
            Ok(written) => work.committed(written.expect("the groups before it are stored"), behind),
            Err(error) => {
                self.under_way.clear();
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// The checkpoint behind the groups that are under way.
fn last<'g>(under_way: &'g VecDeque<UnderWay>, work: &'g AtWork<'_>) -> &'g Checkpoint {
    under_way.back().map_or(&work.checkpoint, |last| &last.behind)
}

impl Group {
    /// Adds products, told by records of so many bytes each: those that are not held are packed at once.
    pub fn add(
        &mut self,
        work: &AtWork<'_>,
        products: Vec<Product<'static>>,
        bytes: usize,
        is_held: impl Fn(i64) -> bool,
    ) {
        for product in products {
            if is_held(product.inventory_id) {
                self.bytes += UNPACKED * bytes;
                self.products.push(product);
            } else {
                self.bytes += bytes;
                let none = || NewProducts::of_run(work.lease, work.syncer.clock.now());
                self.new.get_or_insert_with(none).add(&product);
            }
        }
    }

    /// Whether it is time to store it, where `most` rows are stored together. `more` says that the next page is here already, `idle` that
    /// nothing is being stored.
    fn is_due(&self, most: usize, more: bool, idle: bool, now: Instant) -> bool {
        let new = self.new.as_ref().map_or(0, |new| new.ids().len());
        let rows = new + self.products.len() + self.quarantined.len() + self.found.len();
        rows >= most
            || self.bytes >= MOST_BYTES
            || (rows >= most / 2 && !more)
            || (idle && self.products.len() >= WORTH_A_WRITE)
            || self.behind.as_ref().is_some_and(|(_, since)| now - *since >= LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOGETHER: usize = 1_000;

    /// A group with so many products that are held.
    fn changed(products: usize) -> Group {
        Group { products: (0..products as i64).map(Product::empty).collect(), ..Group::default() }
    }

    fn due(group: &Group, more: bool, idle: bool) -> bool {
        group.is_due(TOGETHER, more, idle, Instant::now())
    }

    #[test]
    fn a_full_group_is_stored_and_half_of_one_where_no_page_is_here_to_join_it() {
        assert!(due(&changed(TOGETHER), true, false));
        assert!(!due(&changed(TOGETHER - 1), true, false));
        assert!(due(&changed(TOGETHER / 2), false, false));
        assert!(!due(&changed(TOGETHER / 2 - 1), false, false));
        assert!(changed(0).is_due(0, true, true, Instant::now()), "each page by itself");
    }

    #[test]
    fn a_few_changed_products_are_stored_while_nothing_else_is() {
        assert!(due(&changed(WORTH_A_WRITE), true, true));
        assert!(!due(&changed(WORTH_A_WRITE - 1), true, true));
        assert!(!due(&changed(WORTH_A_WRITE), true, false));
    }

    #[test]
    fn large_products_are_stored_in_smaller_groups() {
        assert!(due(&Group { bytes: MOST_BYTES, ..changed(1) }, true, false));
        assert!(!due(&Group { bytes: MOST_BYTES - 1, ..changed(1) }, true, false));
    }

    #[test]
    fn no_page_waits_longer_than_a_moment() {
        let (checkpoint, since) = (Checkpoint::default(), Instant::now());
        let group = Group { behind: Some((checkpoint, since)), ..changed(1) };
        assert!(group.is_due(TOGETHER, true, false, since + LONGEST));
        assert!(!group.is_due(TOGETHER, true, false, since + LONGEST / 2));
    }

    #[test]
    fn pages_wait_in_smaller_numbers_where_they_are_large() {
        assert_eq!(waiting(1_000, 100, 0), 5, "half a group");
        assert_eq!(waiting(1_000, 100, MOST_BYTES / 6), 2);
        assert_eq!(waiting(1_000, 100, MOST_BYTES), 0);
        assert_eq!(waiting(0, 100, 1_000), 0, "each page is stored by itself");
    }
}
