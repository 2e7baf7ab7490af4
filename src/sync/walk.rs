//! The walk in full detail: page after page, each committed with its checkpoint before the next is begun (or, with
//! `fetch.in_flight` above 1, before so many are under way that a crash would repeat more).
//!
//! [`super::sequence`] says which page is next and when the list is at its end. A request that is refused is made once more
//! before anything of it is given up. What slips between two pages is the closing list's to find ([`super::sweep`]).

use std::collections::VecDeque;
use std::pin::pin;

use tracing::debug;

use super::at_work::{Ahead, AtWork, end_of_patience};
use super::commit::Commit;
use super::outcome::Stop;
use super::page::{keep_last, normalize, note_dates};
use super::seen::Seen;
use super::sequence::{Next, Sequence};
use crate::connector::neto::{self, Page, Shape};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::run::{Checkpoint, ListSoFar, Phase};
use crate::storage::StorageError;

/// Pages after which larger ones are tried again, the first time; then so many times as many.
const PATIENCE: u32 = 8;

/// One walk over a store's catalogue.
struct Walk<'r, 'a> {
    work: &'r mut AtWork<'a>,
    shape: Shape,
    /// The page to ask for next: behind the checkpoint when pages had to be looked at again.
    position: u32,
    seen: Seen,
    sequence: Sequence,
    /// Whether the last request was refused, and is made once more as it was.
    refused: bool,
    /// Pages stored since their size last changed.
    stored: u32,
    /// Pages after which larger ones are tried again.
    patience: u32,
}

/// Walks to the end of the list.
pub async fn walk(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let list = &work.checkpoint.list;
    let mut sequence = Sequence::resume(work.checkpoint.page_size, list);
    if list.unordered && !sequence.doubts.iter().any(|doubt| doubt == UNORDERED) {
        sequence.doubts.push(UNORDERED.to_owned());
    }
    let (shape, seen) = (Shape::full_without(&work.checkpoint.given_up), Seen::resume(list));
    let position = work.checkpoint.page;
    Walk { work, shape, position, seen, sequence, refused: false, stored: 0, patience: PATIENCE }.go().await
}

impl Walk<'_, '_> {
    async fn go(&mut self) -> Result<(), Stop> {
        let (stop, clock) = (self.work.stop, &self.work.syncer.clock);
        let mut patience = pin!(end_of_patience(stop, clock));
        let mut ahead: VecDeque<Ahead> = VecDeque::new();
        let mut to_ask = self.position;
        // Why no more pages are asked for; those under way are stored before the walk ends.
        let mut ending = None;
        loop {
            while ending.is_none() && ahead.len() < self.work.syncer.config.fetch.in_flight as usize {
                ahead.push_back(self.ask(to_ask));
                to_ask += 1;
            }
            let Some(first) = ahead.pop_front() else { return Err(ending.unwrap_or(Stop::Asked)) };
            let page = match self.work.wait(first, patience.as_mut()).await {
                Err(Stop::Remote(error))
                    if error.class == ErrorClass::Rejected
                        && self.work.ask_otherwise(&mut self.shape, &mut self.refused, &error).await?
                        || error.too_much && self.smaller() && self.work.try_less(&error) =>
                {
                    ahead.clear();
                    to_ask = self.position;
                    continue;
                }
                page => page?,
            };
            match self.store_page(&page).await? {
                Next::End => return Ok(()),
                Next::Store if ending.is_none() => ending = self.pause().await?,
                Next::Store => {}
                Next::Jump(page) => {
                    ahead.clear();
                    self.position = page;
                    to_ask = page;
                }
            }
            if self.work.stop.is_cancelled() {
                ending = Some(Stop::Asked);
            }
        }
    }

    /// A list in no order could not be counted on behind an interruption, so only a stop ends its walk.
    async fn pause(&mut self) -> Result<Option<Stop>, StorageError> {
        if self.seen.unordered { Ok(None) } else { self.work.pause().await }
    }

    /// Starts asking for a page.
    fn ask(&self, page: u32) -> Ahead {
        let AtWork { store, credential, checkpoint, .. } = &*self.work;
        let request = neto::walk(&store.url, credential, &self.shape, page, checkpoint.page_size, self.work.since());
        self.work.begin(request, format!("page {page}"))
    }

