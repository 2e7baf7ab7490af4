//! The worker with work that is not a sync: what it does with slots, attempts, panics and stops.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tokio::sync::Barrier;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::domain::run::{RunKind, Trigger, Verdict};
use crate::domain::secret::Secret;
use crate::storage::stores::{self, NewStore};
use crate::storage::{credentials, schema};

/// A database with stores that were never synced.
struct Place {
    db: Database,
    config: Arc<Config>,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Place {
    async fn with_stores(count: usize, slots: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("t.db").display());
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let db = Database::connect(&Secret::new(&url), "netosync", clock.clone()).await.expect("it opens");
        schema::migrate(&db).await.expect("it is migrated");
        for number in 0..count {
            let new = NewStore {
                name: format!("store-{number}"),
                connector: "neto".to_owned(),
                url: "https://shop.example/".parse().expect("a URL"),
                timezone: None,
                schedule_full: None,
                schedule_incremental: None,
                schedule_sweep: None,
                calls_per_minute: None,
            };
            stores::add_store(&db, &new).await.expect("it is added");
        }
        let env = BTreeMap::from([("NETOSYNC__WORKER__SLOTS".to_owned(), slots.to_string())]);
        let config = Arc::new(Config::from_parts(None, &env).expect("a configuration"));
        Self { db, config, clock, _folder: folder }
    }

    /// Serves with that work, until nothing is left to do.
    async fn serve<W, F>(&self, stop: &CancellationToken, work: W) -> Vec<i64>
    where
        W: Fn(Run, Lease) -> F,
        F: Future<Output = Result<(), StorageError>> + Send + 'static,
    {
        let worker = Worker {
            db: self.db.clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
            owner: "tester".to_owned(),
            work,
        };
        let mut scheduler = Scheduler::new(self.db.clone(), self.config.clone(), self.clock.clone());
        let mut ticks = Ticks::start(Duration::from_hours(1)).await.expect("a tick source");
        let mut worked =
            worker.serve(&mut scheduler, &mut ticks, Until::Idle, stop).await.expect("the database does not fail");
        worked.sort_unstable();
        worked
    }

    /// Ends a run well, as a sync would.
    fn finish(&self, run: &Run, lease: Lease) -> impl Future<Output = Result<(), StorageError>> + Send + use<> {
        let (db, now, counts) = (self.db.clone(), self.clock.now(), run.counts);
        async move {
            let verdict = Some(Verdict::Complete);
            let end = End { state: RunState::Succeeded, verdict, error_class: None, error: None };
            runs::finish(&db, &lease, &end, &counts, now).await
        }
    }

    async fn states(&self) -> Vec<(RunState, i32)> {
        let mut runs = runs::newest(&self.db, None, 100).await.expect("readable");
        runs.sort_by_key(|run| run.store_id);
        runs.iter().map(|run| (run.state, run.attempt)).collect()
    }
}

#[tokio::test]
async fn every_slot_works_and_no_more_than_there_are() {
    let place = Place::with_stores(6, 2).await;
    let both = Arc::new(Barrier::new(2));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let worked = place
        .serve(&CancellationToken::new(), |run, lease| {
            let (both, now, most) = (both.clone(), now.clone(), most.clone());
            let finish = place.finish(&run, lease);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Only two at once get past here; with fewer the test would never end.
                both.wait().await;
                let finished = finish.await;
                now.fetch_sub(1, Ordering::SeqCst);
                finished
            }
        })
        .await;
    assert_eq!((worked, most.load(Ordering::SeqCst)), ((1..=6).collect(), 2));
    assert_eq!(place.states().await, [(RunState::Succeeded, 1); 6]);
}

#[tokio::test]
async fn a_panic_in_one_run_is_written_down_and_the_others_go_on() {
    let place = Place::with_stores(3, 1).await;
    let worked = place
        .serve(&CancellationToken::new(), |run, lease| {
            let panics = run.store_id == 1;
            let finish = place.finish(&run, lease);
            async move {
                assert!(!panics, "a bug");
                finish.await
            }
        })
        .await;
    assert_eq!(worked, [1, 2, 3]);
    assert_eq!(place.states().await, [(RunState::Queued, 1), (RunState::Succeeded, 1), (RunState::Succeeded, 1)]);
    let run = runs::get(&place.db, 1).await.expect("readable").expect("it is there");
    assert!(run.scheduled_at > place.clock.now() && run.error.is_some_and(|error| error.contains("panicked")));
}

#[tokio::test]
async fn a_run_whose_attempts_are_used_up_fails_with_the_last_reason() {
    let place = Place::with_stores(1, 1).await;
    runs::enqueue(&place.db, 1, RunKind::Full, Trigger::Manual, place.clock.now()).await.expect("queued");
    let used_up = "UPDATE runs SET attempt = 5, error = 'the store is away', error_class = 'transient'";
    place.db.orm().execute_unprepared(used_up).await.expect("written");
    let worked = place
        .serve(&CancellationToken::new(), |run, _| async move {
            panic!("run {} must not be worked on again", run.id);
        })
        .await;
    assert_eq!(worked, [0; 0]);
    let run = runs::get(&place.db, 1).await.expect("readable").expect("it is there");
    assert_eq!((run.state, run.error_class), (RunState::Failed, Some(ErrorClass::Transient)));
    assert_eq!(run.error.as_deref(), Some("gave up after 5 attempts; the last time: the store is away"));
}

#[tokio::test]
async fn a_stop_claims_nothing_more_and_waits_for_the_run_in_flight() {
    let place = Place::with_stores(2, 1).await;
    let stop = CancellationToken::new();
    place
        .serve(&stop, |run, lease| {
            let finish = place.finish(&run, lease);
            let stop = stop.clone();
            async move {
                stop.cancel();
                tokio::task::yield_now().await;
                finish.await
            }
        })
        .await;
    assert_eq!(place.states().await, [(RunState::Succeeded, 1), (RunState::Queued, 0)]);
}

#[tokio::test]
async fn only_stores_that_are_due_are_queued_and_only_once() {
    let place = Place::with_stores(4, 1).await;
    let mut scheduler = Scheduler::new(place.db.clone(), place.config.clone(), place.clock.clone());
    stores::pause_store(&place.db, "store-1", None, None).await.expect("paused");
    let sealed = credentials::NewCredential {
        scheme: crate::domain::store::Scheme::ApiKey,
        username: None,
        client_id: None,
        secret: vec![1],
        refresh_secret: None,
        key_id: "k".to_owned(),
        fingerprint: "f".to_owned(),
        expires_at: None,
    };
    credentials::put_credential(&place.db, 3, sealed).await.expect("stored");
    let revoked = "UPDATE credentials SET state = 'revoked', next_check_at = '2027-11-21T09:00:00.000+00:00'";
    place.db.orm().execute_unprepared(revoked).await.expect("flagged");
    assert_eq!(scheduler.enqueue_due().await.expect("the database does not fail"), 2);
    assert_eq!(scheduler.enqueue_due().await.expect("the database does not fail"), 0);
    // Weekly: nothing is due again once they have run, until the week is over.
    let now = place.clock.now();
    place.serve(&CancellationToken::new(), |run, lease| place.finish(&run, lease)).await;
    place.clock.advance(TimeDelta::hours(12));
    assert_eq!(scheduler.enqueue_due().await.expect("the database does not fail"), 0);
    place.clock.advance(TimeDelta::days(30));
    assert_eq!(scheduler.enqueue_due().await.expect("the database does not fail"), 2, "a month after {now}");
}
