//! How many calls a store gets: a token bucket that keeps the promise for **any** rolling minute.
//!
//! A bucket that holds `capacity` calls and regains `r` calls a minute lets at most `capacity + r` calls through in a
//! minute that begins with a full bucket. So for a limit of `n` calls the two must not add up to more than `n`:
//!
//! ```text
//! capacity = a thirtieth of the limit, 1 to 10          (a short burst; the rest comes evenly spaced)
//! regained = (n + 1 - capacity) calls in 61.001 s       (n + 1 and the odd millisecond: the count of calls is whole,
//!                                                        so capacity + less than (n + 1 - capacity) is at most n)
//! ```
//!
//! The minute has a second more than others have, because the store counts a call when it arrives: one that was a second
//! longer on its way (a new connection, a busy line) than those after it must not bring a minute of the store above the limit.
//!
//! The arithmetic is in whole units of 1/61001 call, so nothing is rounded in anybody's favour. The bucket is pure: the time
//! is a parameter, and a clock that goes backwards regains nothing. Its state travels in the run's checkpoint
//! ([`Budget::resume`]); a holder that has no final state begins with an empty bucket, which can never hold more than
//! the lost one did.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// One call, in units: what a regain of one call a minute brings in a minute, a second and a millisecond.
const CALL: u64 = 61_001;

/// The longest silence that is believed, whoever asks for it: a day.
pub const MAX_FREEZE: Duration = Duration::from_hours(24);

/// What a checkpoint carries of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetState {
    /// Content of the bucket, in units of 1/61001 call.
    pub level: u64,
    /// When that was.
    pub at: DateTime<Utc>,
    /// No call before, after the store said HTTP 429.
    #[serde(default)]
    pub frozen_until: Option<DateTime<Utc>>,
    /// Epoch of the lease whose holder made no call after this: the run was given back in order. Believed by the holder
    /// of the next epoch only. The checkpoint of a page has none, because calls may have been made after it.
    #[serde(default)]
    pub settled_by: Option<i64>,
}

impl BudgetState {
    /// Calls that could be made at once at `now` under that limit; none during a silence. For people, not for callers.
    #[must_use]
    pub fn calls_left(self, calls_per_minute: u32, now: DateTime<Utc>) -> f64 {
        let mut budget = Budget { state: self, ..Budget::empty(calls_per_minute, now) };
        budget.settle(now);
        if budget.frozen(now).is_some() { 0.0 } else { budget.state.level as f64 / CALL as f64 }
    }
}

/// How long so many calls take at least for somebody who begins with an empty bucket, as every run does.
#[must_use]
pub fn time_of(calls: u64, calls_per_minute: u32) -> Duration {
    let (_, regain) = rates(calls_per_minute);
    Duration::from_millis(calls.saturating_mul(CALL).div_ceil(regain))
}

/// The calls one store has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    state: BudgetState,
    capacity: u64,
    /// Units regained in a millisecond, which is calls regained in 61.001 s.
    regain: u64,
}

impl Budget {
    /// A full bucket: only for a store that surely had no call within the last minute. A limit of 0 counts as 1.
    #[must_use]
    pub fn new(calls_per_minute: u32, now: DateTime<Utc>) -> Self {
        let mut budget = Self::empty(calls_per_minute, now);
        budget.state.level = budget.capacity;
        budget
    }

    /// An empty bucket: the right start when it is not known what others did within the last minute.
    #[must_use]
    pub fn empty(calls_per_minute: u32, now: DateTime<Utc>) -> Self {
        let state = BudgetState { level: 0, at: now, frozen_until: None, settled_by: None };
        let (capacity, regain) = rates(calls_per_minute);
        Self { state, capacity, regain }
    }

    /// The bucket of the holder of lease `epoch`, who finds `state` in the checkpoint. When the holder before did not settle it,
    /// it begins empty: nobody knows which calls were made after it. What was regained since is left out, because it
    /// may have been written by another machine's clock. A silence holds in any case, and the limit may have changed.
    #[must_use]
    pub fn resume(state: Option<BudgetState>, epoch: i64, calls_per_minute: u32, now: DateTime<Utc>) -> Self {
        let mut budget = Self::empty(calls_per_minute, now);
        let Some(state) = state else { return budget };
        if state.settled_by.is_some_and(|settled| settled + 1 == epoch) {
            budget.state.level = state.level.min(budget.capacity);
        }
        if let Some(until) = state.frozen_until.filter(|until| *until > now) {
            budget.state.frozen_until = Some(until.min(later(now, MAX_FREEZE)));
        }
        budget
    }

    /// Changes the limit; what is in the bucket stays, as far as it still fits. A minute in which the limit changes has
    /// no more calls than the larger of the two allows.
    pub fn set_limit(&mut self, calls_per_minute: u32, now: DateTime<Utc>) {
        self.settle(now);
        (self.capacity, self.regain) = rates(calls_per_minute);
        self.state.level = self.state.level.min(self.capacity);
    }