    /// Normalises and writes a page and moves the checkpoint behind it.
    async fn store_page(&mut self, page: &Page) -> Result<Next, Stop> {
        self.work.met().await?;
        self.refused = false;
        let number = self.position;
        let (mut products, quarantined) = normalize(page);
        let seen = &mut self.seen;
        let next = self.sequence.judge(number, page.records().len(), || {
            let ids = products.iter().map(|product| product.inventory_id);
            let known_bad = quarantined.iter().filter_map(|record| record.inventory_id);
            let bad = quarantined.iter().filter(|record| record.inventory_id.is_none()).map(|record| &*record.raw);
            seen.page(ids.chain(known_bad), bad) > 0
        });
        if next != Next::Store {
            if next == Next::End {
                self.work.checkpoint.list = self.list_so_far();
            }
            return Ok(next);
        }
        keep_last(&mut products);
        let mut checkpoint = Checkpoint {
            page: number + 1,
            list: self.list_so_far(),
            phase: Phase::Walk,
            ..self.work.checkpoint.clone()
        };
        note_dates(&mut checkpoint.newest, page.current_time.as_deref(), &products);
        let seen = products.len() + quarantined.len();
        let commit = Commit { products, quarantined: &quarantined, seen, pages: 1, ..Commit::default() };
        self.work.commit(commit, checkpoint).await?;
        debug!(page = number, page.items = page.records().len(), page.bytes = page.bytes(), "page stored");
        self.position = number + 1;
        let max_pages = self.work.syncer.config.fetch.max_pages;
        if self.position >= max_pages {
            return Err(endless(max_pages).into());
        }
        self.stored += 1;
        Ok(if self.larger() { Next::Jump(self.position) } else { Next::Store })
    }

    /// Goes on with pages of half the size. `false` when they are of one record already.
    fn smaller(&mut self) -> bool {
        if self.work.checkpoint.page_size < self.work.page_size() {
            // It did not bear the larger ones that were tried, or these are still too large.
            self.patience = self.patience.saturating_mul(PATIENCE);
        }
        let start = self.start();
        let any = self.work.smaller_pages(self.work.checkpoint.page_size as usize);
        self.begin_at(start);
        any
    }

    /// Goes on with pages of twice the size, if it is time for that and one of them begins here.
    fn larger(&mut self) -> bool {
        let size = self.work.checkpoint.page_size;
        let larger = size.saturating_mul(2).min(self.work.page_size());
        let start = self.start();
        if larger <= size || self.stored < self.patience || !start.is_multiple_of(u64::from(larger)) {
            return false;
        }
        debug!(page_size = larger, "trying larger pages again");
        self.work.checkpoint.page_size = larger;
        self.begin_at(start);
        true
    }

    /// Records before the next page.
    fn start(&self) -> u64 {
        u64::from(self.position) * u64::from(self.work.checkpoint.page_size)
    }

    /// The next page is the one that holds record `start`.
    fn begin_at(&mut self, start: u64) {
        let size = self.work.checkpoint.page_size;
        self.position = u32::try_from(start / u64::from(size)).unwrap_or(u32::MAX);
        self.work.checkpoint.page = self.position;
        // How full the pages before were says nothing about pages of this size.
        let doubts = std::mem::take(&mut self.sequence.doubts);
        self.sequence = Sequence::resume(size, &ListSoFar { doubts, ..ListSoFar::default() });
        self.stored = 0;
    }

    fn list_so_far(&self) -> ListSoFar {
        ListSoFar {
            last: self.sequence.last,
            largest: self.sequence.largest_before,
            highest_id: self.seen.highest_id,
            unordered: self.seen.unordered,
            doubts: self.sequence.doubts.clone(),
        }
    }
}

/// A list without an end.
pub fn endless(max_pages: u32) -> RemoteError {
    RemoteError::new(ErrorClass::Data, format!("the list does not end within fetch.max_pages = {max_pages}"))
        .hint("raise it if the store is really that large")
}

/// A doubt about a walk that was interrupted.
const UNORDERED: &str = "the store lists its products in no order, so those it listed before and after an interruption cannot be told apart";
