//! The queue: who is served first, when there is something to do next, and what a person may change about it.

use std::time::Duration;

use chrono::TimeDelta;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Counts, Lease, Run, RunKind, RunState, Trigger};
use netosync::simulator::SimulatorConfig;
use netosync::storage::runs::{self, Cancelled, Claim, End, Return};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::wake::Wakeups;
use netosync::storage::{Database, Engine, lease};
use tokio_util::sync::CancellationToken;

use crate::support::mirrored::{execute, plan};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines, watch};

on_both_engines!(
    a_person_is_served_first_then_whoever_has_waited_longest,
    a_person_who_finds_a_run_of_the_schedule_makes_it_theirs,
    what_rests_after_an_error_can_be_hurried_but_not_a_store_that_asked_for_silence,
    the_next_due_moment_is_the_earliest_of_what_waits_and_what_is_leased,
    what_waits_is_cancelled_at_once,
    a_cancelled_run_keeps_its_place_until_its_worker_has_stopped,
    a_cancelled_run_whose_worker_never_answers_ends_with_the_lease,
    a_worker_whose_run_is_cancelled_writes_nothing_more_and_says_that_it_has_stopped,
    what_goes_into_the_queue_wakes_who_listens,
    the_questions_of_every_moment_are_answered_by_an_index,
);

/// Stores that are never called, by number from 1.
async fn add_stores(db: &Database, count: usize) {
    for number in 1..=count {
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
        stores::add_store(db, &new).await.expect("it is added");
    }
}

async fn queue(db: &TestDb, store: i64, trigger: Trigger) -> Run {
    let (run, inserted) = runs::enqueue(db, store, RunKind::Full, trigger, db.clock().now()).await.expect("a queue");
    assert!(inserted, "store {store} has no run yet");
    run
}

async fn claim(db: &TestDb, limit: u32) -> Vec<(Run, Lease)> {
    let now = db.clock().now();
    let claim = Claim { owner: "worker-1", lease_for: TimeDelta::seconds(15), only: None, limit, now };
    runs::claim(db, &claim).await.expect("a queue")
}

/// Claims one after another until nothing is left, and gives their stores.
async fn order(db: &TestDb) -> Vec<i64> {
    let mut order = Vec::new();
    while let Some((run, _)) = claim(db, 1).await.pop() {
        order.push(run.store_id);
    }
    order
}

async fn give_back(db: &TestDb, lease: &Lease, back: &Return) {
    runs::give_back(db, lease, back, &Counts::default(), None, db.clock().now()).await.expect("the lease is ours");
}

async fn a_person_is_served_first_then_whoever_has_waited_longest(db: TestDb) {
    add_stores(&db, 5).await;
    queue(&db, 1, Trigger::Schedule).await;
    let (begun, lease) = claim(&db, 1).await.pop().expect("it is due");
    for (store, trigger) in [(2, Trigger::Schedule), (3, Trigger::Manual), (4, Trigger::Schedule), (5, Trigger::Manual)]
    {
        db.clock.advance(TimeDelta::seconds(1));
        queue(&db, store, trigger).await;
    }
    // Begun and given back: it waits behind those who have waited longer, whoever asked for it.
    give_back(&db, &lease, &Return::Interrupted).await;
    assert_eq!(begun.store_id, 1);
    assert_eq!(order(&db).await, [3, 5, 2, 4, 1]);
}

async fn a_person_who_finds_a_run_of_the_schedule_makes_it_theirs(db: TestDb) {
    add_stores(&db, 3).await;
    for store in 1..=3 {
        queue(&db, store, Trigger::Schedule).await;
    }
    for _ in 0..2 {
        let now = db.clock().now();
        let (run, inserted) = runs::enqueue(&db, 3, RunKind::Full, Trigger::Manual, now).await.expect("a queue");
        assert_eq!((run.id, inserted, run.trigger), (3, false, Trigger::Manual));
    }
    assert_eq!(order(&db).await, [3, 1, 2]);
}

