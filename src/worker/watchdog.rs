//! Feeds systemd's watchdog (`WatchdogSec=` in the unit) as long as the signs of [`Freshness`] are fresh. One of them it looks
//! after itself: it asks the database. What the runs under way say it reads from their [`Progress`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, error};

use super::freshness::{Ages, Freshness, Stale};
use super::service;
use crate::config::Live;
use crate::storage::{Database, StorageError, ping};
use crate::sync::Progress;

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// How long it may take to answer, before it is tried from outside of the pool for as long again.
const ANSWER: Duration = Duration::from_secs(10);

/// Watches over the process. Clones share everything.
#[derive(Clone)]
pub struct Watchdog {
    /// The database that is asked.
    pub db: Database,
    /// For the length of a tick.
    pub config: Live,
    /// The signs. The worker's loop marks its own.
    pub freshness: Arc<Freshness>,
    /// What the runs under way say: that of the syncer that works on them, and of its clones.
    pub progress: Progress,
}

impl Watchdog {
    /// What is stale now, if anything is.
    #[must_use]
    pub fn stale(&self) -> Option<Stale> {
        let tick = Duration::from_secs(self.config.get().schedule.tick_secs.into());
        self.ages().stale(tick)
    }

    /// How old the signs are.
    #[must_use]
    pub fn ages(&self) -> Ages {
        self.freshness.ages(self.progress.stalled())
    }

    /// Watches for ever.
    pub async fn watch(self) {
        let feeding = async {
            match service::watchdog() {
                Some(within) => self.feed(within).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(self.ask(), feeding);
    }

    /// Feeds twice within the time systemd gives, as it recommends. What is stale is said once.
    async fn feed(&self, within: Duration) {
        let mut turns = turns(within / 2);
        let mut told = false;
        loop {
            turns.tick().await;
            match self.stale() {
                None => {
                    service::alive();
                    told = false;
                }
                Some(stale) if !std::mem::replace(&mut told, true) => {
                    error!("{stale}; systemd is not told that all is well any more, and starts netosync again soon");
                }
                Some(_) => {}
            }
        }
    }

    async fn ask(&self) {
        let mut turns = turns(ASK_EVERY);
        loop {
            turns.tick().await;
            self.ask_once().await;
        }
    }

    async fn ask_once(&self) {
        let pool = heard(ping::ping(&self.db)).await;
        let outside = match pool {
            Heard::Nothing => heard(ping::from_outside(&self.db)).await,
            _ => pool,
        };
        self.note(pool, outside);
    }

    /// An error is an answer: nothing of ours is stuck. Silence may be our connections' fault or the database's: whoever comes
    /// from outside finds out which.
    fn note(&self, pool: Heard, outside: Heard) {
        match (pool, outside) {
            (Heard::Well, _) => self.freshness.database(),
            (Heard::Nothing, Heard::Well) => {}
            (Heard::Error, _) | (Heard::Nothing, Heard::Error | Heard::Nothing) => self.freshness.excuse(),
        }
    }
}

/// What the database said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Well,
    Error,
    Nothing,
}

async fn heard(asked: impl Future<Output = Result<(), StorageError>>) -> Heard {
    match timeout(ANSWER, asked).await {
        Ok(Ok(())) => Heard::Well,
        Ok(Err(error)) => {
            debug!("{error}");
            Heard::Error
        }
        Err(_) => Heard::Nothing,
    }
}

fn turns(every: Duration) -> tokio::time::Interval {
    let mut turns = interval(every.max(Duration::from_millis(1)));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::config::Config;
    use crate::domain::secret::Secret;
    use crate::transport::Pulse;

    async fn watchdog(folder: &tempfile::TempDir) -> Watchdog {
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("t.db").display());
        let db = Database::connect(&Secret::new(&url), "netosync", Arc::new(SystemClock)).await.expect("it opens");
        let config = Arc::new(Config::from_parts(None, &std::collections::BTreeMap::new()).expect("defaults"));
        Watchdog { db, config: config.into(), freshness: Arc::default(), progress: Progress::default() }
    }

    /// Makes every sign ten minutes old. The machine's clock stands still in these tests and moves here only.
    async fn grow_old() {
        tokio::time::pause();
        tokio::time::advance(Duration::from_mins(10)).await;
        tokio::time::resume();
    }

    #[tokio::test]
    async fn a_database_that_answers_is_fresh_and_excuses_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let dog = watchdog(&folder).await;
        grow_old().await;
        dog.ask_once().await;
        let ages = dog.ages();
        assert!(ages.database < Duration::from_mins(5) && ages.tick >= Duration::from_mins(10), "{ages:?}");
        assert!(matches!(dog.stale(), Some(Stale::Tick(_))));
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_no_reason_to_be_started_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let dog = watchdog(&folder).await;
        grow_old().await;
        // Closed, the pool answers with an error at once, as that of a server does when it is away for long enough.
        dog.db.close().await;
        dog.ask_once().await;
        assert_eq!(dog.stale(), None, "{:?}", dog.ages());
    }

    #[tokio::test]
    async fn only_connections_that_are_stuck_while_others_get_through_are_held_against_us() {
        let folder = tempfile::tempdir().expect("a folder");
        for (pool, outside, stale) in [
            (Heard::Well, Heard::Well, false),
            (Heard::Error, Heard::Error, false),
            (Heard::Nothing, Heard::Error, false),
            (Heard::Nothing, Heard::Nothing, false),
            (Heard::Nothing, Heard::Well, true),
        ] {
            let dog = watchdog(&folder).await;
            grow_old().await;
            dog.freshness.tick();
            dog.note(pool, outside);
            assert_eq!(matches!(dog.stale(), Some(Stale::Database(_))), stale, "{pool:?} {outside:?}");
        }
    }

    #[tokio::test]
    async fn runs_that_all_hang_starve_the_watchdog_unless_the_database_is_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let dog = watchdog(&folder).await;
        grow_old().await;
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let run = Pulse::new(clock.clone(), Duration::from_secs(100));
        dog.progress.clone().watch(&run);
        let pass = |secs| {
            clock.advance(TimeDelta::seconds(secs));
            dog.freshness.tick();
            dog.freshness.database();
            dog.stale()
        };
        assert_eq!(pass(200), None, "late, but within patience");
        let hangs = |stale| matches!(stale, Some(Stale::Runs(_)));
        assert!(hangs(pass(1000)));
        let other = Pulse::new(clock.clone(), Duration::from_secs(100));
        dog.progress.watch(&other);
        assert_eq!(pass(0), None, "another one moves on");
        drop(other);
        assert!(hangs(pass(0)));
        dog.freshness.excuse();
        assert_eq!(dog.stale(), None, "nothing moves without a database");
        grow_old().await;
        assert!(hangs(pass(0)));
        drop(run);
        assert_eq!(pass(0), None, "a run that has been let go is no reason any more");
    }
}
