//! Records that come again byte for byte: known without being read, and only while what they said is what is held.

use chrono::TimeDelta;
use netosync::domain::run::{Run, RunKind, Verdict};
use netosync::simulator::{SimValue, SimulatorConfig};

use crate::support::mirrored::execute;
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    bytes_that_say_what_was_held_before_are_read_again,
    a_record_of_the_same_bytes_is_not_read_at_all,
    what_was_stored_before_records_were_hashed_is_hashed_once,
);

const PRODUCTS: usize = 40;

async fn shop(db: TestDb) -> World {
    World::with(db, SimulatorConfig { products: PRODUCTS, ..SimulatorConfig::default() }, &[]).await
}

async fn sync(world: &World, kind: RunKind) -> Run {
    world.db.clock.advance(TimeDelta::hours(1));
    let run = world.sync_as(kind).await;
    assert_eq!((run.verdict, run.error.as_deref()), (Some(Verdict::Complete), None), "{run:?}");
    run
}

/// Inserted, updated and unchanged products.
fn written(run: &Run) -> (i64, i64, i64) {
    (run.counts.inserted, run.counts.updated, run.counts.unchanged)
}

fn nth(world: &World, place: usize) -> i64 {
    world.shop.with_catalogue(|catalogue| catalogue.ids().nth(place)).expect("it has as many")
}

async fn bytes_that_say_what_was_held_before_are_read_again(db: TestDb) {
    const ALL: i64 = PRODUCTS as i64;
    let world = shop(db).await;
    let (sold, deleted, marked) = (nth(&world, 3), nth(&world, 7), nth(&world, 11));
    let now = world.syncer.clock.now();
    // Stock at zero goes down by one and then up again, without a date.
    let empty = |product: &mut netosync::simulator::SimProduct| product.set("AvailableSellQuantity", SimValue::Int(0));
    world.shop.with_catalogue(|catalogue| assert!(catalogue.change(sold, now, empty)));
    assert_eq!(written(&sync(&world, RunKind::Full).await), (ALL, 0, 0));
    for kind in [RunKind::Sweep, RunKind::Full] {
        world.shop.with_catalogue(|catalogue| assert!(catalogue.move_stock(sold)));
        assert_eq!(written(&sync(&world, kind).await), (0, 1, ALL - 1), "{kind}");
        assert_eq!(world.errors().await, Vec::<String>::new());
    }
    execute(&world.db, &format!("DELETE FROM products WHERE inventory_id = {deleted}")).await;
    execute(&world.db, &format!("UPDATE products SET removed_at = changed_at WHERE inventory_id = {marked}")).await;

    assert_eq!(written(&sync(&world, RunKind::Full).await), (1, 1, ALL - 2));

    assert_eq!(world.errors().await, Vec::<String>::new());
    assert_eq!(written(&sync(&world, RunKind::Full).await), (0, 0, ALL));
}

async fn a_record_of_the_same_bytes_is_not_read_at_all(db: TestDb) {
    let world = shop(db).await;
    sync(&world, RunKind::Full).await;
    // Whoever read the records would find other hashes, and write them.
    let other = "UPDATE products SET content_hash = answer_hash";
    execute(&world.db, other).await;

    assert_eq!(written(&sync(&world, RunKind::Full).await), (0, 0, PRODUCTS as i64));

    execute(&world.db, "UPDATE products SET answer_hash = light_hash").await;
    assert_eq!(written(&sync(&world, RunKind::Full).await), (0, PRODUCTS as i64, 0));
}

async fn what_was_stored_before_records_were_hashed_is_hashed_once(db: TestDb) {
    let world = shop(db).await;
    sync(&world, RunKind::Full).await;
    execute(&world.db, "UPDATE products SET answer_hash = NULL").await;

    assert_eq!(written(&sync(&world, RunKind::Full).await), (0, 0, PRODUCTS as i64));

    execute(&world.db, "UPDATE products SET content_hash = answer_hash").await;
    assert_eq!(written(&sync(&world, RunKind::Full).await), (0, 0, PRODUCTS as i64), "they are known by their bytes");
}
