//! What belongs to the calls of one run: the store's budget, the lease they are made under, the count, the way to stop.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{LiveLease, Pulse, StoreBudget};
use crate::domain::error::{ErrorClass, RemoteError};

/// One run's side of its calls.
#[derive(Debug)]
pub struct CallContext {
    /// Name of the store, for hints and the log.
    pub store: String,
    /// Its budget.
    pub budget: Arc<StoreBudget>,
    /// Calls made so far, repeats included.
    pub calls: AtomicU64,
    /// Gives up whatever is under way: a hard stop.
    pub cancel: CancellationToken,
    /// What a call of a run depends on; `None` for a call that belongs to no run.
    run: Option<UnderLease>,
}

/// What a run's calls depend on.
#[derive(Debug)]
pub struct UnderLease {
    /// No try is made unless it holds.
    pub lease: Arc<LiveLease>,
    /// Gets the signs of life.
    pub pulse: Arc<Pulse>,
    /// Asks for an end: a try under way goes on, no other begins, and nothing is waited for.
    pub stop: CancellationToken,
}

impl CallContext {
    /// A context that has made no call.
    #[must_use]
    pub fn new(store: impl Into<String>, budget: Arc<StoreBudget>, cancel: CancellationToken) -> Self {
        Self { store: store.into(), budget, calls: AtomicU64::new(0), cancel, run: None }
    }

    /// The calls belong to a run and are made under its lease only.
    #[must_use]
    pub fn under(self, run: UnderLease) -> Self {
        Self { run: Some(run), ..self }
    }

    /// Calls made so far, repeats included.
    #[must_use]
    pub fn calls_made(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Waits until the store may be called. An error means that it wants to be left alone for longer than is waited, or
    /// that the run is asked to stop.
    pub(super) async fn turn(&self, host: &str) -> Result<(), RemoteError> {
        while let Some(wait) = self.budget.take(host)? {
            tokio::select! {
                rested = self.rest(wait) => rested?,
                () = self.budget.changed() => {}
            }
        }
        Ok(())
    }

    /// Waits. An error means that the run is asked to stop.
    pub(super) async fn rest(&self, wait: Duration) -> Result<(), RemoteError> {
        let sleep = self.budget.clock().sleep(wait);
        let Some(run) = &self.run else {
            sleep.await;
            return Ok(());
        };
        run.pulse.rest(wait);
        tokio::select! {
            biased;
            () = run.stop.cancelled() => Err(given_up()),
            () = sleep => Ok(()),
        }
    }

    /// Makes one try, `call`, and counts it. It is driven only while the lease surely holds, up to its last step: a process
    /// that was stopped while it connected must not send the request when it goes on. One that ran out is waited for until
    /// it is renewed; when it is lost, that is the error.
    pub(super) async fn try_once<F: Future>(&self, call: F) -> Result<F::Output, RemoteError> {
        let Some(run) = &self.run else {
            self.count();
            return Ok(call.await);
        };
        let (mut call, mut begun) = (pin!(call), false);
        loop {
            if !run.lease.held().await {
                return Err(RemoteError::new(ErrorClass::Transient, "the run's lease is lost; no call was made"));
            }
            let driven = poll_fn(|cx| {
                if !run.lease.holds() {
                    return Poll::Ready(None);
                }
                if !std::mem::replace(&mut begun, true) {
                    self.count();
                    run.pulse.beat();
                }
                call.as_mut().poll(cx).map(Some)
            });
            if let Some(answer) = driven.await {
                run.pulse.beat();
                return Ok(answer);
            }
        }
    }

    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// The error of a call that was not made, or not finished, because of a stop. Look at the token before judging it.
pub(super) fn given_up() -> RemoteError {
    RemoteError::new(ErrorClass::Transient, "the call was given up: the run is being stopped")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use tokio::time::Instant;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::budget::Budget;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000).expect("in range")
    }

    fn context(budget: Budget) -> (Arc<ManualClock>, CallContext) {
        let clock = ManualClock::new(noon());
        let budget = StoreBudget::new(budget, clock.clone());
        (clock, CallContext::new("shop", budget, CancellationToken::new()))
    }