async fn what_rests_after_an_error_can_be_hurried_but_not_a_store_that_asked_for_silence(db: TestDb) {
    add_stores(&db, 2).await;
    queue(&db, 1, Trigger::Schedule).await;
    queue(&db, 2, Trigger::Schedule).await;
    let leases: Vec<_> = claim(&db, 2).await.into_iter().map(|(_, lease)| lease).collect();
    let lease_of = |store| leases.iter().find(|lease| lease.store_id == store).expect("claimed");
    let at = db.clock().now() + TimeDelta::hours(1);
    let error = "no answer".to_owned();
    give_back(&db, lease_of(1), &Return::Retry { at, class: ErrorClass::Transient, error: error.clone() }).await;
    give_back(&db, lease_of(2), &Return::Snooze { at, class: ErrorClass::RateLimited, error }).await;

    for store in 1..=2 {
        runs::enqueue(&db, store, RunKind::Full, Trigger::Manual, db.clock().now()).await.expect("a queue");
        runs::hurry(&db, store, db.clock().now()).await.expect("a queue");
    }

    assert_eq!(order(&db).await, [1]);
    db.clock.advance(TimeDelta::hours(1));
    assert_eq!(order(&db).await, [1, 2], "the lease of the first has run out, the silence of the second is over");
}

async fn the_next_due_moment_is_the_earliest_of_what_waits_and_what_is_leased(db: TestDb) {
    let next = async || runs::next_due(&db).await.expect("readable").earliest();
    add_stores(&db, 2).await;
    assert_eq!(next().await, None);
    let start = db.clock().now();
    queue(&db, 1, Trigger::Schedule).await;
    assert_eq!(next().await, Some(start));
    let (_, lease) = claim(&db, 1).await.pop().expect("it is due");
    assert_eq!(next().await, Some(start + TimeDelta::seconds(15)));
    let at = start + TimeDelta::seconds(60);
    give_back(&db, &lease, &Return::Snooze { at, class: ErrorClass::RateLimited, error: String::new() }).await;
    assert_eq!(next().await, Some(at));
    queue(&db, 2, Trigger::Schedule).await;
    let (_, lease) = claim(&db, 2).await.pop().expect("the second");
    assert_eq!(next().await, Some(start + TimeDelta::seconds(15)));
    // At that very moment, not a millisecond later, it can be claimed.
    db.clock.advance(TimeDelta::seconds(15));
    assert_eq!(claim(&db, 2).await.len(), 1);
    let end = End { state: RunState::Failed, verdict: None, error_class: None, error: None, evidence: None };
    let lease = Lease { epoch: 2, ..lease };
    runs::finish(&db, &lease, &end, &Counts::default(), db.clock().now()).await.expect("ours");
    assert_eq!(next().await, Some(at), "what has ended is never due");
}

async fn what_waits_is_cancelled_at_once(db: TestDb) {
    add_stores(&db, 1).await;
    let run = queue(&db, 1, Trigger::Schedule).await;
    let cancel = async || runs::cancel(&db, run.id, "enough", db.clock().now()).await.expect("writable");
    assert_eq!(cancel().await, Cancelled::AtOnce);
    assert_eq!(cancel().await, Cancelled::No);
    let run = runs::get(&db, run.id).await.expect("readable").expect("it stays");
    assert_eq!((run.state, run.error.as_deref()), (RunState::Cancelled, Some("enough")));
    assert_eq!(order(&db).await, [0; 0]);
}

