//! What a run will cost: products to calls to time. Pure.
//!
//! The number of products is what the copy holds; the API has no count to ask for. What changed is not known before, so calls for
//! single products by ID come on top, and the forecast of an incremental run is its least. The walk's numbers are exact, those of a
//! list with seams are right within a few in a hundred; a test in [`crate::sync`] holds both to what the runs do.

use std::time::Duration;

use super::budget::time_of;
use super::finding::Waiting;
use super::page_size::PageSize;
use super::run::{Checkpoint, Counts, Phase, RunKind};

/// What a store's calls bring and how often it may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Products a page in full detail.
    pub page: PageSize,
    /// Products a page in little detail.
    pub sweep_page: PageSize,
    /// Calls in a minute.
    pub calls_per_minute: u32,
}

/// What is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// API calls.
    pub calls: u64,
    /// The time they take.
    pub time: Duration,
}

impl Terms {
    /// What a run of a store with so many `products` costs. An incremental run that has a cursor asks for what was edited since,
    /// which is at least this; `whole` says that it has none and asks for everything.
    #[must_use]
    pub fn run(&self, kind: RunKind, products: u64, whole: bool) -> Forecast {
        self.in_time(match kind {
            RunKind::Full if self.page.new < SEAMLESS => {
                walk(products, self.page.new) + list(products, self.sweep_page)
            }
            RunKind::Full => list(products, self.page),
            RunKind::Sweep => list(products, self.sweep_page),
            RunKind::Incremental if whole => list(products, self.page),
            RunKind::Incremental => list(1, self.page),
            RunKind::Audit => return self.audit(products, None),
        })
    }

    /// What an audit costs that compares a `sample` of so many (`None` = all) `products`, and all IDs.
    #[must_use]
    pub fn audit(&self, products: u64, sample: Option<u32>) -> Forecast {
        let compared = sample.map_or(products, |sample| products.min(sample.into()));
        self.in_time(list(products, self.sweep_page) + compared.div_ceil(self.page.new.max(1).into()))
    }

    /// So many calls in the time the budget gives them.
    #[must_use]
    pub fn in_time(&self, calls: u64) -> Forecast {
        Forecast { calls, time: time_of(calls, self.calls_per_minute) }
    }

    /// What is left of a run that has `made` its calls in so much time: a store that answers more slowly than its budget allows
    /// goes on as it did.
    #[must_use]
    pub fn at_pace(&self, calls: u64, made: u64, lasted: Duration) -> Forecast {
        let Forecast { calls, time } = self.in_time(calls);
        let pace = if made == 0 { Duration::ZERO } else { lasted.div_f64(made as f64) };
        Forecast { calls, time: time.max(pace.mul_f64(calls as f64)) }
    }

    /// The calls that are left of a run that is at `checkpoint` and has found what `waiting` counts; `held` products are in the copy
    /// now. `None` where that cannot be said: the first time a store is read nobody knows how much there is, and only the answers
    /// tell what was edited.
    #[must_use]
    pub fn left(
        &self,
        kind: RunKind,
        checkpoint: &Checkpoint,
        counts: &Counts,
        held: u64,
        waiting: Waiting,
    ) -> Option<u64> {
        let listed = &checkpoint.listed;
        let position = listed.place.map_or(0, |place| place.position);
        let of_list = |page| left_of_list(position, held, listed.borne(page));
        let before = (held.cast_signed() + counts.removed - counts.inserted).max(0).cast_unsigned();
        let known = before > 0;
        let by_id = |products: u64| products.div_ceil(checkpoint.page_size.max(1).into());
        // What is missing and stays so is asked for twice.
        let confirmed = 2 * by_id(waiting.missing) + by_id(waiting.gone);
        match (checkpoint.phase, kind) {
            (Phase::Walk, kind) if known => {
                let walked = u64::from(checkpoint.page);
                let closing = if kind == RunKind::Full { list(held, self.sweep_page) } else { 0 };
                Some(walk(held, checkpoint.page_size).saturating_sub(walked).max(1) + closing)
            }
            // The walk before it has shown how much there is.
            (Phase::List, RunKind::Full) => Some(of_list(self.sweep_page) + by_id(waiting.look) + confirmed),
            (Phase::List, RunKind::Sweep) if known => Some(of_list(self.sweep_page) + by_id(waiting.look) + confirmed),
            (Phase::Detail, _) if known => {
                let asked = Some(self.page).filter(|page| page.new == checkpoint.page_size);
                let asked = asked.unwrap_or(PageSize::fixed(checkpoint.page_size));
                Some(of_list(asked) + by_id(waiting.look) + confirmed)
            }
            // How much of its sample is left only the IDs tell.
            (_, RunKind::Audit) | (Phase::Detail | Phase::Walk | Phase::List | Phase::Sample, _) => None,
            (Phase::Look, _) => Some(by_id(waiting.look) + confirmed),
            (Phase::Confirm, _) => Some(confirmed),
            (Phase::Over, _) => Some(0),
        }
    }
}

/// Pages smaller than this have no seams, so a full run is a walk and a list behind it.
const SEAMLESS: u32 = 8;

/// Calls that are left of a list that has come to `position`.
fn left_of_list(position: u64, products: u64, page: PageSize) -> u64 {
    if position == 0 { list(products, page) } else { behind(position, products, page) }
}

/// Calls of a walk: its pages and the empty one behind them, and one more where a full page leaves it open whether that is the end.
fn walk(products: u64, size: u32) -> u64 {
    let size = u64::from(size.max(1));
    products.div_ceil(size) + if products.is_multiple_of(size) { 2 } else { 1 }
}

