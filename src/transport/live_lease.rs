//! Until when this process surely holds the lease of the run it makes calls for.
//!
//! A process may be stopped at any instant (`SIGSTOP`, a paused virtual machine, a machine that swaps) and goes on without
//! knowing. Meanwhile its lease may have run out and somebody else may spend the store's budget. So every try asks here
//! first: a lease holds for the time it was renewed for, counted from *before* the renewal was sent to the database, on a
//! clock that nobody can set and on the wall clock the others go by, minus a margin for what the clocks of two machines
//! differ. Only the database's answer extends it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::clock::SharedClock;

/// A lease as its holder knows it. Shared by the calls of a run and by whoever renews the lease.
#[derive(Debug)]
pub struct LiveLease {
    clock: SharedClock,
    lease_for: TimeDelta,
    state: watch::Sender<State>,
    wanted: Notify,
}

/// The moment before a renewal is sent to the database.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    instant: Instant,
    /// The same moment on the wall clock.
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Until { instant: Instant, wall: DateTime<Utc> },
    Lost,
}

impl LiveLease {
    /// A lease that was claimed and runs out at `expires`, as the database has it. Every renewal is for `lease_for`.
    #[must_use]
    pub fn new(clock: SharedClock, lease_for: TimeDelta, expires: Option<DateTime<Utc>>) -> Arc<Self> {
        let (instant, at) = (clock.instant(), clock.now());
        // What is left of it by the wall clock; nothing, should the clock have been set back since.
        let left = expires.map_or(TimeDelta::zero(), |expires| expires - at).min(lease_for);
        let state = until(Renewal { instant, at }, left, margin(lease_for));
        Arc::new(Self { clock, lease_for, state: watch::Sender::new(state), wanted: Notify::new() })
    }

    /// To be called before a renewal is sent; the lease is to be extended to `at` and the length of a lease.
    #[must_use]
    pub fn renewal(&self) -> Renewal {
        Renewal { instant: self.clock.instant(), at: self.clock.now() }
    }

    /// The database has taken the renewal.
    pub fn renewed(&self, renewal: Renewal) {
        let State::Until { instant: new, wall } = until(renewal, self.lease_for, margin(self.lease_for)) else {
            return;
        };
        self.state.send_if_modified(|state| match state {
            State::Until { instant, .. } if *instant < new => {
                *state = State::Until { instant: new, wall };
                true
            }
            State::Until { .. } | State::Lost => false,
        });
    }

    /// The lease is somebody else's, or could not be renewed: it never holds again.
    pub fn lose(&self) {
        self.state.send_replace(State::Lost);
    }

    /// Whether it surely holds now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.covers_now(*self.state.borrow())
    }

    /// Waits until it surely holds, which is at once while it does; `false` when it is lost. One that ran out is asked to be
    /// renewed without delay.
    pub async fn held(&self) -> bool {
        let mut changes = self.state.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            match state {
                State::Lost => return false,
                State::Until { .. } if self.covers_now(state) => return true,
                State::Until { .. } => self.wanted.notify_one(),
            }
            if changes.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Resolves when somebody needs a renewal now.
    pub async fn renewal_wanted(&self) {
        self.wanted.notified().await;
    }

    fn covers_now(&self, state: State) -> bool {
        match state {
            State::Until { instant, wall } => self.clock.instant() < instant && self.clock.now() < wall,
            State::Lost => false,
        }
    }
}

/// What the wall clocks of two machines may differ without harm: a tenth of the lease.
fn margin(lease_for: TimeDelta) -> TimeDelta {
    lease_for / 10
}

fn until(from: Renewal, lease_for: TimeDelta, margin: TimeDelta) -> State {
    let sure = (lease_for - margin).max(TimeDelta::zero());
    State::Until { instant: from.instant + sure.to_std().unwrap_or(Duration::ZERO), wall: from.at + sure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn lease() -> (Arc<ManualClock>, Arc<LiveLease>) {
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let lease_for = TimeDelta::seconds(20);
        let lease = LiveLease::new(clock.clone(), lease_for, Some(clock.now() + lease_for));
        (clock, lease)
    }

    #[tokio::test(start_paused = true)]
    async fn it_holds_for_its_length_but_a_tenth_from_before_the_renewal_was_sent() {
        let (clock, lease) = lease();
        clock.advance(TimeDelta::milliseconds(17_999));
        assert!(lease.holds());
        let renewal = lease.renewal();
        // The answer of the database is long on its way.
        clock.advance(TimeDelta::seconds(10));
        assert!(!lease.holds());
        lease.renewed(renewal);
        assert!(lease.holds());
        clock.advance(TimeDelta::seconds(8));
        assert!(!lease.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_slept_through_its_lease_waits_for_the_renewal_or_the_loss() {
        let (clock, lease) = lease();
        // Nobody sets the wall clock, nor moves it: time passes all the same.
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(!lease.holds());
        let waiting = tokio::spawn({
            let lease = lease.clone();
            async move { lease.held().await }
        });
        lease.renewal_wanted().await;
        lease.renewed(lease.renewal());
        assert!(waiting.await.expect("no panic"));
        clock.advance(TimeDelta::seconds(60));
        let waiting = tokio::spawn({
            let lease = lease.clone();
            async move { lease.held().await }
        });
        lease.renewal_wanted().await;
        lease.lose();
        assert!(!waiting.await.expect("no panic"));
        lease.renewed(lease.renewal());
        assert!(!lease.holds(), "a lost lease stays lost");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_was_overtaken_shortens_nothing() {
        let (clock, lease) = lease();
        let early = lease.renewal();
        clock.advance(TimeDelta::seconds(10));
        lease.renewed(lease.renewal());
        lease.renewed(early);
        clock.advance(TimeDelta::seconds(17));
        assert!(lease.holds());
    }

    #[test]
    fn a_lease_claimed_by_a_process_that_was_stopped_right_after_does_not_hold() {
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let expires = clock.now() + TimeDelta::seconds(20);
        clock.advance(TimeDelta::seconds(21));
        assert!(!LiveLease::new(clock, TimeDelta::seconds(20), Some(expires)).holds());
    }
}
