//! A store that refuses parts of a request, or does not bear large pages: what of it has to be given up is found out, and
//! remembered for a week.

use chrono::TimeDelta;
use netosync::domain::learned::Learned;
use netosync::domain::run::{Run, RunKind, Verdict};
use netosync::simulator::{Fault, SimulatorConfig};
use netosync::storage::stores;

use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    what_a_store_refuses_without_a_word_is_found_and_not_asked_for_again_for_a_week,
    a_store_that_does_not_order_its_list_is_walked_all_the_same,
    a_store_that_refuses_everything_is_not_asked_for_less,
    pages_that_are_too_large_are_halved_and_their_size_is_remembered,
    a_store_that_bears_what_was_wished_for_and_no_more_is_not_asked_for_more_again,
    after_a_while_larger_pages_are_tried_again,
    products_asked_for_by_id_are_asked_for_in_smaller_numbers_too,
);

fn faults(texts: &[&str]) -> Vec<Fault> {
    texts.iter().map(|text| text.parse().expect("a fault")).collect()
}

async fn learned(world: &World) -> Learned {
    stores::load_store(&world.db, world.store.id).await.expect("it is there").learned
}

async fn sync_counting_refusals(world: &World, kind: RunKind) -> (Run, usize) {
    let before = world.shop.calls().len();
    let run = world.sync_as(kind).await;
    (run, world.shop.calls()[before..].iter().filter(|call| !call.ok).count())
}

async fn shop(db: TestDb, products: usize, settings: &[(&str, &str)], hurts: &[&str]) -> World {
    let world = World::with(db, SimulatorConfig { products, ..SimulatorConfig::default() }, settings).await;
    world.shop.set_faults(faults(hurts));
    world
}