    /// The same, under a lease of a minute.
    fn under_lease(budget: Budget) -> (Arc<ManualClock>, CallContext, Arc<LiveLease>, CancellationToken) {
        let (clock, context) = context(budget);
        let minute = TimeDelta::minutes(1);
        let lease = LiveLease::new(clock.clone(), minute, Some(clock.now() + minute));
        let pulse = Pulse::new(clock.clone(), Duration::from_hours(1));
        let stop = CancellationToken::new();
        let run = UnderLease { lease: lease.clone(), pulse, stop: stop.clone() };
        (clock, context.under(run), lease, stop)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_their_turn() {
        let (_, context) = context(Budget::empty(60, noon()));
        let begun = Instant::now();
        for _ in 0..10 {
            context.turn("shop").await.expect("a turn");
        }
        // 60 a minute with a burst of 2 is 59 in 61.001 s.
        let passed = begun.elapsed();
        assert!((Duration::from_millis(10_339)..Duration::from_millis(10_500)).contains(&passed), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_silence_is_not_waited_for_and_a_short_one_is() {
        let (_, context) = context(Budget::new(300, noon()));
        context.budget.freeze(Duration::from_mins(1));
        let error = context.turn("shop").await.expect_err("silent");
        assert_eq!((error.class, error.retry_after), (ErrorClass::RateLimited, Some(Duration::from_mins(1))));
        tokio::time::advance(Duration::from_secs(56)).await;
        context.turn("shop").await.expect("a turn");
        assert_eq!(context.budget.state().map(|state| state.at), Some(noon() + TimeDelta::seconds(60)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_raised_ends_a_wait_that_has_become_too_long() {
        let (_, context) = context(Budget::empty(1, noon()));
        let begun = Instant::now();
        let (turn, ()) = tokio::join!(context.turn("shop"), async { context.budget.set_limit(60_000) });
        assert!(turn.is_ok() && begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_budget_lets_nothing_through_and_says_what_was_left() {
        let (_, context) = context(Budget::new(300, noon()));
        context.turn("shop").await.expect("a turn");
        let left = context.budget.close(7).expect("it was open");
        assert_eq!((left.settled_by, Budget::resume(Some(left), 8, 300, noon()).state().level), (Some(7), left.level));
        context.turn("shop").await.expect_err("closed");
        assert_eq!(context.budget.close(7), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_for_the_budget_at_once() {
        let (_, context, _, stop) = under_lease(Budget::empty(1, noon()));
        let begun = Instant::now();
        let (turn, ()) = tokio::join!(context.turn("shop"), async { stop.cancel() });
        assert_eq!((turn.expect_err("stopped").class, begun.elapsed()), (ErrorClass::Transient, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_is_neither_begun_nor_continued_once_the_lease_has_run_out() {
        let (clock, context, lease, _) = under_lease(Budget::new(300, noon()));
        // Connecting takes a moment, in which the process is stopped for longer than its lease; then it would send.
        let sent = AtomicU64::new(0);
        let call = async {
            clock.advance(TimeDelta::hours(1));
            tokio::task::yield_now().await;
            sent.fetch_add(1, Ordering::Relaxed);
        };
        let (tried, ()) = tokio::join!(context.try_once(call), async {
            lease.renewal_wanted().await;
            lease.lose();
        });
        tried.expect_err("lost");
        assert_eq!((sent.load(Ordering::Relaxed), context.calls_made()), (0, 1));
        context.try_once(async { sent.fetch_add(1, Ordering::Relaxed) }).await.expect_err("lost");
        assert_eq!((sent.load(Ordering::Relaxed), context.calls_made()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_goes_on_when_the_lease_that_ran_out_is_renewed() {
        let (clock, context, lease, _) = under_lease(Budget::new(300, noon()));
        clock.advance(TimeDelta::hours(1));
        let (tried, ()) = tokio::join!(context.try_once(async { 5 }), async {
            lease.renewal_wanted().await;
            assert_eq!(context.calls_made(), 0);
            lease.renewed(lease.renewal());
        });
        assert_eq!((tried, context.calls_made()), (Ok(5), 1));
    }
}
