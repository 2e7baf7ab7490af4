//! The record of what was asked of the simulated store.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};

/// How many calls are remembered; older ones are forgotten, so that a store can run for days.
const REMEMBERED: usize = 10_000;

/// One call. What the caller's key was is never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// From 1, since the store started.
    pub number: u64,
    /// When it came, by the store's clock.
    pub at: DateTime<Utc>,
    /// How many other calls were being answered when it came: callers that share a store without knowing of each other show here.
    pub beside: usize,
    /// `Page` of the request, if it could be read.
    pub page: Option<usize>,
    /// `Limit` of the request, after the server's cap.
    pub limit: Option<usize>,
    /// `InventoryID`s of the filter.
    pub ids: Vec<i64>,
    /// How many products were answered.
    pub rows: usize,
    /// The HTTP status; `None` while the call is being answered, and for ever when the caller hung up.
    pub status: Option<u16>,
    /// Whether the answer was a page (`Ack: Success` or `Warning`).
    pub ok: bool,
    /// The fault that struck the call, as text.
    pub fault: Option<String>,
}

/// The calls, and how many of them a minute are allowed.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    records: VecDeque<CallRecord>,
    made: u64,
    under_way: usize,
    within_budget: VecDeque<DateTime<Utc>>,
}

impl CallLog {
    /// Notes a call and returns its number. [`CallLog::end`] belongs to it.
    pub(super) fn begin(&mut self, at: DateTime<Utc>) -> u64 {
        self.made += 1;
        if self.records.len() == REMEMBERED {
            self.records.pop_front();
        }
        self.records.push_back(CallRecord {
            number: self.made,
            at,
            beside: self.under_way,
            page: None,
            limit: None,
            ids: Vec::new(),
            rows: 0,
            status: None,
            ok: false,
            fault: None,
        });
        self.under_way += 1;
        self.made
    }

    /// A call was answered, or its caller hung up.
    pub(super) fn end(&mut self) {
        self.under_way -= 1;
    }

    /// The record of a call, unless it was forgotten.
    pub(super) fn record(&mut self, number: u64) -> Option<&mut CallRecord> {
        let first = self.records.front()?.number;
        self.records.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Whether a call at this time stays within `a_minute` calls in any rolling minute; counts it if so.
    pub(super) fn within_budget(&mut self, at: DateTime<Utc>, a_minute: u32) -> bool {
        while self.within_budget.front().is_some_and(|first| at - *first >= Duration::minutes(1)) {
            self.within_budget.pop_front();
        }
        let within = self.within_budget.len() < a_minute as usize;
        if within {
            self.within_budget.push_back(at);
        }
        within
    }

    pub(super) fn made(&self) -> u64 {
        self.made
    }

    pub(super) fn records(&self) -> Vec<CallRecord> {
        self.records.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_holds_in_any_rolling_minute() {
        let mut log = CallLog::default();
        let start: DateTime<Utc> = "2026-04-03T10:00:00Z".parse().unwrap();
        let mut at = |seconds| log.within_budget(start + Duration::seconds(seconds), 2);
        assert_eq!([at(0), at(30), at(59), at(60), at(61), at(90)], [true, true, false, true, false, true]);
    }

    #[test]
    fn a_call_knows_how_many_others_are_under_way() {
        let mut log = CallLog::default();
        let at = "2026-04-03T10:00:00Z".parse().unwrap();
        log.begin(at);
        log.begin(at);
        log.end();
        log.end();
        log.begin(at);
        let beside: Vec<_> = log.records().iter().map(|call| call.beside).collect();
        assert_eq!(beside, [0, 1, 0]);
    }

    #[test]
    fn old_calls_are_forgotten_but_still_counted() {
        let mut log = CallLog::default();
        for _ in 0..=REMEMBERED {
            log.begin("2026-04-03T10:00:00Z".parse().unwrap());
        }
        assert_eq!((log.records().len(), log.made()), (REMEMBERED, REMEMBERED as u64 + 1));
        assert!(log.record(1).is_none());
        assert_eq!(log.record(2).map(|record| record.number), Some(2));
    }
}
