//! What the lists of a stream prove. Pure.
//!
//! Pages of a list are read one after the other while its data moves, and a record that is there all the time may slip: from a page
//! to come to one that was read. What gives that away:
//! * Another went from a page that was read, so that those behind it moved up. The next list does not have it.
//! * Another went from a page that was read to one to come. It comes twice.
//! * The record itself went up. Those behind its new place moved down, and the next page begins with what the last one ended with. It
//!   does so too when a record is new, which lets nothing slip and, in a list with the newest first, happens all the time.
//! * Where the API says how many there are, it says fewer than before.
//!
//! So a list on which nothing came twice and of which the next one lacks nothing has let nothing slip. Where pages moved down, several
//! lists in a row say the same: a record would have to go up in the middle of each of them.
//!
//! (A record that goes, and another of the same key that comes before the next list passes its place, are not told apart from one that
//! stayed.)

use super::memory::{Listing, Moved};

/// Lists of a stream that a run reads at the most.
pub const MOST_LISTS: u32 = 4;

/// What to do after a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing is missing, and nothing gives away that the list has let something slip.
    Settled,
    /// What is missing is not there any more.
    Gone,
    /// Nothing at all is listed, twice, and something is held.
    Empty,
    /// The list is read once more.
    Again,
    /// That does not help. A sentence of the verdict.
    Unsure(String),
}

