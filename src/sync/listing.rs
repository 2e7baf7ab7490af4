//! A list that is read with seams ([`super::seam`]): its pages come one after the other, and none of its products slips between
//! two of them.

use std::collections::{HashSet, VecDeque};

use super::at_work::{Ahead, AtWork};
use super::outcome::Stop;
use super::page::{keep_last, normalize};
use super::seam::{Ask, Next, Seam};
use super::walk::endless;
use crate::connector::neto::{self, Page, Shape};
use crate::domain::error::ErrorClass;
use crate::domain::product::Product;
use crate::domain::run::{Checkpoint, Listed};
use crate::storage::products::Quarantined;

/// A doubt about a list that seams say nothing about.
pub const UNORDERED: &str =
    "the store lists its products in no order, so a product that moved while they were listed may have been missed";

/// Reads a list.
pub struct Listing {
    seam: Seam,
    shape: Shape,
    refused: bool,
    /// Pages on their way.
    ahead: VecDeque<(Ask, Ahead)>,
}

/// A page of the list, and what it brings.
pub struct Piece<'p> {
    /// Everything up to this ID was read before; `None` = this is the beginning.
    pub after: Option<i64>,
    /// Everything up to this ID is read with this page; as `after` where no record of it has a readable ID.
    pub upto: Option<i64>,
    /// Its products behind `after`, by ID.
    pub products: Vec<Product<'p>>,
    /// Its records that are no products, but for those that lie before `after`.
    pub quarantined: Vec<Quarantined<'p>>,
}

/// What comes of a page.
pub enum Turn<'p> {
    /// It brings something.
    Piece(Piece<'p>),
    /// It says nothing; the next may.
    Again,
    /// The list is at its end; every product up to this ID was listed.
    End(Option<i64>),
    /// The list is in no order.
    Unordered,
}

impl Listing {
    /// Goes on where `listed` ends, with pages of up to `wish` records.
    pub fn resume(listed: &Listed, shape: Shape, wish: u32) -> Self {
        let seam = listed.place.map_or_else(|| Seam::new(wish), |place| Seam::resume(place, wish));
        Self { seam, shape, refused: false, ahead: VecDeque::new() }
    }

    /// Documented parts of the request that the store has refused.
    pub fn refuses(&self) -> bool {
        self.shape.refused().next().is_some()
    }

    /// Asks for the next page, as often as it takes to get one.
    pub async fn page(&mut self, work: &mut AtWork<'_>) -> Result<(Ask, Page), Stop> {
        loop {
            let (ask, first) = self.next(work);
            match work.answer(first).await {
                Err(Stop::Remote(error))
                    if error.class == ErrorClass::Rejected
                        && work.ask_otherwise(&mut self.shape, &mut self.refused, &error).await? =>
                {
                    self.ahead.clear();
                }
                Err(Stop::Remote(error)) if error.too_much && self.seam.smaller() => {
                    work.checkpoint.listed.too_many = Some(ask.limit);
                    // Also for the next attempt, should this one end here.
                    work.checkpoint.listed.place = Some(self.seam.place());
                    if !work.try_less(&error) {
                        return Err(error.into());
                    }
                    self.ahead.clear();
                }
                page => {
                    self.refused = false;
                    return Ok((ask, page?));
                }
            }
        }
    }

    /// The next page, with those behind it on their way as far as `fetch.in_flight` allows: they are what will be asked for
    /// if each page brings as many records as it is asked for, and forgotten where that is not so.
    fn next(&mut self, work: &AtWork<'_>) -> (Ask, Ahead) {
        if self.ahead.front().is_some_and(|(asked, _)| *asked != self.seam.ask()) {
            self.ahead.clear();
        }
        let AtWork { store, credential, syncer, .. } = work;
        for ask in self.seam.ahead().take(syncer.config.fetch.in_flight as usize).skip(self.ahead.len()) {
            let request = neto::walk(&store.url, credential, &self.shape, ask.page, ask.limit, work.since());
            self.ahead.push_back((ask, work.begin(request, format!("page {} of {} records", ask.page, ask.limit))));
        }
        self.ahead.pop_front().expect("at least one is in flight")
    }

    /// Judges a page.
    pub fn judge<'p>(&mut self, ask: Ask, page: &'p Page) -> Turn<'p> {
        let (mut products, mut quarantined) = normalize(page);
        // A record may come twice on a page; where it came first is its place.
        let mut met = HashSet::with_capacity(products.len());
        let first = products.iter().map(|product| product.inventory_id).filter(|id| met.insert(*id));
        let mut ids: Vec<_> = first.collect();
        keep_last(&mut products);
        products.sort_unstable_by_key(|product| product.inventory_id);
        if ids.is_sorted() {
            // Where they stood among the products is not known, and does not matter for those in order.
            ids.extend(quarantined.iter().filter_map(|record| record.inventory_id));
            ids.sort_unstable();
            ids.dedup();
        }
        let unreadable = quarantined.iter().filter(|record| record.inventory_id.is_none()).count();
        match self.seam.judge(ask, &ids, ids.len() + unreadable) {
            Next::Store(after) => {
                let behind = |id: i64| after.is_none_or(|after| id > after);
                products.retain(|product| behind(product.inventory_id));
                quarantined.retain(|record| record.inventory_id.is_none_or(behind));
                Turn::Piece(Piece { after, upto: ids.last().copied().max(after), products, quarantined })
            }
            Next::Again => Turn::Again,
            Next::End => Turn::End(self.seam.place().covered),
            Next::Unordered => Turn::Unordered,
        }
    }

    /// The checkpoint behind what was judged last; `ids` are the products listed on the page.
    pub fn checkpoint(&self, work: &AtWork<'_>, ids: impl Iterator<Item = i64>) -> Checkpoint {
        let mut checkpoint = work.checkpoint.clone();
        let listed = &mut checkpoint.listed;
        for id in ids {
            listed.first = listed.first.or(Some(id));
            listed.digest.add(id);
        }
        listed.place = Some(self.seam.place());
        listed.pages += 1;
        listed
            .doubts
            .extend(self.seam.doubts.iter().filter(|doubt| !work.checkpoint.listed.doubts.contains(doubt)).cloned());
        checkpoint
    }

    /// An error if the list has had more pages than a list may have.
    pub fn bounded(work: &AtWork<'_>) -> Result<(), Stop> {
        let max_pages = work.syncer.config.fetch.max_pages;
        if work.checkpoint.listed.pages >= max_pages { Err(endless(max_pages).into()) } else { Ok(()) }
    }
}