async fn a_cancelled_run_keeps_its_place_until_its_worker_has_stopped(db: TestDb) {
    add_stores(&db, 1).await;
    queue(&db, 1, Trigger::Schedule).await;
    let (run, lease) = claim(&db, 1).await.pop().expect("it is due");
    let now = db.clock().now();
    let until = now + TimeDelta::seconds(15);
    for _ in 0..2 {
        let asked = runs::cancel(&db, run.id, "enough", now).await.expect("writable");
        assert_eq!(asked, Cancelled::Asked { until });
    }
    let renewed = lease::renew(&db, &lease, until).await.expect("the database works");
    assert_eq!(renewed, None, "its worker is told by the lease");
    let (other, inserted) = runs::enqueue(&db, 1, RunKind::Full, Trigger::Manual, now).await.expect("a queue");
    assert_eq!((other.id, inserted), (run.id, false), "two callers would share the store's budget");
    assert_eq!(order(&db).await, [0; 0]);

    let counts = Counts { calls: 7, ..Counts::default() };
    assert!(runs::confirm_cancelled(&db, &lease, Some(&counts), now).await.expect("the database works"));
    assert!(!runs::confirm_cancelled(&db, &lease, Some(&counts), now).await.expect("the database works"));

    let run = runs::get(&db, run.id).await.expect("readable").expect("it stays");
    assert_eq!((run.state, run.counts.calls, run.finished_at), (RunState::Cancelled, 7, Some(now)));
    assert_eq!(run.error.as_deref(), Some("enough"));
    queue(&db, 1, Trigger::Manual).await;
}

async fn a_cancelled_run_whose_worker_never_answers_ends_with_the_lease(db: TestDb) {
    add_stores(&db, 1).await;
    queue(&db, 1, Trigger::Schedule).await;
    let (run, _) = claim(&db, 1).await.pop().expect("it is due");
    runs::cancel(&db, run.id, "enough", db.clock().now()).await.expect("writable");
    db.clock.advance(TimeDelta::seconds(15));

    assert_eq!(claim(&db, 1).await.len(), 0, "it is not given out again");

    let run = runs::get(&db, run.id).await.expect("readable").expect("it stays");
    assert_eq!((run.state, run.error.as_deref()), (RunState::Cancelled, Some("enough")));
}

async fn a_worker_whose_run_is_cancelled_writes_nothing_more_and_says_that_it_has_stopped(db: TestDb) {
    let shop = SimulatorConfig { products: 20, ..SimulatorConfig::default() };
    let world = World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "4")]).await;
    world.enqueue(&world.store).await;
    let (run, lease) = world.claim("worker-1").await.expect("it is due");
    let id = run.id;
    // While the third page is on its way a person cancels the run.
    let (url, clock) = (world.db.url().clone(), world.db.clock.clone());
    world.shop.before_call(3, move |_| {
        let cancelling = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let db = Database::connect(&url, "netosync", clock).await.expect("it opens again");
                watch::begin(&db).await;
                runs::cancel(&db, id, "enough", db.clock().now()).await.expect("writable")
            })
        });
        assert!(matches!(cancelling.join().expect("no panic"), Cancelled::Asked { .. }));
    });

    world.syncer.execute(run, lease, &CancellationToken::new()).await.expect("a lost lease is no error");

    assert_eq!(watch::written(&world.db).await, Vec::<String>::new());
    let run = world.run(id).await;
    assert_eq!((run.state, run.counts.pages, run.lease_expires_at), (RunState::Cancelled, 2, None));
    assert_eq!(world.mirror().await.len(), 8);
    // The next one is whole.
    assert_eq!(world.sync().await.counts.seen, 20);
    assert_eq!(world.errors().await, Vec::<String>::new());
}

/// A test that waits longer than this waits for ever.
const HANGS: Duration = Duration::from_mins(1);

