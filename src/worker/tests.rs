//! The worker with work that is not a sync: what it does with slots, attempts, panics and stops.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tokio::sync::{Barrier, mpsc};

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Counts, RunKind, RunState, Trigger, Verdict};
use crate::domain::secret::Secret;
use crate::storage::runs::{self, Claim, End, Return};
use crate::storage::stores::{self, NewStore};
use crate::storage::{credentials, instances, schema};

/// A test that waits longer than this waits for ever.
const HANGS: Duration = Duration::from_mins(1);

/// A database with stores that were never synced.
struct Place {
    db: Database,
    config: Live,
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
        let only_full = ["NETOSYNC__SCHEDULE__INCREMENTAL", "NETOSYNC__SCHEDULE__SWEEP"];
        let mut env: BTreeMap<_, _> = only_full.into_iter().map(|name| (name.to_owned(), String::new())).collect();
        env.insert("NETOSYNC__WORKER__SLOTS".to_owned(), slots.to_string());
        let config = Arc::new(Config::from_parts(None, &env).expect("a configuration")).into();
        Self { db, config, clock, _folder: folder }
    }

    /// Serves with that work, until nothing is left to do.
    async fn serve<W, F>(&self, stop: &CancellationToken, work: W) -> Vec<i64>
    where
        W: Fn(Run, Lease) -> F,
        F: Future<Output = Result<(), StorageError>> + Send + 'static,
    {
        self.serve_as("tester", Until::Idle, stop, work).await
    }

    /// Serves under that name.
    async fn serve_as<W, F>(&self, owner: &str, until: Until, stop: &CancellationToken, work: W) -> Vec<i64>
    where
        W: Fn(Run, Lease) -> F,
        F: Future<Output = Result<(), StorageError>> + Send + 'static,
    {
        let worker = Worker {
            db: self.db.clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
            owner: owner.to_owned(),
            host: "here".to_owned(),
            freshness: Arc::default(),
            metrics: Arc::default(),
            work,
        };
        let mut scheduler = Scheduler::new(self.db.clone(), self.config.clone(), self.clock.clone());
        let mut ticks = Ticks::start(Duration::from_hours(1)).await.expect("a tick source");
        let served = worker.serve(&mut scheduler, &mut ticks, until, stop);
        let served = tokio::time::timeout(HANGS, served).await.expect("it does not hang");
        let mut worked = served.expect("the database does not fail");
        worked.sort_unstable();
        worked
    }

    /// Serves until the only run there is to work on has been worked on; gives the time at which that began. Meanwhile
    /// `happens` happens, once the worker has nothing to do but to wait for a time.
    async fn serve_one(&self, happens: impl AsyncFnOnce()) -> DateTime<Utc> {
        let stop = CancellationToken::new();
        let (tell, mut begun) = mpsc::unbounded_channel();
        let serving = self.serve_as("tester", Until::Stopped, &stop, |run, lease| {
            tell.send(self.clock.now()).expect("the test waits");
            stop.cancel();
            self.finish(&run, lease)
        });
        let happening = async {
            while self.clock.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            happens().await;
        };
        tokio::join!(serving, happening);
        begun.recv().await.expect("it was worked on")
    }

    async fn enqueue(&self, store_id: i64) -> Run {
        let now = self.clock.now();
        runs::enqueue(&self.db, store_id, RunKind::Full, Trigger::Manual, now).await.expect("a queue").0
    }

    /// Claims the only run there is, as a worker that is somewhere else.
    async fn claim_elsewhere(&self) -> Lease {
        let (owner, lease_for, now) = ("elsewhere", self.config.get().worker.lease(), self.clock.now());
        let claim = Claim { owner, lease_for, only: None, limit: 1, now };
        runs::claim(&self.db, &claim).await.expect("a queue").pop().expect("it is due").1
    }

    /// Ends a run well, as a sync would.
    fn finish(&self, run: &Run, lease: Lease) -> impl Future<Output = Result<(), StorageError>> + Send + use<> {
        let (db, now, counts) = (self.db.clone(), self.clock.now(), run.counts);
        async move {
            let verdict = Some(Verdict::Complete);
            let end = End { state: RunState::Succeeded, verdict, error_class: None, error: None, evidence: None };
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
        client_secret: None,
        token_url: None,
        scopes: None,
        renewed_at: None,
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

#[tokio::test]
async fn two_workers_share_the_queue_and_no_run_is_worked_on_twice() {
    let place = Place::with_stores(8, 1).await;
    let both = Arc::new(Barrier::new(2));
    let serve = async |name: &'static str| {
        place
            .serve_as(name, Until::Idle, &CancellationToken::new(), |run, lease| {
                let both = both.clone();
                let finish = place.finish(&run, lease);
                async move {
                    // Each waits for the other, so neither can do everything.
                    both.wait().await;
                    finish.await
                }
            })
            .await
    };
    let (first, second) = tokio::join!(serve("first"), serve("second"));
    assert_eq!((first.len(), second.len()), (4, 4));
    assert_eq!(place.states().await, [(RunState::Succeeded, 1); 8]);
}

#[tokio::test]
async fn a_run_whose_worker_was_killed_is_taken_over_the_moment_its_lease_has_run_out() {
    let place = Place::with_stores(1, 1).await;
    place.enqueue(1).await;
    place.claim_elsewhere().await;
    let ends = place.clock.now() + place.config.get().worker.lease();
    let begun = place
        .serve_one(async || {
            place.clock.advance(TimeDelta::milliseconds(14_999));
            place.clock.advance(TimeDelta::milliseconds(1));
        })
        .await;
    assert_eq!(begun, ends);
    assert_eq!(place.states().await, [(RunState::Succeeded, 2)]);
}

#[tokio::test]
async fn a_run_that_rests_begins_on_time() {
    let place = Place::with_stores(1, 1).await;
    place.enqueue(1).await;
    let lease = place.claim_elsewhere().await;
    let at = place.clock.now() + TimeDelta::seconds(61);
    let back = Return::Snooze { at, class: ErrorClass::RateLimited, error: "HTTP 429".to_owned() };
    runs::give_back(&place.db, &lease, &back, &Counts::default(), None, place.clock.now()).await.expect("ours");
    let begun = place.serve_one(async || place.clock.advance(TimeDelta::seconds(61))).await;
    assert_eq!(begun, at);
}

#[tokio::test]
async fn a_run_that_somebody_queues_begins_at_once() {
    let place = Place::with_stores(2, 1).await;
    stores::pause_store(&place.db, "store-0", None, None).await.expect("paused");
    stores::pause_store(&place.db, "store-1", None, None).await.expect("paused");
    // Something to wait for that never comes.
    place.enqueue(1).await;
    let lease = place.claim_elsewhere().await;
    let back = Return::Snooze {
        at: place.clock.now() + TimeDelta::days(1),
        class: ErrorClass::RateLimited,
        error: String::new(),
    };
    runs::give_back(&place.db, &lease, &back, &Counts::default(), None, place.clock.now()).await.expect("ours");
    let asked = place.clock.now();
    let begun = place.serve_one(async || drop(place.enqueue(2).await)).await;
    assert_eq!(begun, asked, "no time has passed");
    assert_eq!(place.states().await, [(RunState::Queued, 0), (RunState::Succeeded, 1)]);
}

#[tokio::test]
async fn a_database_that_fails_for_a_while_ends_nothing_and_what_is_due_begins_when_it_is_back() {
    let place = Place::with_stores(1, 1).await;
    place.enqueue(1).await;
    let execute = async |sql| place.db.orm().execute_unprepared(sql).await.expect(sql);
    execute("ALTER TABLE runs RENAME TO away").await;
    place
        .serve_one(async || {
            // It has failed once, and waits for its next try; a few of them fail.
            for _ in 0..3 {
                place.clock.advance(TimeDelta::seconds(5));
                tokio::task::yield_now().await;
            }
            execute("ALTER TABLE away RENAME TO runs").await;
            while place.states().await != [(RunState::Succeeded, 1)] {
                place.clock.advance(TimeDelta::seconds(1));
                tokio::task::yield_now().await;
            }
        })
        .await;
}

#[tokio::test]
async fn an_instance_is_on_the_list_while_it_serves_and_counts_what_it_works_on() {
    let place = Place::with_stores(1, 3).await;
    let listed = Arc::new(std::sync::Mutex::new(Vec::new()));
    place
        .serve(&CancellationToken::new(), |run, lease| {
            let finish = place.finish(&run, lease);
            let (db, clock, listed) = (place.db.clone(), place.clock.clone(), listed.clone());
            async move {
                // Its first sign of life may come a moment later than its first run.
                while !instances::any_alive(&db, clock.now()).await? {
                    tokio::task::yield_now().await;
                }
                *listed.lock().expect("nobody panics with it") = instances::list(&db).await?;
                finish.await
            }
        })
        .await;
    let listed = listed.lock().expect("nobody panics with it").clone();
    let [instance] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((instance.name.as_str(), instance.host.as_str(), instance.slots), ("tester", "here", 3));
    assert_eq!(instance.pid, std::process::id());
    let now = place.clock.now();
    assert!(instance.is_alive(now + TimeDelta::seconds(15)) && !instance.is_alive(now + TimeDelta::seconds(16)));
    assert_eq!(instances::list(&place.db).await.expect("readable"), [], "it has left");
}

#[tokio::test]
async fn a_daemon_forgets_old_runs_by_itself() {
    let place = Place::with_stores(1, 1).await;
    for _ in 0..3 {
        place.enqueue(1).await;
        place.serve(&CancellationToken::new(), |run, lease| place.finish(&run, lease)).await;
    }
    place.clock.advance(TimeDelta::days(31));
    place.serve(&CancellationToken::new(), |run, lease| place.finish(&run, lease)).await;
    let left: Vec<_> = runs::newest(&place.db, None, 10).await.expect("readable").iter().map(|run| run.id).collect();
    // The third goes too when it is looked at after the end of the fourth: a store's last run stays, however old.
    assert!(left == [4, 3] || left == [4], "the fourth was due after the month: {left:?}");
}