    /// Takes one call, or says how long to wait before asking again.
    pub fn take(&mut self, now: DateTime<Utc>) -> Result<(), Duration> {
        self.settle(now);
        if let Some(silence) = self.frozen(now) {
            return Err(silence);
        }
        if let Some(left) = self.state.level.checked_sub(CALL) {
            self.state.level = left;
            return Ok(());
        }
        Err(Duration::from_millis((CALL - self.state.level).div_ceil(self.regain)))
    }

    /// No call before `until` (at most [`MAX_FREEZE`] from now), and none saved up for then. Never shortens a silence.
    pub fn freeze(&mut self, until: DateTime<Utc>, now: DateTime<Utc>) {
        self.settle(now);
        self.state.level = 0;
        let until = until.min(later(now, MAX_FREEZE));
        self.state.frozen_until = Some(self.state.frozen_until.map_or(until, |held| held.max(until)));
    }

    /// How long the store still has to be left alone, if it has to.
    #[must_use]
    pub fn frozen(&self, now: DateTime<Utc>) -> Option<Duration> {
        let left = (self.state.frozen_until? - now).to_std().ok()?;
        (!left.is_zero()).then_some(left)
    }

    /// What a checkpoint has to carry.
    #[must_use]
    pub fn state(&self) -> BudgetState {
        self.state
    }

    /// Adds what was regained up to `now`. Where the clock went backwards nothing is, and a silence keeps its length.
    fn settle(&mut self, now: DateTime<Utc>) {
        let elapsed = (now - self.state.at).num_milliseconds();
        if let Ok(elapsed) = u64::try_from(elapsed) {
            self.state.level = self.state.level.saturating_add(elapsed.saturating_mul(self.regain)).min(self.capacity);
            self.state.at += TimeDelta::milliseconds(elapsed.cast_signed());
        } else {
            let back = self.state.at - now;
            self.state.frozen_until = self.state.frozen_until.map(|until| until - back);
            self.state.at = now;
        }
    }
}

/// Capacity in units and units regained in a millisecond.
fn rates(calls_per_minute: u32) -> (u64, u64) {
    let limit = u64::from(calls_per_minute.max(1));
    let burst = (limit / 30).clamp(1, 10);
    (burst * CALL, limit + 1 - burst)
}