async fn what_goes_into_the_queue_wakes_who_listens(db: TestDb) {
    add_stores(&db, 1).await;
    let wakeups = Wakeups::of(&db);
    let woken = async |what: &str| {
        tokio::time::timeout(HANGS, wakeups.next()).await.unwrap_or_else(|_| panic!("{what} wakes nobody"));
    };
    woken("the beginning").await;
    let other = db.opened_again().await;
    let now = db.clock().now();
    let (run, _) = runs::enqueue(&other, 1, RunKind::Full, Trigger::Schedule, now).await.expect("a queue");
    woken("a new run").await;
    let claim = Claim { owner: "other", lease_for: TimeDelta::seconds(15), only: None, limit: 1, now };
    let (_, lease) = runs::claim(&other, &claim).await.expect("a queue").pop().expect("it is due");
    runs::give_back(&other, &lease, &Return::Interrupted, &Counts::default(), None, now).await.expect("ours");
    woken("a run given back").await;
    runs::cancel(&other, run.id, "enough", now).await.expect("writable");
    woken("a cancelled run").await;
}

async fn the_questions_of_every_moment_are_answered_by_an_index(db: TestDb) {
    add_stores(&db, 1).await;
    let next_due = "SELECT (SELECT MIN(scheduled_at) FROM runs WHERE state IN ('queued', 'running') AND state = 'queued'), \
         (SELECT MIN(lease_expires_at) FROM runs WHERE state IN ('queued', 'running') AND state = 'running')";
    let counts = "SELECT COUNT(*) FROM runs WHERE state IN ('queued', 'running') AND state = 'queued' AND scheduled_at <= '2026-01-01'";
    let at_work = "SELECT stores.name FROM runs JOIN stores ON stores.id = runs.store_id \
         WHERE runs.state IN ('queued', 'running') AND runs.state = 'running'";
    let waiting = "SELECT id FROM runs WHERE state IN ('queued', 'running') \
         AND (state = 'queued' AND scheduled_at <= '2026-01-01' OR state = 'running' AND lease_expires_at < '2026-01-01') LIMIT 1";
    let last_start = "SELECT started_at FROM runs WHERE store_id = 1 AND kind = 'full' ORDER BY id DESC LIMIT 1";
    let due = "SELECT id FROM runs WHERE state IN ('queued', 'running') \
         AND (state = 'queued' AND scheduled_at <= '2026-01-01' OR state = 'running' AND lease_expires_at <= '2026-01-01') \
         ORDER BY (\"trigger\" = 'manual' AND started_at IS NULL) DESC, scheduled_at, id LIMIT 4";
    let attach = "SELECT id FROM runs WHERE store_id = 1 AND state IN ('queued', 'running')";
    let old = "SELECT id FROM runs WHERE finished_at < '2026-01-01' ORDER BY finished_at LIMIT 500";
    // PostgreSQL reads a table of one page as a whole, whatever there is.
    if db.engine() == Engine::Postgres {
        execute(
            &db,
            "INSERT INTO stores (name, connector, url, created_at) \
             SELECT 'many-' || n, 'neto', 'https://a', TIMESTAMPTZ '2026-01-01' FROM generate_series(1, 3000) n; \
             INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at, finished_at) \
             SELECT 1 + n % 3000, 'full', 'manual', 'succeeded', t, t, t FROM \
             (SELECT n, TIMESTAMPTZ '2026-01-01' + n * INTERVAL '1 minute' AS t FROM generate_series(1, 20000) n) times; \
             INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at) \
             SELECT id, 'full', 'schedule', 'queued', created_at + id * INTERVAL '1 minute', created_at FROM stores; \
             ANALYZE runs",
        )
        .await;
    }
    for (sql, index) in [
        (next_due, "runs_unfinished"),
        (counts, "runs_unfinished"),
        (at_work, "runs_unfinished|runs_one_unfinished"),
        (waiting, "runs_unfinished|runs_one_unfinished"),
        (last_start, "runs_kind_history"),
        (due, "runs_unfinished|runs_one_unfinished"),
        (attach, "runs_one_unfinished"),
        (old, "runs_finished"),
    ] {
        let plan = plan(&db, sql).await;
        assert!(index.split('|').any(|index| plan.contains(index)), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN runs\n") && !plan.contains("Seq Scan on runs"), "{sql}\n{plan}");
    }
}
