//! Which pages a list is going to be asked for, so that they are on their way before those in front of them are here. Pure.
//!
//! The rules are those of the seam itself ([`super::seam`]): it walks a list that stands still, where each product has its place as ID.
//! Where the length of the list is known the walk comes to its end, so nothing is asked for behind it, and what shows that it is the
//! end does not wait for the last page. When the list turns out to be another, the pages behind the place where it differs are
//! forgotten: what was foreseen decides nothing.

use super::seam::{Ask, Next, Seam};
use crate::domain::run::Place;

/// A page that is going to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// The page.
    pub ask: Ask,
    /// Records it will bring.
    pub records: usize,
}

impl Foreseen {
    /// A page behind which the list goes on.
    pub fn full(ask: Ask) -> Self {
        Self { ask, records: ask.limit as usize }
    }
}

/// The pages that `seam` is going to ask for, the next one first, if the list has so many records and stands still. Without end where
/// nobody knows how many there are.
pub fn foresee(seam: &Seam, length: Option<u64>) -> impl Iterator<Item = Foreseen> + use<> {
    let mut seam = seam.clone();
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let ask = seam.ask();
        let end = length.map_or(ask.end(), |length| length.clamp(ask.start(), ask.end()));
        let ids = ids(seam.place(), ask.start()..end);
        ended = seam.judge(ask, &ids, ids.len()) == Next::End;
        Some(Foreseen { ask, records: ids.len() })
    })
}

/// The IDs of the records at these places of a list that is covered up to `place`.
fn ids(place: Place, records: std::ops::Range<u64>) -> Vec<i64> {
    let next = place.covered.map_or(0, |covered| covered.saturating_add(1));
    records.map(|record| next.saturating_add_unsigned(record).saturating_sub_unsigned(place.position)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::page_size::PageSize;

    /// The pages that a walk over `length` records asks for, with what they bring.
    fn walked(mut seam: Seam, length: u64) -> Vec<Foreseen> {
        let mut pages = Vec::new();
        loop {
            let ask = seam.ask();
            // Three apart, so that what is foreseen cannot be right for knowing the IDs.
            let ids: Vec<_> = (ask.start()..ask.end().min(length)).map(|n| n.cast_signed() * 3 + 7).collect();
            pages.push(Foreseen { ask, records: ids.len() });
            if seam.judge(ask, &ids, ids.len()) == Next::End {
                return pages;
            }
        }
    }

    #[test]
    fn a_list_whose_length_is_known_is_foreseen_to_its_end() {
        for limit in [8, 20, 50, 100, 1000] {
            for length in (0..300).chain([839, 840, 999, 1000, 1001, 5000]) {
                for page in [PageSize::stretching(limit), PageSize::fixed(limit)] {
                    let seam = Seam::new(page);
                    let foreseen: Vec<_> = foresee(&seam, Some(length)).collect();
                    assert_eq!(foreseen, walked(seam, length), "{length} in {page:?}");
                }
            }
        }
    }

    #[test]
    fn a_list_whose_length_nobody_knows_is_foreseen_without_end() {
        let seam = Seam::new(PageSize::stretching(100));
        let long = walked(seam.clone(), 5000);
        let foreseen: Vec<_> = foresee(&seam, None).take(30).collect();
        assert_eq!(foreseen, long[..30]);
        assert!(foresee(&seam, None).nth(10_000).is_some_and(|page| page.records >= 50));
    }

    #[test]
    fn what_is_foreseen_is_right_from_the_middle_of_a_list_on() {
        let mut seam = Seam::new(PageSize::stretching(50));
        let pages = walked(seam.clone(), 1234);
        for (done, page) in pages.iter().enumerate() {
            assert_eq!(foresee(&seam, Some(1234)).collect::<Vec<_>>(), pages[done..], "behind {done} pages");
            let ids: Vec<_> = (page.ask.start()..).take(page.records).map(|n| n.cast_signed() * 3 + 7).collect();
            seam.judge(page.ask, &ids, ids.len());
        }
    }
}
