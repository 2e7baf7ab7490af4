//! How many pages of a store are asked for at once: as many as `fetch.in_flight` allows, and fewer while it does not bear them.
//!
//! A store that answers with errors, or far more slowly than it can, gets half as many requests at once; as many pages as are under
//! way, one after the other answered as usual, and it gets one more. It begins with all of them: a store that bears them should
//! not be read slowly first.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::debug;

/// So many times the time of the fastest page is slow ...
const SLOW: u32 = 4;
/// ... but never less than this, which may as well be the machine's own doing.
const NEVER_SLOW: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub struct Pace {
    turns: Semaphore,
    most: usize,
    borne: Mutex<Borne>,
    /// Whether a page has shown that those behind it are not what was asked for.
    halted: AtomicBool,
}

/// What the answers have shown.
#[derive(Debug)]
struct Borne {
    allowed: usize,
    /// Turns to be taken away from those who have them, when they are through.
    owed: usize,
    fine: usize,
    fastest: Option<Duration>,
}

/// The right to make one call.
#[derive(Debug)]
pub struct Turn<'p> {
    pace: &'p Pace,
    permit: SemaphorePermit<'p>,
}

impl Pace {
    /// At most so many at once, and one at least.
    pub fn new(most: u32) -> Self {
        let most = most.max(1) as usize;
        let borne = Borne { allowed: most, owed: 0, fine: 0, fastest: None };
        Self { turns: Semaphore::new(most), most, borne: Mutex::new(borne), halted: AtomicBool::new(false) }
    }

    /// Waits for the right to make a call; whoever asked first is first. `None` when what would be asked for is in doubt.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let permit = self.turns.acquire().await.expect("it is never closed");
        (!self.halted.load(Ordering::Acquire)).then_some(Turn { pace: self, permit })
    }

    /// No more turns: a page has shown that those behind it are not what was asked for.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    /// Turns again.
    pub fn go_on(&self) {
        self.halted.store(false, Ordering::Release);
    }
}

impl Turn<'_> {
    /// The call took so long, and whether it brought a page.
    pub fn over(self, took: Duration, brought: bool) {
        let Self { pace, permit } = self;
        let mut borne = pace.borne.lock().expect("nothing panics while it is held");
        let before = borne.allowed;
        let slow = borne.fastest.is_some_and(|fastest| took > (fastest * SLOW).max(NEVER_SLOW));
        if brought {
            borne.fastest = Some(borne.fastest.map_or(took, |fastest| fastest.min(took)));
        }
        if !brought || slow {
            borne.fine = 0;
            borne.allowed = (before / 2).max(1);
            borne.owed += before - borne.allowed;
        } else {
            borne.fine += 1;
            if borne.fine >= before && before < pace.most {
                borne.fine = 0;
                borne.allowed += 1;
                if borne.owed > 0 { borne.owed -= 1 } else { pace.turns.add_permits(1) }
            }
        }
        if borne.allowed != before {
            debug!(in_flight = borne.allowed, "another number of pages in flight");
        }
        if borne.owed > 0 {
            borne.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many turns are to be had at once.
    fn free(pace: &Pace) -> usize {
        pace.turns.available_permits()
    }

    async fn page(pace: &Pace, millis: u64, brought: bool) {
        pace.turn().await.expect("there are turns").over(Duration::from_millis(millis), brought);
    }

    #[tokio::test]
    async fn errors_and_slow_answers_halve_it_and_pages_that_come_as_usual_raise_it_again() {
        let pace = Pace::new(8);
        page(&pace, 100, true).await;
        assert_eq!(free(&pace), 8, "all from the beginning");
        page(&pace, 100, false).await;
        page(&pace, 100, true).await;
        page(&pace, 100, true).await;
        page(&pace, 100, true).await;
        assert_eq!(free(&pace), 4);
        page(&pace, 1000, true).await;
        page(&pace, 100, true).await;
        assert_eq!(free(&pace), 2);
        for _ in 0..100 {
            page(&pace, 399, true).await;
        }
        assert_eq!(free(&pace), 8);
    }

    #[tokio::test]
    async fn one_is_always_left_and_a_fast_store_is_not_slow_for_a_hiccup() {
        let pace = Pace::new(2);
        for _ in 0..5 {
            page(&pace, 1, false).await;
        }
        assert_eq!(free(&pace), 1);
        let pace = Pace::new(2);
        page(&pace, 1, true).await;
        page(&pace, 249, true).await;
        assert_eq!(free(&pace), 2);
    }

    #[tokio::test]
    async fn nobody_has_a_turn_while_it_is_halted() {
        let pace = Pace::new(2);
        pace.halt();
        assert!(pace.turn().await.is_none());
        pace.go_on();
        assert!(pace.turn().await.is_some());
    }
}
