//! What the scheduler reads of the stores, and the runs it queues, on both engines.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use netosync::domain::error::ErrorClass;
use netosync::domain::last_run::{LastRun, Left};
use netosync::domain::run::{Counts, RunKind, RunState, Trigger};
use netosync::domain::store::{CredentialState, Scheme, Store};
use netosync::scheduler::Scheduler;
use netosync::storage::credentials::{NewCredential, put_credential};
use netosync::storage::runs::{self, Claim, End};
use netosync::storage::schedule::{self, Row};
use netosync::storage::store_removal::remove_store;
use netosync::storage::stores::{NewStore, add_store, pause_store};

use crate::support::mirrored::execute;
use crate::support::world::config;
use crate::support::{TestDb, on_both_engines, start_of_time};

on_both_engines!(
    the_newest_run_of_a_store_is_read_with_what_it_left_to_be_made_up_for,
    a_store_without_run_or_key_is_read_too,
    a_run_is_queued_for_each_store_that_is_there_and_has_none,
    a_failed_store_is_queued_again_before_its_week_is_over,
);

async fn store(db: &TestDb, name: &str) -> Store {
    let new = NewStore {
        name: name.to_owned(),
        connector: "neto".to_owned(),
        url: "https://www.example.com".parse().expect("an address"),
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: None,
    };
    add_store(db, &new).await.expect("added")
}

/// A run that begins now, takes a minute and ends like that.
async fn run(db: &TestDb, store: &Store, state: RunState, error_class: Option<ErrorClass>) -> DateTime<Utc> {
    let began = db.clock().now();
    let (run, _) = runs::enqueue(db, store.id, RunKind::Full, Trigger::Manual, began).await.expect("queued");
    let claim = Claim { owner: "w", lease_for: TimeDelta::hours(1), only: Some(run.id), limit: 1, now: began };
    let (_, lease) = runs::claim(db, &claim).await.expect("a queue").pop().expect("claimed");
    db.clock.advance(TimeDelta::minutes(1));
    let end = End { state, verdict: None, error_class, error: None, evidence: None };
    runs::finish(db, &lease, &end, &Counts::default(), db.clock().now()).await.expect("ended");
    began
}

async fn read(db: &TestDb, store: &Store) -> Row {
    let row = schedule::row(db, store.clone()).await.expect("readable");
    let all = schedule::rows(db).await.expect("readable");
    let among_all = all.into_iter().find(|row| row.times.store_id == store.id).expect("listed");
    assert_eq!(format!("{row:?}"), format!("{among_all:?}"));
    row
}

async fn the_newest_run_of_a_store_is_read_with_what_it_left_to_be_made_up_for(db: TestDb) {
    let (store, other) = (store(&db, "a").await, store(&db, "b").await);
    let last = async |left| {
        let row = read(&db, &store).await;
        let LastRun { kind, left: found, began_at } = row.last_runs[0];
        assert_eq!((row.last_runs.len(), kind, found), (1, RunKind::Full, left));
        began_at
    };
    run(&db, &store, RunState::Failed, Some(ErrorClass::Transient)).await;
    let began = run(&db, &store, RunState::Succeeded, None).await;
    assert_eq!(last(Left::Nothing).await, began);
    let since = run(&db, &store, RunState::Failed, Some(ErrorClass::Transient)).await;
    run(&db, &other, RunState::Succeeded, None).await;
    let began = run(&db, &store, RunState::Failed, Some(ErrorClass::Data)).await;
    assert_eq!(last(Left::Failed { at: db.clock().now(), since }).await, began);
    run(&db, &store, RunState::Failed, Some(ErrorClass::Unauthorized)).await;
    last(Left::Refused { at: db.clock().now() }).await;
    run(&db, &store, RunState::Cancelled, None).await;
    last(Left::Nothing).await;
    assert!(!read(&db, &store).await.unfinished());
    db.clock.advance(TimeDelta::minutes(1));
    runs::enqueue(&db, store.id, RunKind::Full, Trigger::Manual, db.clock().now()).await.expect("queued");
    assert_eq!(last(Left::Unfinished).await, db.clock().now());
    assert!(read(&db, &store).await.unfinished());
}

async fn a_store_without_run_or_key_is_read_too(db: TestDb) {
    let store = store(&db, "a").await;
    let row = read(&db, &store).await;
    assert_eq!((row.key, row.last_runs.len(), row.unfinished()), (None, 0, false));
    let key = NewCredential {
        scheme: Scheme::ApiKey,
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
    put_credential(&db, store.id, key).await.expect("stored");
    execute(&db, "UPDATE credentials SET state = 'suspect', refusals = 2").await;
    let key = read(&db, &store).await.key.expect("known");
    let expected = (CredentialState::Suspect, start_of_time(), 2, false, None);
    assert_eq!((key.state, key.since, key.refusals, key.worked, key.next_check_at), expected);
}

async fn a_run_is_queued_for_each_store_that_is_there_and_has_none(db: TestDb) {
    let mut stores = Vec::new();
    for number in 0..4 {
        stores.push(store(&db, &format!("store-{number}")).await.id);
    }
    let now = db.clock().now();
    runs::enqueue(&db, stores[1], RunKind::Full, Trigger::Manual, now).await.expect("queued");
    remove_store(&db, "store-2").await.expect("removed");
    let queued = schedule::enqueue(&db, RunKind::Full, &stores, now).await.expect("queued");
    let of: Vec<_> = queued.iter().map(|(_, store_id)| *store_id).collect();
    assert_eq!(of, [stores[0], stores[3]]);
    let run = runs::get(&db, queued[1].0).await.expect("readable").expect("there");
    assert_eq!((run.store_id, run.trigger, run.state), (stores[3], Trigger::Schedule, RunState::Queued));
    assert_eq!((run.scheduled_at, run.attempt, run.counts), (now, 0, Counts::default()));
    assert!(schedule::enqueue(&db, RunKind::Full, &stores, now).await.expect("queued").is_empty());
    // More than one statement takes.
    let many: Vec<_> = (10_000..11_200).chain(stores).collect();
    assert!(schedule::enqueue(&db, RunKind::Full, &many, now).await.expect("queued").is_empty());
}

async fn a_failed_store_is_queued_again_before_its_week_is_over(db: TestDb) {
    let (failing, fine, paused) = (store(&db, "failing").await, store(&db, "fine").await, store(&db, "paused").await);
    pause_store(&db, "paused", None, None).await.expect("paused");
    let mut scheduler = Scheduler::new((*db).clone(), Arc::new(config(&[])).into(), db.clock.clone());
    run(&db, &fine, RunState::Succeeded, None).await;
    run(&db, &failing, RunState::Failed, Some(ErrorClass::Transient)).await;
    let mut queued = Vec::new();
    for _ in 0..60 {
        queued.push(scheduler.enqueue_due().await.expect("the database works"));
        db.clock.advance(TimeDelta::minutes(2));
    }
    assert_eq!((queued.iter().sum::<usize>(), queued[30]), (1, 1), "{queued:?}");
    let run = runs::unfinished(&db, failing.id).await.expect("readable").expect("queued");
    assert_eq!(run.scheduled_at - start_of_time(), TimeDelta::minutes(2 + 60));
    assert!(runs::unfinished(&db, paused.id).await.expect("readable").is_none());
}
