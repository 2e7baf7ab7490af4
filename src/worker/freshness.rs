//! Is this process alive in the sense that matters? Three signs say so, and each may be old for so long only: the
//! worker's loop turns, the database has been asked, the runs under way move on.
//!
//! A process whose signs are stale is stuck, and a restart heals it: systemd's watchdog is not fed any more, `/healthz`
//! says 503. A **database that is away** is no such case. Nothing can turn or move without it and a restart would not bring it
//! back, so as long as it is known to be away all signs count as fresh ([`Freshness::excuse`]).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How old a sign may be. Far above the longest honest wait (for a connection of the pool, for a statement, for the lock
/// of SQLite): a false alarm ends every run under way, a late one costs minutes.
const PATIENCE: Duration = Duration::from_mins(5);

/// When the signs were last seen. Marking one is an atomic store.
#[derive(Debug)]
pub struct Freshness {
    begun: Instant,
    /// Milliseconds since `begun`, like the others.
    turned: AtomicU64,
    asked: AtomicU64,
    excused: AtomicU64,
}

/// How old the signs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// Since the worker's loop last turned.
    pub tick: Duration,
    /// Since the database last answered, or was last known to be away.
    pub database: Duration,
    /// For how long the runs under way have been overdue with a sign of life; nothing when there are none.
    pub runs: Duration,
}

/// The sign that is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The worker's loop stands still.
    Tick(Duration),
    /// Our connections to a database that others reach are dead.
    Database(Duration),
    /// No run moves on.
    Runs(Duration),
}

impl Ages {
    /// The first sign that is too old for a loop that turns every `tick` at least; `None`: feed the watchdog. Pure.
    #[must_use]
    pub fn stale(self, tick: Duration) -> Option<Stale> {
        if self.tick > PATIENCE + tick {
            Some(Stale::Tick(self.tick))
        } else if self.database > PATIENCE {
            Some(Stale::Database(self.database))
        } else if self.runs > PATIENCE {
            Some(Stale::Runs(self.runs))
        } else {
            None
        }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick(age) => write!(f, "the worker's loop has stood still for {} s", age.as_secs()),
            Self::Database(age) => write!(f, "no connection to the database has answered for {} s", age.as_secs()),
            Self::Runs(age) => write!(f, "no run has moved on for {} s", age.as_secs()),
        }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self { begun: Instant::now(), turned: zero(), asked: zero(), excused: zero() }
    }
}

impl Freshness {
    /// The worker's loop turns.
    pub fn tick(&self) {
        self.mark(&self.turned);
    }

    /// The database has answered, were it with an error.
    pub fn database(&self) {
        self.mark(&self.asked);
    }

    /// The database is away for everybody, so nothing that is old up to now counts.
    pub fn excuse(&self) {
        self.mark(&self.excused);
    }

    /// The ages now. `overdue`: for how long the runs under way have been overdue with a sign of life.
    #[must_use]
    pub fn ages(&self, overdue: Option<Duration>) -> Ages {
        let now = self.now();
        let age = |sign: &AtomicU64| Duration::from_millis(now.saturating_sub(sign.load(Ordering::Relaxed)));
        let excused = age(&self.excused);
        Ages {
            tick: age(&self.turned).min(excused),
            database: age(&self.asked).min(excused),
            runs: overdue.unwrap_or_default().min(excused),
        }
    }

    fn mark(&self, sign: &AtomicU64) {
        sign.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_while_all_three_signs_are_fresh() {
        let secs = Duration::from_secs;
        for (tick, database, runs, every, expected) in [
            (0, 0, 0, 15, None),
            (300, 300, 300, 15, None),
            (315, 0, 0, 15, None),
            (316, 0, 0, 15, Some(Stale::Tick(secs(316)))),
            (3900, 0, 0, 3600, None),
            (3901, 0, 0, 3600, Some(Stale::Tick(secs(3901)))),
            (0, 301, 0, 3600, Some(Stale::Database(secs(301)))),
            (0, 0, 301, 3600, Some(Stale::Runs(secs(301)))),
            (316, 301, 301, 15, Some(Stale::Tick(secs(316)))),
        ] {
            let ages = Ages { tick: secs(tick), database: secs(database), runs: secs(runs) };
            assert_eq!(ages.stale(secs(every)), expected, "{ages:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_sign_ages_by_itself_and_none_while_the_database_is_away() {
        let (signs, hour) = (Freshness::default(), Duration::from_hours(1));
        tokio::time::advance(hour).await;
        signs.tick();
        assert_eq!(signs.ages(None), Ages { tick: Duration::ZERO, database: hour, runs: Duration::ZERO });
        signs.database();
        tokio::time::advance(hour).await;
        assert_eq!(signs.ages(Some(hour * 2)), Ages { tick: hour, database: hour, runs: hour * 2 });
        signs.excuse();
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = Duration::from_secs(1);
        assert_eq!(signs.ages(Some(hour * 2)), Ages { tick: second, database: second, runs: second });
    }
}
