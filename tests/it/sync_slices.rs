//! Runs share the slots by slices of time, and a run in several pieces ends as one in one piece would.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use netosync::domain::run::{RunState, Verdict};
use netosync::simulator::{Fault, SimulatedStore, SimulatorConfig};
use netosync::sync::{Patience, Syncer};
use tokio_util::sync::CancellationToken;

use crate::support::world::{LOOPBACK, World};
use crate::support::{TestDb, mirrored, on_both_engines};

on_both_engines!(
    a_large_store_does_not_delay_the_small_ones_and_loses_nothing_by_it,
    pages_under_way_are_stored_before_a_run_gives_its_place_away,
    a_slice_that_is_over_means_nothing_while_nobody_waits,
    a_run_in_the_foreground_gives_its_place_to_nobody,
    a_page_that_comes_again_after_a_stop_is_not_counted_again,
    a_page_that_stays_empty_is_made_up_for_by_the_closing_sweep,
    what_a_store_refuses_is_not_asked_for_again_after_a_stop,
);

/// Pages of two products and slices of five seconds.
const SMALL: &[(&str, &str)] = &[("NETOSYNC__FETCH__PAGE_SIZE", "2"), ("NETOSYNC__WORKER__SLICE_SECS", "5")];

/// A shop of so many products whose every answer takes a second.
async fn slow_shop(db: TestDb, products: usize, settings: &[(&str, &str)]) -> World {
    let shop = SimulatorConfig { products, quirks: true, ..SimulatorConfig::default() };
    let world = World::with(db, shop, settings).await;
    for call in 1..200 {
        let clock = world.db.clock.clone();
        world.shop.before_call(call, move |_| clock.advance(TimeDelta::seconds(1)));
    }
    world
}

/// One slot: works on what is due, one run at a time, until nothing is. Gives the stores in the order in which they ended.
async fn work_in_one_slot(world: &World, worker: &Syncer) -> Vec<i64> {
    let mut ended = Vec::new();
    while let Some((run, lease)) = world.claim(&worker.owner).await {
        let (id, store) = (run.id, run.store_id);
        worker.execute(run, lease, &CancellationToken::new()).await.expect("the database works");
        if !world.run(id).await.state.unfinished() {
            ended.push(store);
        }
    }
    ended
}

/// How often each page was asked for.
fn asked(shop: &SimulatedStore) -> BTreeMap<usize, usize> {
    let mut asked = BTreeMap::new();
    // A closing sweep asks for at least eight records a page.
    for call in shop.calls().into_iter().filter(|call| call.limit.is_some_and(|limit| limit <= 4)) {
        *asked.entry(call.page.expect("every call asks for a page")).or_default() += 1;
    }
    asked
}

fn once(pages: usize) -> BTreeMap<usize, usize> {
    (0..pages).map(|page| (page, 1)).collect()
}

async fn a_large_store_does_not_delay_the_small_ones_and_loses_nothing_by_it(db: TestDb) {
    let world = slow_shop(db, 81, SMALL).await;
    let large = world.enqueue(&world.store).await.id;
    let clock = world.db.clock.clone();
    let config = SimulatorConfig { products: 3, seed: 2, clock, ..SimulatorConfig::default() };
    let shop = SimulatedStore::start(LOOPBACK, config).await.expect("a free port");
    let mut small = Vec::new();
    for number in 0..10 {
        let store = world.store_at(&format!("small-{number}"), &shop).await;
        world.enqueue(&store).await;
        small.push(store.id);
    }

    let ended = work_in_one_slot(&world, &world.syncer).await;

    assert_eq!(ended, [small.clone(), vec![world.store.id]].concat());
    let run = world.run(large).await;
    assert_eq!((run.verdict, run.attempt, run.lease_epoch), (Some(Verdict::Complete), 1, 2), "{run:?}");
    assert_eq!((run.counts.seen, run.counts.inserted, run.counts.pages), (81, 81, 41));
    assert_eq!(asked(&world.shop), once(42), "41 pages and the end");
    assert_eq!(run.counts.calls, world.shop.calls_made().cast_signed());
    assert_eq!(world.errors().await, Vec::<String>::new());
    for store in small {
        assert_eq!(mirrored::errors(&world.db, store, &shop).await, Vec::<String>::new());
    }
}

