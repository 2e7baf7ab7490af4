//! Which page is asked for next, so that no product slips between two pages. Pure.
//!
//! Pages are numbered (spec: Neto API §3.2), and the catalogue changes between two calls: a product deleted in front of the
//! place where we are moves all later ones up, one of them onto the page that was just read, and a plain page walker never
//! sees it. So a page here is asked for **with a seam**: it has to begin with a product that is known already.
//!
//! ```text
//! list, in the order of IDs    1 2 3 4 5 6 7 8 9 …
//! read so far                  1 2 3 4 5             covered = 5
//! next page                            5 6 7 8       holds an ID up to 5: nothing lies between 5 and 6
//! or, when 2 was deleted                 6 7 8 9     holds none: something may have slipped, so ask further back
//! ```
//! Each page is a piece of the list as it was at one moment, without holes. Pieces that overlap cover everything that was there
//! all along, whatever was added, edited or deleted meanwhile. The price is that some products of each page are sent twice.
//!
//! `Page` and `Limit` only reach starts that are multiples of the limit, so the limit gives way: by up to a half downwards and, where
//! the store bears it, a little upwards ([`PageSize`]), so that a page still brings about as many new products as were wished
//! for. The pair is chosen that reaches furthest ([`Seam::ask`]). Where pages of every size begin (with up to eight that is each 840
//! records) there is no such pair, and the place is passed otherwise ([`Between`]). The same rule notices servers that repeat a page,
//! ignore `Page`, count from 1, answer an empty or a shortened page by mistake or cap `Limit`; and the end of the list is a page that
//! holds the last known product and nothing behind it, which no mistake looks like. It only takes a list in the order of IDs, which
//! is seen from the answers ([`Next::Unordered`] where it is not; see [`super::sequence`] for that case).

use crate::domain::page_size::PageSize;
use crate::domain::run::Place;

/// How often a seam is looked for before it is given up: enough to step back over 4 million deleted products.
const TRIES: usize = 12;
/// The smallest limit, and the shortest list in which a seam is looked for: it takes some room.
pub const LEAST: u32 = 8;
/// What is said of a place where no seam was found.
const GAP: &str = "does not come together without a gap";
/// Full pages after a shortened one before a larger page is tried again.
const PATIENCE: u32 = 8;

/// A page to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Number of the page, from 0.
    pub page: u32,
    /// Records a page.
    pub limit: u32,
}

impl Ask {
    /// Records before it.
    pub fn start(self) -> u64 {
        u64::from(self.page) * u64::from(self.limit)
    }

    /// Records up to its end, if it is full.
    pub fn end(self) -> u64 {
        self.start() + u64::from(self.limit)
    }
}

/// What to do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Store its records behind this ID (all, if there is none) and go on.
    Store(Option<i64>),
    /// Leave it: [`Seam::ask`] has another page to ask for.
    Again,
    /// The list is at its end.
    End,
    /// The list is not in the order of IDs, so seams prove nothing.
    Unordered,
}

/// What lies behind a place at which pages of every size begin, so that none overlaps it: with pages of up to eight each 840
/// records. The page behind it is asked for between two answers of the page in front of it. When these are the same nothing has
/// moved meanwhile, and the first product behind came next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Between {
    /// Nothing is known.
    Unknown,
    /// The page in front has these IDs.
    Front(Ask, Vec<i64>),
    /// The page behind began with this product, if it had any.
    Behind(Ask, Vec<i64>, Option<i64>),
    /// This product came next.
    Next(i64),
}

/// What the pages so far have shown.
#[derive(Clone, Debug)]
pub struct Seam {
    place: Place,
    /// New records a page the walk would like to have.
    wish: u32,
    /// Records a page of that size may be asked for, to make up for what it repeats.
    most: u32,
    /// Records of the largest page so far: pages up to this size are surely not capped by the store.
    largest: u32,
    /// Full pages since the limit was lowered.
    full: u32,
    /// The limit before a larger one is tried.
    before_growth: Option<u32>,
    /// Whether larger pages were tried in vain.
    capped: bool,
    /// Records by which the next page has to overlap what is known.
    back: u64,
    /// Pages asked for in vain at this place.
    tried: Vec<Ask>,
    /// Whether the last page brought something and was shorter than asked.
    short: bool,
    /// How many pages have shown the end.
    ends: u32,
    /// Where no page can overlap: what is known of what lies behind.
    between: Between,
    /// Whether a place where no seam is to be had is passed without one.
    blind: bool,
    /// Doubts about the list, each a sentence.
    pub doubts: Vec<String>,
}

impl Seam {
    /// A walk that begins.
    pub fn new(page: PageSize) -> Self {
        Self::resume(Place { covered: None, position: 0, limit: page.new }, page)
    }