/// `now` and `more`, as far as the calendar goes.
fn later(now: DateTime<Utc>, more: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(more).ok().and_then(|more| now.checked_add_signed(more)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000 + millis).expect("in range")
    }

    /// Most calls in any closed window of a minute.
    fn busiest_minute(calls: &[i64]) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (last, time) in calls.iter().enumerate() {
            while time - calls[first] > 60_000 {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    #[test]
    fn a_limit_of_one_lets_one_call_a_minute_through() {
        let mut budget = Budget::new(1, at(0));
        assert_eq!(budget.take(at(0)), Ok(()));
        assert_eq!(budget.take(at(0)), Err(Duration::from_millis(61_001)));
        assert_eq!(budget.take(at(61_000)), Err(Duration::from_millis(1)));
        assert_eq!(budget.take(at(61_001)), Ok(()));
    }

    #[test]
    fn a_greedy_caller_gets_nearly_the_whole_limit() {
        let mut budget = Budget::new(300, at(0));
        let (mut now, mut calls) = (0, Vec::new());
        while now < 300_000 {
            match budget.take(at(now)) {
                Ok(()) => calls.push(now),
                Err(wait) => now += i64::try_from(wait.as_millis()).expect("small"),
            }
        }
        assert!(busiest_minute(&calls) <= 300);
        assert!(calls.len() > 5 * 285, "{}", calls.len());
    }

    #[test]
    fn a_clock_that_goes_backwards_gives_nothing_and_blocks_nothing() {
        let mut budget = Budget::empty(60, at(0));
        assert!(budget.take(at(-3_600_000)).is_err());
        assert_eq!(budget.take(at(-3_598_000)), Ok(()));
        budget.freeze(at(-3_590_000), at(-3_598_000));
        assert_eq!(budget.take(at(-7_000_000)), Err(Duration::from_secs(8)));
    }

    #[test]
    fn a_freeze_holds_through_a_checkpoint_and_is_never_shortened() {
        let mut budget = Budget::new(300, at(0));
        budget.freeze(at(60_000), at(0));
        budget.freeze(at(30_000), at(0));
        let text = serde_json::to_string(&budget.state()).expect("plain data");
        let mut resumed = Budget::resume(serde_json::from_str(&text).expect("what was written"), 1, 300, at(10_000));
        assert_eq!(resumed.take(at(10_000)), Err(Duration::from_secs(50)));
        assert_eq!(resumed.take(at(60_000)), Ok(()));
        resumed.freeze(DateTime::<Utc>::MAX_UTC, at(60_000));
        assert_eq!(resumed.frozen(at(60_000)), Some(MAX_FREEZE));
    }

    #[test]
    fn only_a_state_settled_by_the_holder_before_is_believed_and_never_more_than_fits() {
        let full = BudgetState { level: u64::MAX, at: at(3_600_000), frozen_until: None, settled_by: Some(6) };
        let level = |state, epoch| Budget::resume(state, epoch, 1, at(0)).state().level;
        assert_eq!(level(Some(full), 7), CALL);
        assert_eq!(level(Some(full), 8), 0, "the holder of epoch 7 may have made calls");
        assert_eq!(level(Some(BudgetState { settled_by: None, ..full }), 7), 0);
        assert_eq!(level(None, 7), 0);
        let old = BudgetState { level: 0, at: at(-9_000_000), ..full };
        assert!(Budget::resume(Some(old), 7, 1, at(0)).take(at(0)).is_err());
    }

    #[test]
    fn a_changed_limit_holds_at_once_and_gives_nothing_away() {
        let mut budget = Budget::new(300, at(0));
        budget.set_limit(1, at(0));
        assert_eq!((budget.take(at(0)), budget.take(at(0))), (Ok(()), Err(Duration::from_millis(61_001))));
        budget.set_limit(600, at(0));
        assert_eq!(budget.take(at(0)), Err(Duration::from_millis(CALL.div_ceil(591))));
    }

    #[test]
    fn what_is_left_grows_up_to_the_burst_and_is_nothing_during_a_silence() {
        let state = BudgetState { level: 2 * CALL, at: at(0), frozen_until: None, settled_by: None };
        assert!((state.calls_left(300, at(0)) - 2.0).abs() < 0.01);
        assert!((state.calls_left(300, at(60_000)) - 10.0).abs() < 0.01);
        assert!((state.calls_left(1, at(0)) - 1.0).abs() < 0.01);
        let frozen = BudgetState { frozen_until: Some(at(5000)), ..state };
        assert!(frozen.calls_left(300, at(4999)) < 0.01 && frozen.calls_left(300, at(5000)) > 2.0);
    }

    proptest! {
        // A run's life: calls that take up to a second to arrive, pages, crashes, orderly returns, silences.
        #[test]
        fn no_rolling_minute_ever_holds_more_calls_than_the_limit(
            limit in prop_oneof![1u32..40, 200u32..600],
            full in any::<bool>(),
            steps in prop::collection::vec((0i64..20_000, 1usize..400, 0i64..=1_000, 0u8..14), 1..60),
        ) {
            let mut budget = if full { Budget::new(limit, at(0)) } else { Budget::empty(limit, at(0)) };
            let (mut now, mut arrivals, mut checkpoint, mut epoch) = (0, Vec::new(), None, 1);
            for (pause, tries, on_its_way, event) in steps {
                now += pause;
                match event {
                    // A page is stored; a crash, after which the next holder has the last checkpoint; a return.
                    0 => checkpoint = Some(budget.state()),
                    1 => {
                        epoch += 1;
                        budget = Budget::resume(checkpoint, epoch, limit, at(now));
                    }
                    2 => {
                        checkpoint = Some(BudgetState { settled_by: Some(epoch), ..budget.state() });
                        epoch += 1;
                        budget = Budget::resume(checkpoint, epoch, limit, at(now));
                    }
                    3 => budget.freeze(at(now + 60_000), at(now)),
                    // Waits as it is told to, as the transport does.
                    4 | 5 => for _ in 0..tries {
                        match budget.take(at(now)) {
                            Ok(()) => arrivals.push(now + on_its_way),
                            Err(wait) => now += i64::try_from(wait.as_millis()).expect("small"),
                        }
                    },
                    _ => for _ in 0..tries {
                        if budget.take(at(now)).is_ok() { arrivals.push(now + on_its_way); }
                    },
                }
            }
            arrivals.sort_unstable();
            prop_assert!(busiest_minute(&arrivals) <= limit as usize);
        }

        #[test]
        fn the_wait_is_exact(limit in 1u32..=1_000_000, used in 0i64..60_000) {
            let mut budget = Budget::empty(limit, at(0));
            while budget.take(at(used)).is_ok() {}
            let wait = i64::try_from(budget.take(at(used)).expect_err("empty").as_millis()).expect("small");
            prop_assert!(budget.clone().take(at(used + wait - 1)).is_err());
            prop_assert!(budget.take(at(used + wait)).is_ok());
        }

        #[test]
        fn a_clock_that_jumps_never_lets_more_through_than_one_that_stands(jumps in prop::collection::vec(1i64..100_000, 1..20)) {
            let mut budget = Budget::empty(60, at(0));
            let mut now = 0;
            for jump in jumps {
                now -= jump;
                prop_assert!(budget.take(at(now)).is_err());
            }
        }
    }
}
