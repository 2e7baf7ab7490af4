//! Which records a walk has met, so that a page that brings nothing new is noticed and the distinct ones are counted right.
//!
//! A walk in several attempts (a stop, a crash, its slice was over) counts as one: lists come in the order of their ids, so
//! the highest id before the checkpoint stands for everything met before it. Where a list has turned out not to be in that
//! order the count is exact within an attempt only, which the walk has to say.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::run::ListSoFar;

/// The records met so far: eight bytes for each of this attempt.
#[derive(Debug, Default)]
pub struct Seen {
    products: HashSet<i64>,
    /// Records without a readable id, by their text: a page of only bad records is not the end of the list. (Those of an
    /// earlier attempt are forgotten; a walk with bad records is never called complete.)
    unreadable: HashSet<u64>,
    /// The highest id that earlier attempts have met.
    before: Option<i64>,
    /// The highest id met.
    pub highest_id: Option<i64>,
    /// Whether a page has brought a new product with an id below those of the pages before it.
    pub unordered: bool,
}

impl Seen {
    /// Goes on where the pages before the checkpoint ended.
    pub fn resume(list: &ListSoFar) -> Self {
        let before = list.highest_id.filter(|_| !list.unordered);
        Self { before, highest_id: list.highest_id, unordered: list.unordered, ..Self::default() }
    }

    /// Notes the records of a page, by id or else by text; how many are new.
    pub fn page<'r>(&mut self, ids: impl Iterator<Item = i64>, unreadable: impl Iterator<Item = &'r str>) -> usize {
        let (mut new, highest_before) = (0, self.highest_id);
        for id in ids {
            if self.before.is_none_or(|before| id > before) && self.products.insert(id) {
                new += 1;
                self.unordered |= highest_before.is_some_and(|highest| id < highest);
                self.highest_id = self.highest_id.max(Some(id));
            }
        }
        new + unreadable.filter(|raw| self.unreadable.insert(xxh3_64(raw.as_bytes()))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(seen: &mut Seen, ids: &[i64]) -> usize {
        seen.page(ids.iter().copied(), std::iter::empty())
    }

    fn resumed(seen: &Seen) -> Seen {
        let (highest_id, unordered) = (seen.highest_id, seen.unordered);
        Seen::resume(&ListSoFar { highest_id, unordered, ..ListSoFar::default() })
    }

    #[test]
    fn a_record_that_comes_again_after_an_interruption_is_not_counted_again() {
        let mut seen = Seen::default();
        assert_eq!(page(&mut seen, &[3, 1, 5]), 3, "the order within a page does not matter");
        let mut seen = resumed(&seen);
        assert_eq!(page(&mut seen, &[5, 7, 8]), 2);
        assert_eq!(page(&mut seen, &[7, 8]), 0);
        assert_eq!((seen.highest_id, seen.unordered), (Some(8), false));
    }

    #[test]
    fn a_list_in_no_order_is_noticed_and_nothing_of_it_is_taken_for_a_repeat() {
        let mut seen = Seen::default();
        page(&mut seen, &[8, 9]);
        page(&mut seen, &[1, 2]);
        assert!(seen.unordered);
        let mut seen = resumed(&seen);
        assert_eq!((page(&mut seen, &[3, 4]), seen.unordered), (2, true));
    }

    #[test]
    fn records_without_an_id_are_told_apart_by_their_text() {
        let mut seen = Seen::default();
        assert_eq!(seen.page(std::iter::empty(), ["a", "b", "a"].into_iter()), 2);
        assert_eq!((seen.highest_id, seen.unordered), (None, false));
    }
}