    /// A walk that goes on at `place`, with pages like `page` if the store bears them (of 8 records at least).
    pub fn resume(place: Place, page: PageSize) -> Self {
        let place = Place { limit: place.limit.max(LEAST), ..place };
        Self {
            place,
            wish: page.new.max(LEAST),
            most: page.most.max(LEAST),
            largest: if place.covered.is_some() { place.limit } else { 0 },
            full: 0,
            before_growth: None,
            capped: false,
            back: 1,
            tried: Vec::new(),
            short: false,
            ends: 0,
            between: Between::Unknown,
            blind: false,
            doubts: Vec::new(),
        }
    }

    /// Where the walk is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The page to ask for.
    pub fn ask(&self) -> Ask {
        let Place { covered, position, limit } = self.place;
        if covered.is_none() && position == 0 {
            return Ask { page: 0, limit };
        }
        // Of a very short list the same page is asked for again, and then what lies behind it.
        if position < u64::from(LEAST) && self.ends >= 2 {
            return self.behind();
        }
        match self.between {
            Between::Front(front, _) => Ask { page: front.page + 1, ..front },
            Between::Behind(front, ..) => front,
            Between::Next(_) => Ask { page: u32::try_from(position / u64::from(limit)).unwrap_or(u32::MAX), limit },
            Between::Unknown => self.reach(position, self.back),
        }
    }

    /// Whether the next pages are likely to be those that [`super::foresight`] tells: not where the list may have come to its end, or a
    /// seam is being looked for.
    pub fn goes_on(&self) -> bool {
        !self.short && self.ends == 0 && self.tried.is_empty()
    }

    /// Smaller pages from now on, because the store does not manage what was asked for. `false` when they are as small as they get.
    pub fn smaller(&mut self, ask: Ask) -> bool {
        self.most = self.wish;
        if ask.limit > self.place.limit {
            return true;
        }
        let smaller = (self.place.limit / 2).max(LEAST);
        let any = smaller < self.place.limit;
        self.place.limit = smaller;
        self.full = 0;
        any
    }

    /// The most records a page is asked for. What shows the end of a list has to be of a size that the store has sent before.
    fn most(&self) -> u32 {
        if self.place.limit < self.wish || self.short { self.place.limit } else { self.most }
    }

    /// Of all pages that begin at least `back` records before `position`, the one that reaches furthest. What has failed at
    /// this place is asked for by another number, or at least another limit, while there is one.
    fn reach(&self, position: u64, back: u64) -> Ask {
        let latest = position.saturating_sub(back);
        let limit = self.place.limit;
        let smallest = limit.div_ceil(if self.tried.is_empty() { 2 } else { 4 }).max(2);
        let pages = (smallest..=self.most()).map(|limit| {
            let page = u32::try_from(latest / u64::from(limit)).unwrap_or(u32::MAX);
            Ask { page, limit }
        });
        let by_merit = |ask: &Ask| {
            let fresh =
                self.tried.iter().map(|tried| if tried == ask { 0 } else { 1 + u8::from(tried.page != ask.page) });
            (back > 1 || ask.end() > position, fresh.min(), ask.end())
        };
        pages.max_by_key(by_merit).expect("there is a page of every limit")
    }

    /// The first page behind everything known.
    fn behind(&self) -> Ask {
        let limit = self.place.limit.min(self.largest.max(1));
        Ask { page: u32::try_from(self.place.position.div_ceil(limit.into())).unwrap_or(u32::MAX), limit }
    }

    /// Judges the answer to `ask`: `ids` are the readable IDs in the order of the page, each once; `records` counts all records.
    pub fn judge(&mut self, ask: Ask, ids: &[i64], records: usize) -> Next {
        // It may be capped where the walk wished for no more, so that pages beyond that are numbered in another way.
        if ask.limit > self.place.limit && records <= self.place.limit as usize {
            self.most = self.wish;
        }
        let next = self.place_of(ask, ids, records);
        if let Some(before) = self.before_growth.take_if(|_| next != Next::Unordered)
            && records <= before as usize
        {
            self.place.limit = before;
            self.capped = true;
        }
        self.largest = self.largest.max(u32::try_from(records).unwrap_or(u32::MAX));
        next
    }

    fn place_of(&mut self, ask: Ask, ids: &[i64], records: usize) -> Next {
        let covered = self.place.covered;
        if !ids.is_sorted() {
            return Next::Unordered;
        }
        if let Some(next) = self.between(ask, ids, records) {
            return next;
        }
        let Some((first, last)) = ids.first().zip(ids.last()) else {
            return if records == 0 { self.empty(ask) } else { self.unreadable(ask, records) };
        };
        let next = if let Between::Next(next) = self.between { Some(next) } else { covered };
        let seamless = ask.page == 0 || next.is_some_and(|next| *first <= next);
        if !seamless && !self.blind {
            return self.look_further_back(ask);
        }
        if covered.is_none_or(|covered| *last > covered) {
            self.advance(ask, Some(*last), records);
            return Next::Store(covered);
        }
        if Some(*last) == covered && ask.end() == self.place.position && self.is_stuck() {
            self.between = Between::Front(ask, ids.to_vec());
            return self.again(ask, GAP);
        }
        self.nothing_new(ask, Some(*last) == covered, records)
    }

