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
//! all along, whatever was added, edited or deleted meanwhile. The price is a product or two a page that are sent twice.
//!
//! `Page` and `Limit` only reach starts that are multiples of the limit, so the limit gives way by up to a half: the pair
//! is chosen that reaches furthest ([`Seam::ask`]). The same rule notices servers that repeat a page, ignore `Page`, count from 1,
//! answer an empty or a shortened page by mistake or cap `Limit`; and the end of the list is a page that holds the last known
//! product and nothing behind it, which no mistake looks like. It only takes a list in the order of IDs, which is seen from the
//! answers ([`Next::Unordered`] where it is not; see [`super::sequence`] for that case).

use crate::domain::run::Place;

/// How often a seam is looked for before it is given up: enough to step back over 4 million deleted products.
const TRIES: usize = 12;
/// The smallest limit, and the shortest list in which a seam is looked for: it takes some room.
const LEAST: u32 = 8;
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
    fn start(self) -> u64 {
        u64::from(self.page) * u64::from(self.limit)
    }

    fn end(self) -> u64 {
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

/// What the pages so far have shown.
#[derive(Clone, Debug)]
pub struct Seam {
    place: Place,
    /// Records a page the walk would like to have.
    wish: u32,
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
    /// Whether a place where no seam is to be had is passed without one.
    blind: bool,
    /// Doubts about the list, each a sentence.
    pub doubts: Vec<String>,
}

impl Seam {
    /// A walk that begins, with pages of `limit` records (8 at least).
    pub fn new(limit: u32) -> Self {
        Self::resume(Place { covered: None, position: 0, limit }, limit)
    }

    /// A walk that goes on at `place` and would like `wish` records a page.
    pub fn resume(place: Place, wish: u32) -> Self {
        let place = Place { limit: place.limit.max(LEAST), ..place };
        Self {
            place,
            wish: wish.max(LEAST),
            largest: if place.covered.is_some() { place.limit } else { 0 },
            full: 0,
            before_growth: None,
            capped: false,
            back: 1,
            tried: Vec::new(),
            short: false,
            ends: 0,
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
        self.reach(position, self.back)
    }

    /// The pages that will be asked for, if each brings as many records as it is asked for.
    pub fn ahead(&self) -> impl Iterator<Item = Ask> + '_ {
        std::iter::successors(Some(self.ask()), |ask| Some(self.reach(ask.end(), 1)))
    }

    /// Smaller pages from now on, because the store does not manage these. `false` when they are as small as they get.
    pub fn smaller(&mut self) -> bool {
        let smaller = (self.place.limit / 2).max(LEAST);
        let any = smaller < self.place.limit;
        self.place.limit = smaller;
        self.full = 0;
        any
    }

    /// Of all pages that begin at least `back` records before `position`, the one that reaches furthest. What has failed at
    /// this place is asked for by another number, or at least another limit, while there is one.
    fn reach(&self, position: u64, back: u64) -> Ask {
        let latest = position.saturating_sub(back);
        let limit = self.place.limit;
        let smallest = limit.div_ceil(if self.tried.is_empty() { 2 } else { 4 }).max(2);
        let pages = (smallest..=limit).map(|limit| {
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
        let Some((first, last)) = ids.first().zip(ids.last()) else {
            return if records == 0 { self.empty(ask) } else { self.unreadable(ask, records) };
        };
        let seamless = ask.page == 0 || covered.is_some_and(|covered| *first <= covered);
        if !seamless && !self.blind {
            return self.look_further_back(ask);
        }
        if covered.is_none_or(|covered| *last > covered) {
            self.advance(ask, Some(*last), records);
            return Next::Store(covered);
        }
        self.nothing_new(ask, Some(*last) == covered, records)
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
        if !self.tried.is_empty() {
            self.back = self.back.saturating_mul(4);
        }
        self.again(ask, "does not come together without a gap")
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
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::forecast::Terms;
    use crate::domain::run::RunKind;

    /// What a walk read, with the calls it took.
    #[derive(Debug)]
    struct Walked {
        met: BTreeSet<i64>,
        calls: usize,
        doubts: Vec<String>,
        ordered: bool,
    }

    /// Walks over a server that answers `(page, limit)`.
    fn walk(limit: u32, mut answer: impl FnMut(u32, u32) -> Vec<i64>) -> Walked {
        let mut seam = Seam::new(limit);
        let mut walked = Walked { met: BTreeSet::new(), calls: 0, doubts: Vec::new(), ordered: true };
        loop {
            let ask = seam.ask();
            let ids = answer(ask.page, ask.limit);
            walked.calls += 1;
            assert!(walked.calls < 20_000, "the walk does not end: {seam:?}");
            match seam.judge(ask, &ids, ids.len()) {
                Next::Store(after) => walked.met.extend(ids.iter().filter(|id| after.is_none_or(|after| **id > after))),
                Next::Again => {}
                Next::End => break,
                Next::Unordered => {
                    walked.ordered = false;
                    break;
                }
            }
        }
        walked.doubts = seam.doubts;
        walked
    }

    fn slice(list: &[i64], page: u32, limit: u32) -> Vec<i64> {
        list.iter().skip(page as usize * limit as usize).take(limit as usize).copied().collect()
    }

    fn list(length: i64) -> Vec<i64> {
        (1..=length).map(|n| n * 3).collect()
    }

    #[test]
    fn a_forecast_is_what_a_list_that_stands_still_costs() {
        for limit in [20, 50, 200, 1000] {
            for length in [0, 1, 7, 8, 9, 40, 50, 199, 200, 201, 999, 1000, 1001, 3000, 25_000, 100_000] {
                let all = list(length);
                let calls = walk(limit, |page, limit| slice(&all, page, limit)).calls as u64;
                let terms = Terms { page_size: 1, sweep_page_size: limit, calls_per_minute: 300 };
                let told = terms.run(RunKind::Sweep, length.cast_unsigned(), false).calls;
                assert!(told.abs_diff(calls) <= 1 + calls / 20, "{length} in pages of {limit}: {told}, not {calls}");
            }
        }
    }

    #[test]
    fn a_list_that_stands_still_costs_few_calls_more_than_it_has_pages() {
        for (length, limit, most) in [
            (0, 200, 2),
            (1, 200, 3),
            (199, 200, 3),
            (200, 200, 3),
            (201, 200, 3),
            (3000, 200, 18),
            (100_000, 200, 555),
            (100_000, 1000, 106),
            (1_000_000, 1000, 1080),
        ] {
            let all = list(length);
            let walked = walk(limit, |page, limit| slice(&all, page, limit));
            assert_eq!(walked.met.len(), all.len());
            assert!(
                walked.calls <= most && walked.doubts.is_empty(),
                "{length}/{limit}: {} calls {:?}",
                walked.calls,
                walked.doubts
            );
        }
    }

    #[test]
    fn any_page_size_reads_everything() {
        for limit in 1..40 {
            for length in 0..130 {
                let all = list(length);
                let walked = walk(limit, |page, limit| slice(&all, page, limit));
                assert_eq!((walked.met.len(), walked.doubts.len()), (all.len(), 0), "{length} in pages of {limit}");
            }
        }
    }

    #[test]
    fn strange_servers_are_read_whole() {
        let all = list(1000);
        let expected: BTreeSet<_> = all.iter().copied().collect();
        let calls = Cell::new(0);
        let nth = |n| {
            calls.set(calls.get() + 1);
            calls.get() == n
        };
        for broken in 1..12 {
            for (what, answer) in [
                (
                    "counts from 1",
                    Box::new(|page: u32, limit: u32| slice(&all, page.saturating_sub(1), limit))
                        as Box<dyn Fn(u32, u32) -> Vec<i64>>,
                ),
                ("caps", Box::new(|page, limit: u32| slice(&all, page, limit.min(70)))),
                (
                    "caps and counts by what was asked",
                    Box::new(|page, limit: u32| {
                        let mut s = slice(&all, page, limit);
                        s.truncate(70);
                        s
                    }),
                ),
                ("one empty page", Box::new(|page, limit| if nth(broken) { vec![] } else { slice(&all, page, limit) })),
                (
                    "one half page",
                    Box::new(|page, limit| {
                        let mut s = slice(&all, page, limit);
                        if nth(broken) {
                            s.truncate(s.len() / 2);
                        }
                        s
                    }),
                ),
                (
                    "one repeated page",
                    Box::new(|page, limit| {
                        if nth(broken) { slice(&all, page.saturating_sub(1), limit) } else { slice(&all, page, limit) }
                    }),
                ),
                (
                    "page 3 always repeats page 2",
                    Box::new(|page, limit| slice(&all, if page == 3 { 2 } else { page }, limit)),
                ),
                (
                    "page 3 is always empty",
                    Box::new(|page, limit| if page == 3 { vec![] } else { slice(&all, page, limit) }),
                ),
                (
                    "the first page again",
                    Box::new(|page, limit| if nth(broken) { slice(&all, 0, limit) } else { slice(&all, page, limit) }),
                ),
            ] {
                calls.set(0);
                let walked = walk(100, answer);
                assert_eq!(walked.met.len(), expected.len(), "{what}, {broken}: {:?}", walked.doubts);
                assert!(walked.doubts.is_empty(), "{what}, {broken}: {:?}", walked.doubts);
                assert!(walked.calls < 50, "{what}, {broken}: {}", walked.calls);
            }
        }
    }

    #[test]
    fn servers_with_pages_of_eight_and_more_are_read_whole() {
        for cap in 8..16 {
            for length in 0..130 {
                let all = list(length);
                let walked = walk(1000, |page, limit| slice(&all, page, limit.min(cap)));
                assert_eq!((walked.met.len(), walked.doubts.len()), (all.len(), 0), "{length} in pages of {cap}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_whole_is_a_doubt() {
        let all = list(1000);
        assert!(!walk(100, |_, limit| slice(&all, 0, limit)).doubts.is_empty(), "ignores Page");
        assert!(
            !walk(100, |page, limit| if page > 3 { vec![] } else { slice(&all, page, limit) }).doubts.is_empty(),
            "stops"
        );
        assert!(!walk(100, |page, limit| slice(&all, page, limit.min(1))).doubts.is_empty(), "one at a time");
        let mut backwards = all.clone();
        backwards.reverse();
        assert!(!walk(100, |page, limit| slice(&backwards, page, limit)).ordered);
        assert_eq!(walk(100, |_, _| slice(&all, 0, 40)).doubts, Vec::<String>::new(), "one short page is a whole list");
    }

    #[test]
    fn pages_ahead_are_those_that_will_be_asked_for() {
        let all = list(5000);
        let mut seam = Seam::new(200);
        for _ in 0..20 {
            let ahead: Vec<_> = seam.ahead().take(2).collect();
            let ids = slice(&all, ahead[0].page, ahead[0].limit);
            let before = seam.place().covered;
            assert_eq!(seam.judge(ahead[0], &ids, ids.len()), Next::Store(before));
            assert_eq!(seam.ask(), ahead[1]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn whatever_was_there_all_along_has_been_met(
            length in 0i64..400,
            limit in 1u32..60,
            events in prop::collection::vec((0u8..12, any::<prop::sample::Index>(), 1usize..40), 0..120),
        ) {
            let mut current = list(length);
            let mut all_along: BTreeSet<_> = current.iter().copied().collect();
            let mut next_id = 10_000;
            let mut events = events.into_iter();
            let mut mistaken = false;
            let walked = walk(limit, |page, limit| {
                let mut ids = slice(&current, page, limit);
                let honest = std::mem::replace(&mut mistaken, false);
                for (what, place, many) in events.by_ref().take(2) {
                    match what {
                        // Deletions, one or many in a row.
                        0..=3 if !current.is_empty() => {
                            let from = place.index(current.len());
                            let to = (from + if what == 0 { many } else { 1 }).min(current.len());
                            for id in current.drain(from..to) { all_along.remove(&id); }
                        }
                        4..=5 => for _ in 0..many { next_id += 1; current.push(next_id); },
                        // A new product with a low ID: none is assigned again, but one may be undeleted.
                        6 => { let id = place.index(1200) as i64 + 1; if let Err(at) = current.binary_search(&id) { current.insert(at, id); } }
                        // This answer is cut to a half, or empty.
                        7 | 8 if !honest && !mistaken => {
                            ids.truncate(if what == 7 { ids.len().div_ceil(2) } else { 0 });
                            mistaken = true;
                        }
                        _ => {}
                    }
                }
                ids
            });
            prop_assert!(walked.ordered);
            if walked.doubts.is_empty() {
                let missed: Vec<_> = all_along.difference(&walked.met).collect();
                prop_assert!(missed.is_empty(), "{missed:?} of {}", all_along.len());
            }
        }
    }
}
