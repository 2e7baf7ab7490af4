//! Which page comes next, judged by what the pages bring. Pure.
//!
//! Pages are counted from 0 and the list ends at an empty page (spec: Neto API §3.2). Servers make mistakes, and no end may
//! be one of them:
//! * An empty page where more was to be expected: the page after it is looked at before the end is believed. No page is
//!   asked for twice unless that shows a hole. (A last page that is empty by mistake cannot be told from the end; the
//!   verdict compares the count with what the mirror holds.)
//! * A page that brings nothing new: it is asked for once more, then the one after it (a server may treat pages 0 and 1
//!   alike, or ignore `Page`).
//!
//! Where a doubt is left, it becomes a sentence of the verdict.

use crate::domain::run::ListSoFar;

/// What to do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It brings something: store it and go on behind it.
    Store,
    /// Leave it, forget what is under way, and ask for this page.
    Jump(u32),
    /// The list is at its end.
    End,
}

/// What the pages so far have shown.
#[derive(Debug)]
pub struct Sequence {
    /// Records asked for a page.
    asked: usize,
    /// Records of the last page that brought something; `None` at the beginning.
    pub last: Option<usize>,
    /// Records of the largest page before the last one: a server may cap what was asked.
    pub largest_before: usize,
    /// How many pages in a row brought nothing new.
    repeats: u32,
    hole: Option<Hole>,
    /// Doubts about the list, each a sentence.
    pub doubts: Vec<String>,
}

/// An empty page that may not be the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// The page after it is being looked at.
    Suspected(u32),
    /// That page has records: the empty one is asked for again.
    Found(u32),
}

impl Sequence {
    /// Goes on behind the pages that have shown `list`; a page is asked to have `asked` records.
    pub fn resume(asked: u32, list: &ListSoFar) -> Self {
        let (last, largest_before, doubts) = (list.last, list.largest, list.doubts.clone());
        Self { asked: asked as usize, last, largest_before, repeats: 0, hole: None, doubts }
    }

    /// Judges page `number` with so many `records` of which `new` have not been met in this walk. `new` is asked only
    /// where it matters, because asking notes the records as met.
    pub fn judge(&mut self, number: u32, records: usize, new: impl FnOnce() -> bool) -> Next {
        match self.hole {
            Some(Hole::Suspected(empty)) if records > 0 => {
                self.hole = Some(Hole::Found(empty));
                return Next::Jump(empty);
            }
            Some(Hole::Suspected(_)) => return Next::End,
            Some(Hole::Found(empty)) if records == 0 => {
                self.hole = None;
                self.doubts.push(format!("page {empty} was empty and the one after it was not"));
                return Next::Jump(empty + 1);
            }
            Some(Hole::Found(_)) => self.hole = None,
            None if records == 0 && self.more_expected() => {
                self.hole = Some(Hole::Suspected(number));
                return Next::Jump(number + 1);
            }
            None if records == 0 => return Next::End,
            None => {}
        }
        if new() { self.something_new(number, records) } else { self.nothing_new(number) }
    }

    /// Whether the page before an empty one was a full one, or nothing is known about it.
    fn more_expected(&self) -> bool {
        let full = |last| last >= self.asked || (self.largest_before > 0 && last >= self.largest_before);
        self.last.is_none_or(full)
    }

    fn something_new(&mut self, number: u32, records: usize) -> Next {
        // Pages 0 and 1 alike is a way of counting, not a gap.
        if self.repeats >= 2 && number != 2 {
            self.doubts.push(format!("page {} only repeated the one before it", number - 1));
        }
        self.repeats = 0;
        self.largest_before = self.largest_before.max(self.last.unwrap_or(0));
        self.last = Some(records);
        Next::Store
    }

