use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::forecast::Terms;
use crate::domain::page_size::PageSize;
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
fn walk(limit: u32, answer: impl FnMut(u32, u32) -> Vec<i64>) -> Walked {
    walk_by(Seam::new(PageSize::stretching(limit)), answer)
}

/// Walks in pages of up to eight over a server that answers `(page, limit)`: none of them overlaps a multiple of 840.
fn walk_in_eights(answer: impl FnMut(u32, u32) -> Vec<i64>) -> Walked {
    walk_by(Seam::new(PageSize::fixed(8)), answer)
}

fn walk_by(mut seam: Seam, mut answer: impl FnMut(u32, u32) -> Vec<i64>) -> Walked {
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
fn a_place_that_no_page_overlaps_is_passed_by_asking_on_both_sides_of_it() {
    for length in [839, 840, 841, 1679, 1680, 1681, 3000] {
        let all = list(length);
        let walked = walk_in_eights(|page, limit| slice(&all, page, limit));
        assert_eq!((walked.met.len(), walked.doubts), (all.len(), vec![]), "{length}");
    }
}

#[test]
fn one_empty_answer_by_mistake_behind_a_place_that_no_page_overlaps_is_not_the_end() {
    let all = list(1000);
    let mut mistakes = 1;
    let walked = walk_in_eights(|page, limit| {
        if (page, limit) == (105, 8) && mistakes > 0 {
            mistakes -= 1;
            return Vec::new();
        }
        slice(&all, page, limit)
    });
    assert_eq!((mistakes, walked.met.len(), walked.doubts), (0, 1000, vec![]));
}

#[test]
fn nothing_slips_through_a_place_that_no_page_overlaps() {
    // Products in front of the place are deleted before each of the calls around it.
    for deleted_before in 95..135 {
        let mut all = list(900);
        let mut calls = 0;
        let walked = walk_in_eights(|page, limit| {
            calls += 1;
            if calls == deleted_before || calls == deleted_before + 2 {
                all.remove(calls * 3);
            }
            slice(&all, page, limit)
        });
        assert_eq!(walked.doubts, Vec::<String>::new(), "{deleted_before}");
        assert!(all.iter().all(|id| walked.met.contains(id)), "{deleted_before}");
    }
}

#[test]
fn a_forecast_is_what_a_list_that_stands_still_costs() {
    for limit in [20, 50, 200, 1000] {
        for length in [0, 1, 7, 8, 9, 40, 50, 199, 200, 201, 999, 1000, 1001, 3000, 25_000, 100_000] {
            let all = list(length);
            for sweep_page in [PageSize::stretching(limit), PageSize::fixed(limit)] {
                let calls = walk_by(Seam::new(sweep_page), |page, limit| slice(&all, page, limit)).calls as u64;
                let terms = Terms { page: PageSize::fixed(1), sweep_page, calls_per_minute: 300 };
                let told = terms.run(RunKind::Sweep, length.cast_unsigned(), false).calls;
                assert!(told.abs_diff(calls) <= 1 + calls / 20, "{length} in {sweep_page:?}: {told}, not {calls}");
            }
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
        (3000, 200, 17),
        (5000, 100, 52),
        (100_000, 200, 502),
        (100_000, 1000, 101),
        (1_000_000, 1000, 1001),
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
            ("caps where no more was wished for", Box::new(|page, limit: u32| slice(&all, page, limit.min(100)))),
            (
                "caps there and counts by what was asked",
                Box::new(|page, limit: u32| {
                    let mut s = slice(&all, page, limit);
                    s.truncate(100);
                    s
                }),
            ),
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
fn a_store_that_does_not_bear_more_than_was_wished_for_is_not_asked_for_it_again() {
    let all = list(3000);
    let mut seam = Seam::new(PageSize::stretching(100));
    let (mut refused, mut calls) = (0, 0);
    loop {
        let ask = seam.ask();
        calls += 1;
        if ask.limit > 100 {
            refused += 1;
            assert!(seam.smaller(ask));
            assert_eq!(seam.place().limit, 100, "pages that it bears are not made smaller");
            continue;
        }
        let ids = slice(&all, ask.page, ask.limit);
        if seam.judge(ask, &ids, ids.len()) == Next::End {
            break;
        }
    }
    assert_eq!((refused, seam.doubts.as_slice()), (1, &[][..]));
    assert!(calls <= 37, "{calls}");
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
