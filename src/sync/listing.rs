//! A list that is read with seams ([`super::seam`]): its pages come one after the other, and none of its products slips between
//! two of them.

use std::collections::VecDeque;

use super::at_work::{Ahead, AtWork};
use super::foresight::{Foreseen, foresee};
use super::group::{Groups, pages_waiting};
use super::outcome::Stop;
use super::reading::{Read, Reader};
use super::seam::{Ask, Next, Seam};
use super::walk::endless;
use crate::connector::neto::{self, Shape};
use crate::domain::error::ErrorClass;
use crate::domain::page_size::PageSize;
use crate::domain::product::Product;
use crate::domain::run::{Listed, Place};
use crate::storage::StorageError;
use crate::storage::products::Quarantined;

/// A doubt about a list that seams say nothing about.
pub const UNORDERED: &str =
    "the store lists its products in no order, so a product that moved while they were listed may have been missed";

/// Reads a list.
pub struct Listing {
    seam: Seam,
    shape: Shape,
    reader: Reader,
    refused: bool,
    /// Bytes of the last page.
    page_bytes: usize,
    /// Pages on their way, and pages that are here and wait.
    ahead: VecDeque<(Ask, Ahead<Option<Read>>)>,
}

/// A page of the list, and what it brings.
pub struct Piece {
    /// Everything up to this ID was read before; `None` = this is the beginning.
    pub after: Option<i64>,
    /// Everything up to this ID is read with this page; as `after` where no record of it has a readable ID.
    pub upto: Option<i64>,
    /// The products behind `after` that are held just so, by ID.
    pub same: Vec<i64>,
    /// The other products behind `after`, by ID.
    pub products: Vec<Product<'static>>,
    /// Its records that are no products, but for those that lie before `after`.
    pub quarantined: Vec<Quarantined<'static>>,
    /// The server's clock, as sent.
    pub current_time: Option<String>,
}

impl Piece {
    /// Every product it brings, whether held just so or not.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.same.iter().copied().chain(self.products.iter().map(|product| product.inventory_id))
    }
}

/// What comes of a page.
pub enum Turn {
    /// It brings something.
    Piece(Piece),
    /// It says nothing; the next may.
    Again,
    /// The list is at its end; every product up to this ID was listed.
    End(Option<i64>),
    /// The list is in no order.
    Unordered,
}

impl Listing {
    /// Goes on where `seam` is.
    pub fn resume(seam: Seam, shape: Shape, reader: Reader) -> Self {
        Self { seam, shape, reader, refused: false, page_bytes: 0, ahead: VecDeque::new() }
    }

    /// Documented parts of the request that the store has refused.
    pub fn refuses(&self) -> bool {
        self.shape.refused().next().is_some()
    }

    /// Begins to store what its pages have brought when it is time to. An error where the run ends or pauses behind them, and then
    /// they are stored.
    pub async fn store_when_due(&self, work: &mut AtWork<'_>, groups: &mut Groups) -> Result<(), Stop> {
        let next_is_here = self.ahead.front().is_some_and(|(ask, page)| *ask == self.seam.ask() && page.is_finished());
        if !groups.store_when_due(work, next_is_here).await? {
            return Ok(());
        }
        let stop = match Self::bounded(groups.pages(work), work) {
            Ok(()) => work.pause().await?,
            Err(endless) => Some(endless),
        };
        match stop {
            Some(stop) => Err(groups.store_before(work, stop).await),
            None => Ok(()),
        }
    }

    /// Asks for the next page, as often as it takes to get one. Before the run does anything but wait for it, what the pages before
    /// have brought is stored.
    pub async fn page(&mut self, work: &mut AtWork<'_>, groups: &mut Groups) -> Result<(Ask, Read), Stop> {
        loop {
            if work.stop.is_cancelled() {
                return Err(groups.store_before(work, Stop::Asked).await);
            }
            let (ask, first) = self.next(work).await?;
            let error = match work.answer(first).await {
                Ok(Some(read)) => {
                    self.refused = false;
                    return Ok((ask, read));
                }
                Ok(None) => continue,
                Err(Stop::Remote(error)) => error,
                Err(stop) => return Err(groups.store_before(work, stop).await),
            };
            groups.store(work).await?;
            if error.class == ErrorClass::Rejected
                && work.ask_otherwise(&mut self.shape, &mut self.refused, &error).await?
            {
                self.ahead.clear();
            } else if error.too_much && self.seam.smaller(ask) {
                work.checkpoint.listed.too_many = Some(ask.limit);
                // Also for the next attempt, should this one end here.
                work.checkpoint.listed.place = Some(self.seam.place());
                if !work.try_less(&error) {
                    return Err(error.into());
                }
                self.ahead.clear();
            } else {
                return Err(error.into());
            }
        }
    }