    /// Whether pages of every size begin at this place, so that none overlaps it.
    fn is_stuck(&self) -> bool {
        (2..=self.most()).all(|limit| self.place.position.is_multiple_of(limit.into()))
    }

    /// Judges a page that was asked for to find out what comes next where none overlaps. `None` = it is to be judged as any other.
    fn between(&mut self, ask: Ask, ids: &[i64], records: usize) -> Option<Next> {
        let readable = ids.len() == records;
        match std::mem::replace(&mut self.between, Between::Unknown) {
            Between::Front(front, before) if readable && ids.first().copied() > self.place.covered || records == 0 => {
                self.between = Between::Behind(front, before, ids.first().copied());
            }
            Between::Behind(_, before, Some(next)) if ids == before => self.between = Between::Next(next),
            // An empty page may be a mistake, so it takes two of them to be the end.
            Between::Behind(_, before, None) if ids == before => {
                self.ends += 1;
                if self.ends >= 2 {
                    return Some(Next::End);
                }
            }
            Between::Next(next) => {
                self.between = Between::Next(next);
                return None;
            }
            Between::Unknown | Between::Front(..) | Between::Behind(..) => return None,
        }
        Some(self.again(ask, GAP))
    }

    fn advance(&mut self, ask: Ask, covered: Option<i64>, records: usize) {
        self.short = records < ask.limit as usize;
        self.place.position = ask.start() + records as u64;
        self.place.covered = covered;
        self.blind = false;
        self.rest();
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        if self.short {
            self.place.limit = records.max(self.largest).max(LEAST).min(self.place.limit);
            self.full = 0;
            return;
        }
        self.full += 1;
        if self.full >= PATIENCE && self.place.limit < self.wish && !self.capped {
            self.before_growth = Some(self.place.limit);
            self.place.limit = self.place.limit.saturating_mul(2).min(self.wish);
            self.full = 0;
        }
    }

    /// This place is done with.
    fn rest(&mut self) {
        self.back = 1;
        self.ends = 0;
        self.between = Between::Unknown;
        self.tried.clear();
    }

    fn nothing_new(&mut self, ask: Ask, ends_with_covered: bool, records: usize) -> Next {
        let asked = ask.limit as usize;
        if records == asked || records > asked && !ends_with_covered {
            // A page sent twice, or, when that is not it, one that lies further in front than we thought.
            if self.back > 1 || !self.tried.is_empty() {
                self.place.position = ask.end();
                self.back = 1;
            }
            self.ends = 0;
            return self.again(ask, "repeats a page whatever is asked for");
        }
        if ask.limit > self.largest && (self.largest >= LEAST || !ends_with_covered) {
            // The store may cap pages of this size and count by its own.
            self.place.limit = self.largest.max(LEAST);
            return self.again(ask, "repeats a page whatever is asked for");
        }
        // A short page right before says the same as this one, and no two mistakes in a row are alike.
        self.ends += if self.short && ends_with_covered { 2 } else { 1 };
        if self.ends >= 2 && self.largest >= LEAST {
            return Next::End;
        }
        self.again(ask, "ends in different places")
    }

    fn empty(&mut self, ask: Ask) -> Next {
        let begins = ask.page == 0;
        if !begins && ask != self.behind() {
            return self.look_further_back(ask);
        }
        self.ends += 1;
        if self.ends < 2 {
            return self.again(ask, "is empty now and then");
        }
        if begins && self.place.covered.is_some() {
            self.doubts.push("the store listed products and then none".to_owned());
        }
        Next::End
    }

    /// Records without a readable ID say nothing about the place; they are kept, and the next seam is not asked for.
    fn unreadable(&mut self, ask: Ask, records: usize) -> Next {
        let covered = self.place.covered;
        self.advance(ask, covered, records);
        self.blind = true;
        self.doubts.push(format!("page {} had no record with a readable ID", ask.page));
        Next::Store(covered)
    }

    /// There may be a gap. First the same place with another page, then further back, four times as far each time.
    fn look_further_back(&mut self, ask: Ask) -> Next {
        self.ends = 0;
        self.between = Between::Unknown;
        if !self.tried.is_empty() {
            self.back = self.back.saturating_mul(4);
        }
        self.again(ask, GAP)
    }

    fn again(&mut self, ask: Ask, what: &str) -> Next {
        self.short = false;
        self.tried.push(ask);
        if self.tried.len() < TRIES {
            return Next::Again;
        }
        self.doubts.push(format!("behind product {} the list {what}", self.place.covered.unwrap_or_default()));
        if self.blind {
            return Next::End;
        }
        self.rest();
        self.blind = true;
        Next::Again
    }
}

#[cfg(test)]
#[path = "seam_tests.rs"]
mod tests;