/// Calls of a list that is read with seams.
fn list(products: u64, page: PageSize) -> u64 {
    1 + behind(page.new.max(8).into(), products, page)
}

/// Calls of a list that has `covered` so many of its products: each page begins with what the one before has shown, and begins where a
/// multiple of its size does. Of a store that bears no more records than are wished for they bring fewer: by a seventh where it is 100.
fn behind(mut covered: u64, products: u64, page: PageSize) -> u64 {
    let (size, most) = (page.new.max(8), page.most.max(8));
    // The page that shows the end, and one more where nothing else vouches for it.
    let mut calls = if products < 8 { 2 } else { 1 };
    while covered < products {
        // Of all pages that begin with something known, the one that reaches furthest, as the run chooses it.
        let reach = |limit: u32| ((covered - 1) / u64::from(limit) + 1) * u64::from(limit);
        covered = (size.div_ceil(2)..=most).map(reach).max().unwrap_or(0).max(covered + 1);
        calls += 1;
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::{Listed, Place};

    const PAGE: PageSize = PageSize::stretching(200);
    const SWEEP_PAGE: PageSize = PageSize::stretching(1000);
    const TERMS: Terms = Terms { page: PAGE, sweep_page: SWEEP_PAGE, calls_per_minute: 300 };

    #[test]
    fn a_forecast_counts_pages_and_the_end() {
        let calls = |kind, products| TERMS.run(kind, products, false).calls;
        assert_eq!((walk(0, 200), walk(1, 200), walk(200, 200), walk(201, 200)), (2, 2, 3, 3));
        assert_eq!(calls(RunKind::Full, 12_431), 57);
        assert_eq!(Terms { page: PageSize::stretching(7), ..TERMS }.run(RunKind::Full, 12_431, false).calls, 1777 + 13);
        assert_eq!(calls(RunKind::Sweep, 12_431), 13);
        assert_eq!(calls(RunKind::Incremental, 12_431), 3);
        assert_eq!(TERMS.run(RunKind::Incremental, 12_431, true).calls, 57);
        assert_eq!((calls(RunKind::Audit, 12_431), TERMS.audit(12_431, Some(400)).calls), (13 + 63, 13 + 2));
        assert_eq!((calls(RunKind::Sweep, 100_000), list(100_000, PageSize::fixed(1000))), (91, 105));
    }

    #[test]
    fn the_time_is_that_of_the_budget_or_of_a_slow_store() {
        assert_eq!(TERMS.in_time(291).time, Duration::from_millis(61_001));
        assert_eq!(Terms { calls_per_minute: 30, ..TERMS }.in_time(30).time, Duration::from_millis(61_001));
        assert_eq!(TERMS.at_pace(10, 5, Duration::from_mins(1)).time, Duration::from_mins(2));
        assert_eq!(TERMS.at_pace(291, 5, Duration::ZERO), TERMS.in_time(291));
        assert_eq!(TERMS.at_pace(0, 0, Duration::ZERO).time, Duration::ZERO);
    }

    #[test]
    fn what_is_left_shrinks_with_the_pages_and_is_not_known_of_a_first_load() {
        let at = |phase, page, position| {
            let listed = Listed { place: Some(Place { covered: Some(1), position, limit: 1000 }), ..Listed::default() };
            Checkpoint { page, page_size: 200, phase, listed, ..Checkpoint::default() }
        };
        let left = |kind, checkpoint: &Checkpoint, counts: Counts, held| {
            TERMS.left(kind, checkpoint, &counts, held, Waiting { look: 500, missing: 1, gone: 0 })
        };
        let none = Counts::default();
        let all = TERMS.run(RunKind::Full, 10_000, false).calls;
        assert_eq!(left(RunKind::Full, &at(Phase::Detail, 0, 0), none, 10_000), Some(all + 3 + 2));
        assert_eq!(left(RunKind::Full, &at(Phase::Detail, 0, 4000), none, 10_000), Some(28 + 3 + 2), "of {all} calls");
        let all = walk(10_000, 200) + list(10_000, SWEEP_PAGE);
        assert_eq!(left(RunKind::Full, &at(Phase::Walk, 0, 0), none, 10_000), Some(all));
        assert_eq!(left(RunKind::Full, &at(Phase::Walk, 20, 0), none, 10_000), Some(all - 20));
        assert_eq!(left(RunKind::Full, &at(Phase::Walk, 900, 0), none, 10_000), Some(1 + list(10_000, SWEEP_PAGE)));
        let first = Counts { inserted: 4000, ..none };
        assert_eq!(left(RunKind::Full, &at(Phase::Walk, 20, 0), first, 4000), None);
        assert_eq!(left(RunKind::Full, &at(Phase::Detail, 0, 4000), first, 4000), None);
        assert_eq!(left(RunKind::Full, &at(Phase::List, 50, 4000), first, 4000), Some(1 + 3 + 2));
        assert_eq!(left(RunKind::Sweep, &at(Phase::List, 0, 5000), none, 10_000), Some(6 + 3 + 2));
        assert_eq!(left(RunKind::Sweep, &at(Phase::List, 0, 5000), first, 4000), None);
        assert_eq!(left(RunKind::Sweep, &at(Phase::Walk, 20, 0), none, 10_000), Some(32));
        assert_eq!(left(RunKind::Incremental, &at(Phase::List, 0, 200), none, 10_000), None);
        assert_eq!(left(RunKind::Sweep, &at(Phase::Look, 0, 0), first, 4000), Some(3 + 2));
        assert_eq!(left(RunKind::Sweep, &at(Phase::Confirm, 0, 0), first, 4000), Some(2));
        assert_eq!(left(RunKind::Sweep, &at(Phase::Over, 0, 0), none, 10_000), Some(0));
    }
}