async fn what_a_store_refuses_without_a_word_is_found_and_not_asked_for_again_for_a_week(db: TestDb) {
    let world = shop(db, 20, &[], &["reject:part=ShortDescription"]).await;

    let (run, refusals) = sync_counting_refusals(&world, RunKind::Full).await;

    assert_eq!(run.verdict, Some(Verdict::Partial));
    let error = run.error.expect("a reason");
    assert!(error.contains("the store refuses the selectors ShortDescription"), "{error}");
    assert_eq!(run.counts.inserted, 20);
    assert!((5..20).contains(&refusals), "{refusals}");
    assert_eq!(learned(&world).await.refused.iter().filter(|part| *part == "ShortDescription").count(), 1);

    world.db.clock.advance(TimeDelta::days(6));
    let (run, refusals) = sync_counting_refusals(&world, RunKind::Full).await;
    assert_eq!((run.verdict, refusals), (Some(Verdict::Partial), 0));

    // The store has been upgraded meanwhile.
    world.shop.set_faults(Vec::new());
    world.db.clock.advance(TimeDelta::days(2));
    let (run, _) = sync_counting_refusals(&world, RunKind::Full).await;
    assert_eq!((run.verdict, run.error), (Some(Verdict::Complete), None));
    assert_eq!(learned(&world).await, Learned::default());
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_store_that_does_not_order_its_list_is_walked_all_the_same(db: TestDb) {
    let world = shop(db, 20, &[], &["reject:part=OrderBy"]).await;

    let (run, _) = sync_counting_refusals(&world, RunKind::Full).await;

    // It happens to list them in the order of their IDs, which the seams see.
    assert_eq!((run.verdict, run.error), (Some(Verdict::Complete), None));
    assert!(learned(&world).await.refused.contains(&"OrderBy".to_owned()));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_store_that_refuses_everything_is_not_asked_for_less(db: TestDb) {
    let world = shop(db, 20, &[], &["ack-error:message=No"]).await;

    let (run, refusals) = sync_counting_refusals(&world, RunKind::Full).await;

    // Twice whole, once without anything that could be refused.
    assert_eq!((run.verdict, refusals), (None, 3));
    assert_eq!(learned(&world).await, Learned::default());
}

async fn pages_that_are_too_large_are_halved_and_their_size_is_remembered(db: TestDb) {
    let settings = [("NETOSYNC__FETCH__SWEEP_PAGE_SIZE", "160")];
    let world = shop(db, 130, &settings, &["too-much:rows=30"]).await;

    // A store that does not answer twice in a row is left alone for a while, so this takes some attempts.
    let (run, refusals) = sync_counting_refusals(&world, RunKind::Full).await;
    let mut run = run;
    while run.verdict.is_none() {
        assert!(run.state.unfinished(), "{run:?}");
        world.db.clock.advance(TimeDelta::hours(1));
        run = world.sync_as(RunKind::Full).await;
    }

    assert_eq!((run.verdict, run.error), (Some(Verdict::Complete), None));
    assert!(refusals > 0);
    let known = learned(&world).await;
    assert_eq!((known.page_size, known.sweep_page_size), (Some(25), None));
    assert_eq!(world.errors().await, Vec::<String>::new());
    assert_eq!(run.counts.seen, 130);

    let mut run = world.sync_as(RunKind::Sweep).await;
    while run.verdict.is_none() {
        assert!(run.state.unfinished(), "{run:?}");
        world.db.clock.advance(TimeDelta::hours(1));
        run = world.sync_as(RunKind::Sweep).await;
    }
    let known = learned(&world).await;
    assert_eq!((known.page_size, known.sweep_page_size), (Some(25), Some(20)));
    for kind in [RunKind::Full, RunKind::Sweep, RunKind::Incremental] {
        let (run, refusals) = sync_counting_refusals(&world, kind).await;
        assert_eq!((run.verdict, refusals), (Some(Verdict::Complete), 0), "{kind}");
    }
    world.shop.set_faults(Vec::new());
    world.db.clock.advance(TimeDelta::days(8));
    assert_eq!(world.sync_as(RunKind::Full).await.verdict, Some(Verdict::Complete));
    assert_eq!(learned(&world).await, Learned::default());
}

async fn a_store_that_bears_what_was_wished_for_and_no_more_is_not_asked_for_more_again(db: TestDb) {
    let settings = [("NETOSYNC__FETCH__PAGE_SIZE", "20"), ("NETOSYNC__RETRY__ATTEMPTS", "2")];
    let world = shop(db, 200, &settings, &["too-much:rows=20"]).await;

    let (run, refusals) = sync_counting_refusals(&world, RunKind::Full).await;

    assert_eq!((run.verdict, run.error, run.counts.seen), (Some(Verdict::Complete), None, 200));
    assert_eq!(refusals, 2, "the first page that was larger, and its repetition");
    let limits: Vec<_> = world.shop.calls().iter().filter_map(|call| call.limit).collect();
    assert!(limits.iter().all(|limit| (10..=28).contains(limit)), "{limits:?}");
    assert_eq!(learned(&world).await.page_size, Some(20));
    let (run, refusals) = sync_counting_refusals(&world, RunKind::Full).await;
    assert_eq!((run.verdict, refusals), (Some(Verdict::Complete), 0));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn after_a_while_larger_pages_are_tried_again(db: TestDb) {
    let settings = [("NETOSYNC__FETCH__PAGE_SIZE", "8"), ("NETOSYNC__RETRY__ATTEMPTS", "2")];
    // Two attempts at the second page fail.
    let world = shop(db, 200, &settings, &["504@2x2"]).await;

    let run = world.sync().await;

    assert_eq!((run.verdict, run.counts.seen), (Some(Verdict::Complete), 200));
    let limits: Vec<_> = world.shop.calls().iter().filter_map(|call| call.limit).filter(|limit| *limit < 100).collect();
    let runs_of = limits.chunk_by(|one, other| one == other).map(|same| (same[0], same.len())).collect::<Vec<_>>();
    // 8 products, two failures, and a walk from the beginning, because pages below 8 have no seams: 32 in pages of 4, and the rest
    // in pages of 8 with two looks behind the end.
    assert_eq!(runs_of, [(8, 1), (7, 2), (4, 8), (8, 23)]);
    assert_eq!(learned(&world).await, Learned::default());
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn products_asked_for_by_id_are_asked_for_in_smaller_numbers_too(db: TestDb) {
    let world = shop(db, 40, &[], &[]).await;
    world.sync().await;
    world.db.clock.advance(TimeDelta::hours(1));
    let now = world.syncer.clock.now();
    let ids: Vec<i64> = world.shop.with_catalogue(|catalogue| catalogue.ids().collect());
    world.shop.with_catalogue(|catalogue| assert!(ids.iter().all(|id| catalogue.rename(*id, "Another", now))));
    // Its list is short enough, the products are not.
    world.shop.set_faults(faults(&["too-much:rows=30@2+"]));

    let run = world.sync_as(RunKind::Sweep).await;

    assert_eq!((run.verdict, run.counts.updated), (Some(Verdict::Complete), 40));
    assert_eq!(world.errors().await, Vec::<String>::new());
}
