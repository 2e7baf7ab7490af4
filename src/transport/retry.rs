//! How often and after what wait a call is made again. The only user of the `backoff` crate.
//!
//! The crate is no longer maintained, so nothing of it shows outside this file: replacing it is a change here only.
//! It gives us the growing bound and the random choice below it; tries and elapsed time are counted here.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;
use tokio::time::Instant;

/// Retry with full jitter: a random wait between 0 and a bound that doubles from `initial` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first bound.
    pub initial: Duration,
    /// The last bound.
    pub max: Duration,
    /// No try begins later than this after the first.
    pub max_elapsed: Duration,
    /// Tries in all, the first included.
    pub attempts: u32,
}

impl RetryPolicy {
    /// Counts from now on. The first try is under way.
    #[must_use]
    pub fn begin(&self) -> Retries {
        // The crate draws from interval ± factor * interval: half the bound and a factor of 1 is 0 to the bound.
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial / 2)
            .with_max_interval(self.max / 2)
            .with_randomization_factor(1.0)
            .with_multiplier(2.0)
            .with_max_elapsed_time(None)
            .build();
        Retries { policy: *self, backoff, begun: Instant::now(), tries: 1 }
    }
}

/// The tries of one call.
#[derive(Debug)]
pub struct Retries {
    policy: RetryPolicy,
    backoff: backoff::ExponentialBackoff,
    begun: Instant,
    tries: u32,
}

impl Retries {
    /// How long to wait before the next try; `None` = give up. A wait the server `asked` for is the least, and when it
    /// does not fit into the time there is, trying earlier would be rude and later is the next run's affair.
    pub fn next_wait(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.tries >= self.policy.attempts {
            return None;
        }
        let wait = self.backoff.next_backoff()?.min(self.policy.max).max(asked.unwrap_or_default());
        if self.begun.elapsed().saturating_add(wait) > self.policy.max_elapsed {
            return None;
        }
        self.tries += 1;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        initial: Duration::from_millis(500),
        max: Duration::from_secs(30),
        max_elapsed: Duration::from_mins(2),
        attempts: 4,
    };

    #[tokio::test(start_paused = true)]
    async fn no_try_begins_after_the_time_is_up() {
        let mut retries = RetryPolicy { attempts: 100, ..POLICY }.begin();
        tokio::time::advance(Duration::from_secs(119)).await;
        assert_eq!(retries.next_wait(Some(Duration::from_secs(2))), None);
        assert_eq!(retries.next_wait(Some(Duration::from_secs(1))), Some(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(retries.next_wait(None), None);
    }

    #[test]
    fn the_tries_are_counted_with_the_first() {
        let mut retries = POLICY.begin();
        assert_eq!(std::iter::from_fn(|| retries.next_wait(None)).count(), 3);
        assert_eq!(RetryPolicy { attempts: 1, ..POLICY }.begin().next_wait(None), None);
    }

    proptest! {
        #[test]
        fn waits_stay_below_the_doubling_bound(initial in 1u64..2000, max in 1u64..60_000, attempts in 1u32..20) {
            let max = Duration::from_millis(max.max(initial));
            let policy = RetryPolicy { initial: Duration::from_millis(initial), max, max_elapsed: Duration::MAX, attempts };
            let mut retries = policy.begin();
            let mut bound = policy.initial;
            while let Some(wait) = retries.next_wait(None) {
                prop_assert!(wait <= bound.min(max) + Duration::from_micros(1), "{wait:?} > {bound:?}");
                bound *= 2;
            }
        }
    }
}
