//! One store, one run, one worker: who lost the lease writes nothing more, and of many that reach out one gets it.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::join_all;
use netosync::domain::product::Product;
use netosync::domain::run::{Checkpoint, Counts, Lease, Run, RunKind, RunState, Trigger, Verdict};
use netosync::simulator::SimulatorConfig;
use netosync::storage::products::{PageWrite, commit_page};
use netosync::storage::runs::{self, Claim, End, Return};
use netosync::storage::{Database, StorageError, lease};
use netosync::sync::Syncer;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::support::world::World;
use crate::support::{TestDb, on_both_engines, watch};

on_both_engines!(
    a_worker_that_lost_its_lease_writes_nothing_more,
    a_lease_lost_in_the_middle_of_a_walk_ends_it_and_the_other_worker_goes_on,
    of_many_that_claim_a_run_one_gets_it,
    fifty_triggers_at_once_make_one_run,
);

async fn shop(db: TestDb) -> World {
    let shop = SimulatorConfig { products: 20, quirks: true, ..SimulatorConfig::default() };
    World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "4")]).await
}

/// Longer than a lease holds.
fn too_long(world: &World) -> TimeDelta {
    world.syncer.config.worker.lease() + TimeDelta::seconds(1)
}

async fn work(worker: &Syncer, (run, lease): (Run, Lease)) {
    worker.execute(run, lease, &CancellationToken::new()).await.expect("a lost lease is no error");
}

fn second(world: &World) -> Syncer {
    Syncer { owner: "worker-2".to_owned(), ..world.syncer.clone() }
}

fn assert_lost<T: std::fmt::Debug>(result: &Result<T, StorageError>) {
    assert!(matches!(result, Err(StorageError::LeaseLost { .. })), "{result:?}");
}

async fn a_worker_that_lost_its_lease_writes_nothing_more(db: TestDb) {
    let world = shop(db).await;
    world.enqueue(&world.store).await;
    let first = world.claim("worker-1").await.expect("it is due");
    assert!(world.claim("worker-2").await.is_none(), "the lease holds");
    world.db.clock.advance(too_long(&world));
    let taken_over = world.claim("worker-2").await.expect("the lease has run out");
    assert_eq!(first.0.id, taken_over.0.id);
    let before = format!("{:?}", world.run(first.0.id).await);
    watch::begin(&world.db).await;

    let (held, counts, now) = (&first.1, Counts::default(), world.syncer.clock.now());
    let page = PageWrite {
        new: None,
        found: &[],
        done: &[],
        lease: held,
        lease_for: world.syncer.config.worker.lease(),
        products: vec![Product::empty(1)],
        afresh: false,
        quarantined: &[],
        checkpoint: &Checkpoint { page: 1, page_size: 4, ..Checkpoint::default() },
        now,
    };
    assert_lost(&commit_page(&world.db, page, Counts::default()).await);
    assert_eq!(lease::renew(&world.db, held, now).await.expect("the database works"), None);
    assert_lost(&runs::give_back(&world.db, held, &Return::Interrupted, &counts, None, now).await);
    let end = End { state: RunState::Failed, verdict: None, error_class: None, error: None, evidence: None };
    assert_lost(&runs::finish(&world.db, held, &end, &counts, now).await);
    let id = first.0.id;
    work(&world.syncer, first).await;

    assert_eq!(watch::written(&world.db).await, Vec::<String>::new());
    assert_eq!(format!("{:?}", world.run(id).await), before);

    work(&second(&world), taken_over).await;

    let run = world.run(id).await;
    assert_eq!((run.verdict, run.attempt), (Some(Verdict::Complete), 2));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_lease_lost_in_the_middle_of_a_walk_ends_it_and_the_other_worker_goes_on(db: TestDb) {
    let world = shop(db).await;
    world.enqueue(&world.store).await;
    let first = world.claim("worker-1").await.expect("it is due");
    // While page 2 is on its way the lease runs out and another worker takes the run over.
    let (clock, url, silence) = (world.db.clock.clone(), world.db.url().clone(), too_long(&world));
    let (tell, taken_over) = oneshot::channel();
    world.shop.before_call(3, move |_| {
        clock.advance(silence);
        let claiming = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let db = Database::connect(&url, "netosync", clock.clone()).await.expect("it opens again");
                claim(&db, "worker-2").await.expect("the lease has run out")
            })
        });
        tell.send(claiming.join().expect("no panic")).expect("the test waits");
    });

    let id = first.0.id;
    work(&world.syncer, first).await;

    let run = world.run(id).await;
    assert_eq!((run.state, run.lease_owner.as_deref(), run.counts.pages), (RunState::Running, Some("worker-2"), 2));
    assert_eq!(world.mirror().await.len(), 8);

    work(&second(&world), taken_over.await.expect("a run")).await;

    let run = world.run(id).await;
    assert_eq!((run.verdict, run.counts.pages, run.counts.inserted), (Some(Verdict::Complete), 5, 20));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

/// Claims the oldest run that is due.
async fn claim(db: &Database, owner: &str) -> Option<(Run, Lease)> {
    let claim = Claim { owner, lease_for: TimeDelta::seconds(15), only: None, limit: 1, now: db.clock().now() };
    runs::claim(db, &claim).await.expect("the database works").pop()
}

async fn of_many_that_claim_a_run_one_gets_it(db: TestDb) {
    let world = shop(db).await;
    let other = Arc::new(world.db.opened_again().await);
    for round in 1..=10 {
        let queued = world.enqueue(&world.store).await;
        let workers = (0..8).map(|number| {
            let db = if number % 2 == 0 { (*world.db).clone() } else { (*other).clone() };
            tokio::spawn(async move { claim(&db, &format!("worker-{number}")).await })
        });
        let won: Vec<_> =
            join_all(workers).await.into_iter().filter_map(|claimed| claimed.expect("no panic")).collect();

        let [(run, lease)] = won.as_slice() else { panic!("{} won in round {round}", won.len()) };
        assert_eq!((run.id, run.attempt, run.lease_owner.as_ref()), (queued.id, 1, Some(&lease.owner)));
        let end = End { state: RunState::Cancelled, verdict: None, error_class: None, error: None, evidence: None };
        runs::finish(&world.db, lease, &end, &Counts::default(), world.syncer.clock.now()).await.expect("held");
    }
}

async fn fifty_triggers_at_once_make_one_run(db: TestDb) {
    let world = shop(db).await;
    let other = Arc::new(world.db.opened_again().await);
    let (store, now) = (world.store.id, world.syncer.clock.now());
    let triggers = (0..50).map(|number| {
        let db = if number % 2 == 0 { (*world.db).clone() } else { (*other).clone() };
        tokio::spawn(async move { runs::enqueue(&db, store, RunKind::Full, Trigger::Manual, now).await })
    });

    let queued: Vec<_> =
        join_all(triggers).await.into_iter().map(|run| run.expect("no panic").expect("a run")).collect();

    assert_eq!(queued.iter().filter(|(_, inserted)| *inserted).count(), 1);
    assert!(queued.iter().all(|(run, _)| run.id == queued[0].0.id));
    assert_eq!(runs::newest(&world.db, None, 100).await.expect("the database works").len(), 1);
}