/// Judges the list `now`, the one of that `number` in this run. `missing` is how many of the records held it lacks; `closing` = a list
/// in several pages has to prove that it let nothing slip, even where nothing is missing.
pub fn judge(now: &mut Listing, before: Option<&Listing>, number: u32, missing: u64, closing: bool) -> Judgement {
    if let Some(doubt) = &now.doubt {
        return Judgement::Unsure(doubt.clone());
    }
    if !now.whole {
        // One that is interrupted each time costs the API more than it proves.
        return match number {
            1 | 2 => Judgement::Again,
            _ => Judgement::Unsure(
                "its list was interrupted again and again, so what it lacks is not taken for gone".to_owned(),
            ),
        };
    }
    let before = before.filter(|before| before.whole);
    let lost_nothing = before.is_some_and(|before| before.lost_nothing_by(now));
    let carried = before.filter(|_| lost_nothing).map_or(0, |before| before.steady);
    now.steady = if now.moved() == Moved::About { 0 } else { carried + 1 };
    let sound = before.is_some_and(|before| lost_nothing && before.moved() == Moved::Not);
    let long = now.steady >= MOST_LISTS;
    let repeats = before.is_some_and(|before| now.repeats_as(before));
    let again = |doubt: String| if number < MOST_LISTS { Judgement::Again } else { Judgement::Unsure(doubt) };
    if missing == 0 {
        let atomic = now.pages <= 1;
        let plain = !closing && now.moved() == Moved::Not;
        return if atomic || plain || sound || long || repeats {
            Judgement::Settled
        } else {
            again(format!("its records moved while it was listed ({number} times), so some may have slipped"))
        };
    }
    if now.is_empty() && before.is_some_and(Listing::is_empty) {
        return Judgement::Empty;
    }
    if now.unreadable() > 0 {
        let bad = now.unreadable();
        return Judgement::Unsure(format!(
            "{bad} of its records could not be read, so the {missing} it lacks are not taken for gone"
        ));
    }
    if sound && now.moved() == Moved::Not && !before.is_none_or(Listing::is_empty) || long {
        return Judgement::Gone;
    }
    again(if repeats {
        let twice = now.repeated();
        format!(
            "{twice} of its keys come on more than one page every time, so the {missing} it lacks are not taken for gone; \
             is the key in the connector's file really a key?"
        )
    } else {
        format!(
            "its records moved while it was listed ({number} times), so the {missing} it lacks are not taken for gone"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole list of these pages.
    fn listing(pages: &[&[&str]]) -> Listing {
        let mut listing = Listing::begun(true);
        for page in pages {
            listing.page(page.iter().copied(), std::iter::empty(), None);
        }
        listing
    }

    /// Judges lists one after the other, the last of which lacks so many.
    fn judged(lists: &[&[&[&str]]], missing: u64, closing: bool) -> Judgement {
        let mut before: Option<Listing> = None;
        let mut judgement = Judgement::Again;
        for (number, pages) in (1..).zip(lists) {
            let mut now = listing(pages);
            judgement = judge(&mut now, before.as_ref(), number, missing, closing);
            before = Some(now);
        }
        judgement
    }

    fn is_unsure(judgement: &Judgement, why: &str) -> bool {
        matches!(judgement, Judgement::Unsure(said) if said.contains(why))
    }

    const ABC: &[&[&str]] = &[&["a", "b"], &["c"]];
    const ABCD: &[&[&str]] = &[&["a", "b"], &["c", "d"]];
    /// Something came in before the second page.
    const DOWN: &[&[&str]] = &[&["a", "b"], &["b", "c"]];
    /// Something came again elsewhere.
    const ABOUT: &[&[&str]] = &[&["a", "b"], &["c", "a"]];

    #[test]
    fn what_two_lists_in_a_row_lack_is_gone_when_the_first_has_let_nothing_slip() {
        assert_eq!(judged(&[ABC], 1, false), Judgement::Again);
        assert_eq!(judged(&[ABC, ABCD], 1, false), Judgement::Gone);
        // What went in between may have let another slip; the next two lists tell.
        assert_eq!(judged(&[ABCD, ABC], 1, false), Judgement::Again);
        assert_eq!(judged(&[ABCD, ABC, ABC], 1, false), Judgement::Gone);
        assert!(is_unsure(&judged(&[ABCD, ABC, ABCD, ABC], 1, false), "moved while it was listed (4 times)"));
    }

    #[test]
    fn a_list_that_only_grows_proves_as_much_when_it_was_read_often_enough() {
        assert_eq!(judged(&[DOWN], 0, true), Judgement::Again);
        assert_eq!(judged(&[DOWN, DOWN, DOWN], 1, true), Judgement::Again);
        assert_eq!(judged(&[DOWN, DOWN, DOWN, DOWN], 1, true), Judgement::Gone);
        assert_eq!(judged(&[DOWN, ABC], 0, true), Judgement::Again);
        assert_eq!(judged(&[DOWN, ABC, ABC], 0, true), Judgement::Settled);
        assert!(is_unsure(&judged(&[ABOUT, DOWN, ABOUT, DOWN], 1, true), "not taken for gone"));
        assert!(is_unsure(&judged(&[ABCD, DOWN, ABCD, DOWN], 0, true), "some may have slipped"));
    }

    #[test]
    fn what_comes_twice_every_time_is_the_apis_way_but_proves_no_removal() {
        assert_eq!(judged(&[ABOUT], 0, false), Judgement::Again);
        assert_eq!(judged(&[ABOUT, ABOUT], 0, false), Judgement::Settled);
        assert!(is_unsure(&judged(&[ABOUT, ABOUT, ABOUT, ABOUT], 1, false), "really a key"));
        assert!(is_unsure(&judged(&[ABOUT, ABC, ABOUT, ABC], 1, false), "not taken for gone"));
    }

    #[test]
    fn a_total_that_shrinks_gives_a_removal_away_and_one_that_grows_does_not() {
        let list = |totals: [u64; 2]| {
            let mut list = Listing::begun(true);
            list.page(["a"].into_iter(), std::iter::empty(), Some(totals[0]));
            list.page(["b"].into_iter(), std::iter::empty(), Some(totals[1]));
            list
        };
        assert_eq!(judge(&mut list([3, 2]), None, 1, 0, false), Judgement::Again);
        assert_eq!(judge(&mut list([2, 3]), None, 1, 0, false), Judgement::Settled);
    }

    #[test]
    fn an_empty_an_interrupted_and_a_short_list_remove_nothing() {
        const NONE: &[&[&str]] = &[&[]];
        assert_eq!(judged(&[NONE], 3, false), Judgement::Again);
        assert_eq!(judged(&[NONE, NONE], 3, false), Judgement::Empty);
        assert_eq!(judged(&[ABC, NONE], 3, false), Judgement::Again);
        assert_eq!(judged(&[NONE, ABC], 2, false), Judgement::Again);
        assert_eq!(judged(&[NONE], 0, true), Judgement::Settled);
        let mut cut = listing(ABC);
        cut.whole = false;
        assert_eq!(judge(&mut cut, None, 1, 0, false), Judgement::Again);
        assert!(is_unsure(&judge(&mut cut, None, 3, 1, false), "interrupted again"));
        assert_eq!(judge(&mut listing(ABC), Some(&cut), 2, 1, false), Judgement::Again, "only one whole list");
        let mut short = listing(ABC);
        short.doubt = Some("only 1 came".to_owned());
        assert!(is_unsure(&judge(&mut short, None, 1, 1, false), "only 1 came"));
    }

    #[test]
    fn records_that_cannot_be_read_may_be_those_that_are_missing() {
        let mut list = listing(&[&["a"]]);
        list.page(std::iter::empty(), ["{}"].into_iter(), None);
        assert!(is_unsure(&judge(&mut list, Some(&listing(&[&["a"]])), 2, 1, false), "could not be read"));
        assert_eq!(judge(&mut list, None, 1, 0, false), Judgement::Settled);
    }

    #[test]
    fn a_list_in_several_pages_is_read_once_more_where_a_run_has_to_be_sure() {
        assert_eq!(judged(&[&[&["a"]]], 0, true), Judgement::Settled);
        assert_eq!(judged(&[ABC], 0, true), Judgement::Again);
        assert_eq!(judged(&[ABC, ABC], 0, true), Judgement::Settled);
        assert_eq!(judged(&[ABC], 0, false), Judgement::Settled);
    }
}