    /// The next page, with those behind it on their way: they are what will be asked for if the list is as long as is believed, and
    /// forgotten where that is not so. As many are asked for at once as `fetch.in_flight` allows, and some more may wait to be stored, so
    /// that the store is not kept waiting by the database.
    async fn next(&mut self, work: &AtWork<'_>) -> Result<(Ask, Ahead<Option<Read>>), StorageError> {
        self.reader.pace.go_on();
        if self.ahead.front().is_none_or(|(asked, _)| *asked != self.seam.ask()) {
            // It is on its way while the database is asked how long the list is. Those behind it may be right all the same: one that
            // has shown the end may have kept this one from being asked for.
            let next = self.begin(work, Foreseen::full(self.seam.ask()));
            self.ahead.push_front(next);
        }
        let most = self.most(work);
        let pages = most.max(self.ahead.len());
        let length = if pages > 1 { self.length(work, pages).await? } else { None };
        let foreseen: Vec<_> = foresee(&self.seam, length).take(pages).collect();
        let right = foreseen.iter().zip(&self.ahead).take_while(|(page, (asked, _))| page.ask == *asked).count();
        self.ahead.truncate(right);
        for page in foreseen.into_iter().take(most).skip(right) {
            let begun = self.begin(work, page);
            self.ahead.push_back(begun);
        }
        Ok(self.ahead.pop_front().expect("the next page is on its way"))
    }

    /// Asks for a page.
    fn begin(&self, work: &AtWork<'_>, page: Foreseen) -> (Ask, Ahead<Option<Read>>) {
        let AtWork { store, credential, .. } = work;
        let Ask { page: number, limit } = page.ask;
        let request = neto::walk(&store.url, credential, &self.shape, number, limit, work.since());
        (page.ask, self.reader.begin(request, page, format!("page {number} of {limit} records")))
    }

    /// How many pages may be on their way or wait to be stored. What was edited since the last run mostly fits into one page, so those
    /// behind it are only asked for when it has turned out to be full.
    fn most(&self, work: &AtWork<'_>) -> usize {
        let begins = self.seam.place().position == 0;
        if !self.seam.goes_on() || begins && work.since().is_some() {
            return 1;
        }
        let wait = pages_waiting(work, self.seam.ask().limit, self.page_bytes);
        work.syncer.config.fetch.in_flight as usize + wait
    }

    /// How many records the list has, if what is held tells; where it ends behind the next so many `pages`, that does not matter yet.
    async fn length(&self, work: &AtWork<'_>, pages: usize) -> Result<Option<u64>, StorageError> {
        let Some(held) = self.reader.held.as_ref().filter(|_| work.store.as_of.is_some()) else { return Ok(None) };
        let Place { covered, position, limit } = self.seam.place();
        let left = held.left(covered, pages * PageSize::stretching(limit).most as usize).await?;
        Ok(left.map(|left| position + left as u64))
    }

    /// Judges a page.
    pub fn judge(&mut self, ask: Ask, read: Read) -> Turn {
        let Read { mut ids, mut same, mut products, mut quarantined, current_time, bytes, .. } = read;
        self.page_bytes = bytes;
        if ids.is_sorted() {
            // Where they stood among the products is not known, and does not matter for those in order.
            let before = ids.len();
            ids.extend(quarantined.iter().filter_map(|record| record.inventory_id));
            if ids.len() > before {
                ids.sort_unstable();
                ids.dedup();
            }
        }
        let unreadable = quarantined.iter().filter(|record| record.inventory_id.is_none()).count();
        match self.seam.judge(ask, &ids, ids.len() + unreadable) {
            Next::Store(after) => {
                let behind = |id: i64| after.is_none_or(|after| id > after);
                same.retain(|id| behind(*id));
                products.retain(|product| behind(product.inventory_id));
                quarantined.retain(|record| record.inventory_id.is_none_or(behind));
                let upto = ids.last().copied().max(after);
                Turn::Piece(Piece { after, upto, same, products, quarantined, current_time })
            }
            Next::Again => Turn::Again,
            Next::End => Turn::End(self.seam.place().covered),
            Next::Unordered => Turn::Unordered,
        }
    }

    /// Notes what was judged last; `ids` are the products listed on the page.
    pub fn note(&self, listed: &mut Listed, ids: impl Iterator<Item = i64>) {
        for id in ids {
            listed.first = listed.first.map_or(Some(id), |first| Some(first.min(id)));
            listed.digest.add(id);
        }
        listed.place = Some(self.seam.place());
        listed.pages += 1;
        for doubt in &self.seam.doubts {
            if !listed.doubts.contains(doubt) {
                listed.doubts.push(doubt.clone());
            }
        }
    }

    /// An error if the list has had more pages than a list may have.
    pub fn bounded(pages: u32, work: &AtWork<'_>) -> Result<(), Stop> {
        let max_pages = work.syncer.config.fetch.max_pages;
        if pages >= max_pages { Err(endless(max_pages).into()) } else { Ok(()) }
    }
}