async fn pages_under_way_are_stored_before_a_run_gives_its_place_away(db: TestDb) {
    let settings = [SMALL, &[("NETOSYNC__FETCH__IN_FLIGHT", "4")]].concat();
    let world = slow_shop(db, 41, &settings).await;
    let run = world.enqueue(&world.store).await.id;
    let other = world.another_store("another").await;
    world.enqueue(&other).await;

    let (claimed, lease) = world.claim("worker-1").await.expect("it is due");
    world.syncer.execute(claimed, lease, &CancellationToken::new()).await.expect("the database works");

    let yielded = world.run(run).await;
    assert_eq!((yielded.state, yielded.attempt), (RunState::Queued, 0));
    assert_eq!((yielded.error_class, yielded.error, yielded.lease_owner), (None, None, None));
    let pages = yielded.checkpoint.expect("a checkpoint").page as usize;
    assert!((4..15).contains(&pages), "{pages}");
    assert_eq!(asked(&world.shop), once(pages), "whatever was asked for is stored");
}

async fn a_slice_that_is_over_means_nothing_while_nobody_waits(db: TestDb) {
    let world = slow_shop(db, 41, SMALL).await;
    // A run that is not due does not wait.
    let other = world.another_store("another").await;
    let later = world.syncer.clock.now() + TimeDelta::hours(1);
    let (kind, trigger) = (netosync::domain::run::RunKind::Full, netosync::domain::run::Trigger::Schedule);
    netosync::storage::runs::enqueue(&world.db, other.id, kind, trigger, later).await.expect("a queue");

    let run = world.sync().await;

    assert_eq!((run.verdict, run.attempt, run.lease_epoch), (Some(Verdict::Complete), 1, 1));
}

async fn a_run_in_the_foreground_gives_its_place_to_nobody(db: TestDb) {
    let world = slow_shop(db, 41, SMALL).await;
    world.enqueue(&world.store).await;
    let other = world.another_store("another").await;
    world.enqueue(&other).await;
    let worker = Syncer { patience: Patience::Foreground, ..world.syncer.clone() };

    let run = world.sync_store(&worker, &world.store).await;

    assert_eq!((run.verdict, run.lease_epoch), (Some(Verdict::Complete), 1));
}

/// A shop of twenty products whose run is stopped while it makes call `stop_at`.
async fn stopped_once(db: TestDb, shop: SimulatorConfig, stop_at: u64) -> World {
    let world = World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "4")]).await;
    let stop = CancellationToken::new();
    world.shop.before_call(stop_at, {
        let stop = stop.clone();
        move |_| stop.cancel()
    });
    world.enqueue(&world.store).await;
    let (run, lease) = world.claim("worker-1").await.expect("it is due");
    let id = run.id;
    world.syncer.execute(run, lease, &stop).await.expect("the database works");
    assert_eq!((world.run(id).await.state, world.run(id).await.attempt), (RunState::Queued, 0));
    world
}

fn twenty_products() -> SimulatorConfig {
    SimulatorConfig { products: 20, quirks: true, ..SimulatorConfig::default() }
}

fn fault(text: &str) -> Fault {
    text.parse().expect("a fault")
}

async fn a_page_that_comes_again_after_a_stop_is_not_counted_again(db: TestDb) {
    let world = stopped_once(db, twenty_products(), 3).await;
    // The first answer after the stop is the page before once more.
    world.shop.set_faults(vec![fault("repeat@1")]);

    let run = world.sync().await;

    assert_eq!((run.verdict, run.counts.seen, run.counts.pages), (Some(Verdict::Complete), 20, 5), "{run:?}");
    assert_eq!(run.counts.inserted + run.counts.unchanged, 20);
    assert_eq!(asked(&world.shop), BTreeMap::from([(0, 1), (1, 1), (2, 1), (3, 2), (4, 1), (5, 1), (6, 1)]));
}

async fn a_page_that_stays_empty_is_made_up_for_by_the_closing_sweep(db: TestDb) {
    // Page 1 stays empty although page 2 is not.
    let faults = vec![fault("empty@2"), fault("empty@4")];
    let world = stopped_once(db, SimulatorConfig { faults, ..twenty_products() }, 5).await;

    let run = world.sync().await;

    assert_eq!(
        (run.verdict, run.error),
        (Some(Verdict::Repaired), None),
        "the closing sweep has found what was on page 1"
    );
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn what_a_store_refuses_is_not_asked_for_again_after_a_stop(db: TestDb) {
    let refused_selectors = vec!["Warranty".to_owned()];
    let world = stopped_once(db, SimulatorConfig { refused_selectors, ..twenty_products() }, 5).await;

    let run = world.sync().await;

    // Once by accident, perhaps; the second refusal is believed, for the whole run.
    assert_eq!(world.shop.calls().iter().filter(|call| !call.ok).count(), 2);
    assert_eq!((run.verdict, run.counts.seen), (Some(Verdict::Partial), 20));
    assert!(run.error.is_some_and(|why| why.contains("Warranty")));
}