    fn nothing_new(&mut self, number: u32) -> Next {
        self.repeats += 1;
        match self.repeats {
            1 => Next::Jump(number),
            2 => Next::Jump(number + 1),
            _ => {
                if self.last.is_none_or(|last| last >= self.asked) {
                    let page = number.saturating_sub(2);
                    self.doubts.push(format!("the store repeats page {page} instead of an empty page at the end"));
                }
                Next::End
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::Waiting;
    use crate::domain::forecast::Terms;
    use crate::domain::page_size::PageSize;
    use crate::domain::run::{Checkpoint, Counts, RunKind};

    /// Walks over a server that answers page n with `answer(n, how often n was asked before)`, the records as numbers.
    fn walk(asked: u32, answer: impl Fn(u32, usize) -> Vec<u32>) -> (Vec<u32>, Vec<u32>, Vec<String>) {
        let mut sequence = Sequence::resume(asked, &ListSoFar::default());
        let (mut pages, mut met) = (Vec::new(), Vec::new());
        let mut page = 0;
        for _ in 0..50 {
            let before = pages.iter().filter(|other| **other == page).count();
            pages.push(page);
            let records = answer(page, before);
            let new = || {
                let fresh: Vec<_> = records.iter().filter(|record| !met.contains(*record)).copied().collect();
                let any = !fresh.is_empty();
                met.extend(fresh);
                any
            };
            match sequence.judge(page, records.len(), new) {
                Next::Store => page += 1,
                Next::Jump(next) => page = next,
                Next::End => return (pages, met, sequence.doubts),
            }
        }
        panic!("the walk does not end: {pages:?}");
    }

    /// A list of `length` records in pages of `size`.
    fn list(length: u32, size: u32) -> impl Fn(u32) -> Vec<u32> {
        move |page| (page * size..length.min((page + 1) * size)).collect()
    }

    #[test]
    fn a_short_last_page_ends_at_the_empty_page_and_a_full_one_is_looked_behind() {
        let short = list(5, 2);
        assert_eq!(walk(2, |page, _| short(page)).0, [0, 1, 2, 3]);
        let full = list(4, 2);
        assert_eq!(walk(2, |page, _| full(page)).0, [0, 1, 2, 3]);
        let capped = list(4, 2);
        assert_eq!(walk(9, |page, _| capped(page)).0, [0, 1, 2, 3]);
        let one = list(2, 2);
        assert_eq!(walk(9, |page, _| one(page)).0, [0, 1]);
        assert_eq!(walk(2, |_, _| Vec::new()), (vec![0, 1], vec![], vec![]));
    }

    #[test]
    fn a_forecast_is_what_a_walk_costs() {
        for (length, size) in [(0, 2), (1, 2), (2, 2), (3, 2), (4, 2), (40, 10), (41, 10), (1000, 200), (1001, 200)] {
            let calls = walk(size, |page, _| list(length, size)(page)).0.len() as u64;
            let (page, sweep_page) = (PageSize::fixed(size), PageSize::fixed(1000));
            let terms = Terms { page, sweep_page, calls_per_minute: 300 };
            let checkpoint = Checkpoint { page_size: size, ..Checkpoint::default() };
            // Nothing is walked yet, and a sweep that walks has no list behind it.
            let left = terms.left(RunKind::Sweep, &checkpoint, &Counts::default(), length.into(), Waiting::default());
            assert_eq!(left.unwrap_or(2), calls, "{length} in pages of {size}");
        }
    }

    #[test]
    fn an_empty_page_in_the_middle_by_mistake_hides_nothing() {
        for hole in 0..2 {
            let pages = list(6, 2);
            let (_, met, doubts) =
                walk(2, |page, before| if page == hole && before == 0 { vec![] } else { pages(page) });
            assert_eq!((met, doubts), ((0..6).collect(), vec![]), "page {hole}");
        }
    }

    #[test]
    fn a_page_that_stays_empty_is_a_doubt() {
        let pages = list(6, 2);
        let (_, met, doubts) = walk(2, |page, _| if page == 1 { vec![] } else { pages(page) });
        assert_eq!((met, doubts.len()), (vec![0, 1, 4, 5], 1));
    }

    #[test]
    fn a_repeated_page_is_asked_for_again_and_a_server_that_counts_from_one_is_read_whole() {
        let pages = list(6, 2);
        let (_, met, doubts) = walk(2, |page, before| pages(if page == 1 && before == 0 { 0 } else { page }));
        assert_eq!((met, doubts), ((0..6).collect(), vec![]));
        let (_, met, doubts) = walk(2, |page, _| pages(page.saturating_sub(1)));
        assert_eq!((met, doubts), ((0..6).collect(), vec![]));
    }

    #[test]
    fn a_server_that_ignores_the_page_ends_with_a_doubt_unless_its_one_page_is_short() {
        assert_eq!(walk(2, |_, _| vec![0, 1]).2.len(), 1);
        assert_eq!(walk(9, |_, _| vec![0, 1]), (vec![0, 1, 1, 2], vec![0, 1], vec![]));
    }
}
