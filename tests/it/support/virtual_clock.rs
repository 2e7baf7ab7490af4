//! A clock on which waiting takes no time: whoever waits moves it forward by what it waits for.
//!
//! For one store called by one worker at a time it tells the truth: nobody moves the clock while a call is on its way, so
//! the shop writes down the moment at which the budget let the call through. (Two walks side by side would move it under
//! each other's calls.) Waits of the program that are not the clock's (a lease's third, a time-out) pass as always.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use netosync::clock::Clock;
use tokio::sync::watch;
use tokio::time::Instant;

#[derive(Debug)]
pub struct VirtualClock {
    start: DateTime<Utc>,
    begun: Instant,
    passed: watch::Sender<Duration>,
}

impl VirtualClock {
    pub fn new(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { start, begun: Instant::now(), passed: watch::Sender::new(Duration::ZERO) })
    }

    pub fn advance(&self, by: Duration) {
        self.passed.send_modify(|passed| *passed += by);
    }

    /// Resolves when the clock is moved after this was called.
    pub fn moves(&self) -> impl Future<Output = ()> + use<> {
        let mut moves = self.passed.subscribe();
        async move {
            // A clock that is gone will never be moved again.
            let _ = moves.changed().await;
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(*self.passed.borrow()).expect("not that long")
    }

    fn instant(&self) -> Instant {
        self.begun + *self.passed.borrow()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.advance(wait);
            tokio::task::yield_now().await;
        })
    }

    fn reaches(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        let mut moves = self.passed.subscribe();
        Box::pin(async move {
            // The sender is part of this clock, so it outlives the wait.
            let _ = moves.wait_for(|passed| at - self.start <= TimeDelta::from_std(*passed).unwrap_or_default()).await;
        })
    }
}
