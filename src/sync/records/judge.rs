//! What the lists of a stream prove. Pure.
//!
//! Pages of a list are read one after the other while its data moves. When a record before the next page goes, those behind it move
//! up, and one of them is on no page that is read; it was there all the time. What gives that away:
//! * the record that went was on a page before, and the next list does not have it;
//! * one that moved from a page to come to one that was read, or back, lets another come twice;
//! * where the API says how many there are, it says fewer than before.
//!
//! So a list of which the next one lacks nothing, and on which nothing came twice, has let nothing slip, and what both lack was
//! not there all the time. (A record that goes, and another of the same key that comes back before the next list passes it, are not
//! told apart from one that stayed.)

use super::memory::Listing;

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

/// Judges the list `now`, the one of that `number` in this run. `missing` is how many of the records held it lacks, `closing` whether
/// a list in several pages is read once more in any case.
pub fn judge(now: &Listing, before: Option<&Listing>, number: u32, missing: u64, closing: bool) -> Judgement {
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
    let again = |doubt: String| if number < MOST_LISTS { Judgement::Again } else { Judgement::Unsure(doubt) };
    if missing == 0 {
        let repeats = before.is_some_and(|before| now.repeats_as(before) && before.repeats_as(now));
        return match before {
            None if closing && now.pages > 1 => Judgement::Again,
            _ if now.moved() && !repeats => {
                again(format!("its records moved while it was listed ({number} times), so some may have slipped"))
            }
            _ => Judgement::Settled,
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
    let Some(before) = before else { return Judgement::Again };
    if !before.moved() && !now.moved() && before.lost_nothing_by(now) && !before.is_empty() {
        return Judgement::Gone;
    }
    again(if now.moved() && now.repeats_as(before) && before.repeats_as(now) {
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

    fn is_unsure(judgement: &Judgement, why: &str) -> bool {
        matches!(judgement, Judgement::Unsure(said) if said.contains(why))
    }

    #[test]
    fn what_two_lists_in_a_row_lack_is_gone_when_the_first_has_let_nothing_slip() {
        let (one, two) = (listing(&[&["a", "b"], &["c"]]), listing(&[&["a", "b"], &["c", "d"]]));
        assert_eq!(judge(&one, None, 1, 1, false), Judgement::Again);
        assert_eq!(judge(&two, Some(&one), 2, 1, false), Judgement::Gone);
        // What went in between may have let another slip; the next two lists tell.
        assert_eq!(judge(&one, Some(&two), 2, 1, false), Judgement::Again);
        assert!(is_unsure(&judge(&one, Some(&two), 4, 1, false), "moved while it was listed (4 times)"));
    }

    #[test]
    fn a_list_on_which_a_record_came_twice_proves_nothing_about_what_it_lacks() {
        let (twice, plain) = (listing(&[&["a", "b"], &["b"]]), listing(&[&["a", "b"]]));
        for (now, before) in [(&twice, &plain), (&plain, &twice)] {
            assert_eq!(judge(now, Some(before), 2, 1, false), Judgement::Again);
        }
        assert!(is_unsure(&judge(&twice, Some(&twice), 4, 1, false), "really a key"));
        // With nothing missing, what comes twice every time is the API's way.
        assert_eq!(judge(&twice, None, 1, 0, false), Judgement::Again);
        assert_eq!(judge(&twice, Some(&twice), 2, 0, false), Judgement::Settled);
        assert!(is_unsure(&judge(&twice, Some(&plain), 4, 0, false), "some may have slipped"));
    }

    #[test]
    fn a_total_that_shrinks_gives_a_removal_away() {
        let mut list = Listing::begun(true);
        list.page(["a"].into_iter(), std::iter::empty(), Some(3));
        list.page(["b"].into_iter(), std::iter::empty(), Some(2));
        assert_eq!(judge(&list, None, 1, 0, false), Judgement::Again);
        let mut grows = Listing::begun(true);
        grows.page(["a"].into_iter(), std::iter::empty(), Some(2));
        grows.page(["b", "c"].into_iter(), std::iter::empty(), Some(3));
        assert_eq!(judge(&grows, None, 1, 0, false), Judgement::Settled);
    }

    #[test]
    fn an_empty_an_interrupted_and_a_short_list_remove_nothing() {
        let empty = listing(&[&[]]);
        assert_eq!(judge(&empty, None, 1, 3, false), Judgement::Again);
        assert_eq!(judge(&empty, Some(&empty), 2, 3, false), Judgement::Empty);
        assert_eq!(judge(&empty, Some(&listing(&[&["a"]])), 2, 3, false), Judgement::Again);
        assert_eq!(judge(&listing(&[&["a"]]), Some(&empty), 2, 2, false), Judgement::Again);
        assert_eq!(judge(&listing(&[&[]]), None, 1, 0, true), Judgement::Settled);
        let mut cut = listing(&[&["a"]]);
        cut.whole = false;
        assert_eq!(judge(&cut, None, 1, 0, false), Judgement::Again);
        assert!(is_unsure(&judge(&cut, None, 3, 1, false), "interrupted again"));
        assert_eq!(judge(&listing(&[&["a"]]), Some(&cut), 2, 1, false), Judgement::Again, "only one whole list");
        let mut short = listing(&[&["a"]]);
        short.doubt = Some("only 1 came".to_owned());
        assert!(is_unsure(&judge(&short, None, 1, 1, false), "only 1 came"));
    }

    #[test]
    fn records_that_cannot_be_read_may_be_those_that_are_missing() {
        let mut list = listing(&[&["a"]]);
        list.page(std::iter::empty(), ["{}"].into_iter(), None);
        assert!(is_unsure(&judge(&list, Some(&listing(&[&["a"]])), 2, 1, false), "could not be read"));
        assert_eq!(judge(&list, None, 1, 0, false), Judgement::Settled);
    }

    #[test]
    fn a_closing_list_is_read_where_there_are_several_pages() {
        let (one, several) = (listing(&[&["a"]]), listing(&[&["a"], &["b"]]));
        assert_eq!(judge(&one, None, 1, 0, true), Judgement::Settled);
        assert_eq!(judge(&several, None, 1, 0, true), Judgement::Again);
        assert_eq!(judge(&several, Some(&several), 2, 0, true), Judgement::Settled);
    }
}
