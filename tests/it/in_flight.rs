//! Several pages of a list on their way at once: what that costs, and that it hides nothing.

use chrono::TimeDelta;
use netosync::domain::run::{RunKind, Verdict};
use netosync::simulator::SimulatorConfig;
use netosync::sync::Syncer;

use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_list_that_was_read_before_costs_no_more_calls_with_pages_in_flight_than_without,
    a_list_that_has_changed_its_length_is_read_to_its_end_all_the_same,
);

const PAGES: (&str, &str) = ("NETOSYNC__FETCH__PAGE_SIZE", "20");
const SWEEP_PAGES: (&str, &str) = ("NETOSYNC__FETCH__SWEEP_PAGE_SIZE", "40");
const FOUR: (&str, &str) = ("NETOSYNC__FETCH__IN_FLIGHT", "4");

async fn shop(db: TestDb, products: usize) -> World {
    let world =
        World::with(db, SimulatorConfig { products, ..SimulatorConfig::default() }, &[PAGES, SWEEP_PAGES]).await;
    complete(&world, &world.syncer, RunKind::Full).await;
    world
}

/// Lets `worker` do a run, and counts its calls.
async fn complete(world: &World, worker: &Syncer, kind: RunKind) -> usize {
    let before = world.shop.calls().len();
    let run = world.sync_kind(worker, &world.store, kind).await;
    assert_eq!((run.verdict, run.error.as_deref()), (Some(Verdict::Complete), None), "{run:?}");
    assert_eq!(world.errors().await, Vec::<String>::new());
    world.shop.calls().len() - before
}

async fn a_list_that_was_read_before_costs_no_more_calls_with_pages_in_flight_than_without(db: TestDb) {
    let world = shop(db, 1).await;
    let four = world.worker(&[PAGES, SWEEP_PAGES, FOUR]);
    for more in [0, 80, 147, 7] {
        world.db.clock.advance(TimeDelta::hours(1));
        let now = world.syncer.clock.now();
        world.shop.with_catalogue(|catalogue| catalogue.add(more, now));
        complete(&world, &world.syncer, RunKind::Full).await;
        // What was edited last is listed once more by every incremental run.
        let fits_into_a_page = more < 20;
        let kinds = [RunKind::Full, RunKind::Sweep, RunKind::Incremental];
        for kind in kinds.into_iter().take(if fits_into_a_page { 3 } else { 2 }) {
            let alone = complete(&world, &world.syncer, kind).await;
            let with_four = complete(&world, &four, kind).await;
            assert_eq!(
                with_four,
                alone,
                "{kind} of {} products",
                world.shop.with_catalogue(|catalogue| catalogue.len())
            );
        }
    }
}

async fn a_list_that_has_changed_its_length_is_read_to_its_end_all_the_same(db: TestDb) {
    let world = shop(db, 100).await;
    let four = world.worker(&[PAGES, SWEEP_PAGES, FOUR]);
    for kind in [RunKind::Full, RunKind::Sweep] {
        for more in [1, 30, 200] {
            let now = world.syncer.clock.now();
            world.shop.with_catalogue(|catalogue| catalogue.add(more, now));
            complete(&world, &four, kind).await;
        }
        for fewer in [1, 4] {
            world.shop.with_catalogue(|catalogue| {
                let ids: Vec<_> = catalogue.ids().collect();
                // At the end, and in the middle.
                for id in ids.iter().rev().take(fewer).chain(&ids[50..50 + fewer]) {
                    assert!(catalogue.delete(*id));
                }
            });
            complete(&world, &four, kind).await;
        }
    }
}
