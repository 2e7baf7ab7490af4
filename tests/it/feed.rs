//! The change feed: whoever replays it from its first line has the mirror; nobody who reads by a name misses a line; and what
//! comes out of quarantine goes through it too.

use std::collections::BTreeMap;

use chrono::Duration;
use netosync::domain::run::{Checkpoint, Counts};
use netosync::simulator::{SimValue, SimulatedStore, SimulatorConfig};
use netosync::storage::changes::Subject;
use netosync::storage::products::{self, Removal, Replay, Replayed};
use netosync::storage::wake::Wakeups;
use netosync::storage::{StorageError, changes, consumers, quarantine};
use serde_json::json;

use crate::support::mirrored::{self, execute, texts};
use crate::support::retold::Retold;
use crate::support::world::{LOOPBACK, World};
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    the_whole_feed_replayed_into_an_empty_model_gives_the_same_products,
    the_feed_is_gapless_in_commit_order_while_two_stores_are_synced_at_once,
    readers_of_one_name_acknowledge_forward_only_and_miss_nothing,
    a_reader_is_woken_by_new_lines,
    a_record_of_the_quarantine_is_replayed_once_and_only_where_it_is_newer,
    nothing_is_replayed_while_a_run_of_the_store_is_at_work,
);

/// Marks products removed, as a run would that has asked for them.
async fn remove(world: &World, ids: &[i64]) {
    world.enqueue(&world.store).await;
    let (run, lease) = world.claim("remover").await.expect("due");
    let removal = Removal {
        lease: &lease,
        lease_for: Duration::minutes(1),
        ids,
        checkpoint: &Checkpoint::default(),
        counts: Counts::default(),
        now: world.db.clock().now(),
    };
    products::mark_removed(&world.db, removal).await.expect("the lease holds");
    execute(&world.db, &format!("UPDATE runs SET state = 'cancelled' WHERE id = {}", run.id)).await;
}

async fn the_whole_feed_replayed_into_an_empty_model_gives_the_same_products(db: TestDb) {
    let world = World::new(db, SimulatorConfig { products: 60, quirks: true, ..SimulatorConfig::default() }).await;
    world.sync().await;
    for round in 0..3 {
        world.db.clock.advance(Duration::hours(1));
        let now = world.db.clock().now();
        world.shop.with_catalogue(|catalogue| {
            catalogue.edit_random(15, now);
            catalogue.add(2, now);
        });
        let ids: Vec<i64> = mirrored::products(&world.db, world.store.id).await.into_keys().collect();
        remove(&world, &ids[round * 3..round * 3 + 4]).await;
        if round < 2 {
            world.sync().await; // what was removed is there again: restored
        }
    }

    let mut retold = Retold::default();
    retold.read_on(&world.db, world.store.id).await;

    for kind in ["added", "changed", "removed", "restored"] {
        assert!(retold.kinds.contains(kind), "{kind}");
    }
    retold.assert_is_the_mirror(&world.db, world.store.id).await;
}

async fn the_feed_is_gapless_in_commit_order_while_two_stores_are_synced_at_once(db: TestDb) {
    let settings = [("NETOSYNC__FETCH__PAGE_SIZE", "5")];
    let world = World::with(db, SimulatorConfig { products: 60, ..SimulatorConfig::default() }, &settings).await;
    let shop = SimulatorConfig { products: 40, seed: 9, clock: world.db.clock.clone(), ..SimulatorConfig::default() };
    let shop = SimulatedStore::start(LOOPBACK, shop).await.expect("a free port");
    let other = world.store_at("other", &shop).await;
    world.enqueue(&world.store).await;
    world.enqueue(&other).await;
    let (first, second) = (world.claim("one").await.expect("due"), world.claim("two").await.expect("due"));
    // A reader that sees line n+1 without line n gets an error from the page, which `Retold` does not take.
    let reader = async {
        let mut read = BTreeMap::from([(world.store.id, 0), (other.id, 0)]);
        while read != BTreeMap::from([(world.store.id, 60), (other.id, 40)]) {
            for (store, after) in &mut read {
                let lines = changes::after(&world.db, *store, Some(*after), 7).await.expect("no gap");
                for line in lines {
                    assert_eq!(line.seq, *after + 1);
                    *after = line.seq;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let (one, two, ()) = tokio::join!(
        world.syncer.execute(first.0, first.1, &stop),
        world.syncer.execute(second.0, second.1, &stop),
        reader
    );
    one.and(two).expect("the database works");
    let mut retold = Retold::default();
    retold.read_on(&world.db, world.store.id).await;
    assert_eq!(retold.seq, 60);
}

async fn readers_of_one_name_acknowledge_forward_only_and_miss_nothing(db: TestDb) {
    let world = World::new(db, SimulatorConfig { products: 9, ..SimulatorConfig::default() }).await;
    world.sync().await;
    let (db, store, now) = (&world.db, world.store.id, world.db.clock().now());
    assert_eq!(consumers::position(db, "a", store, now).await.expect("a position"), 0);
    assert_eq!(consumers::acknowledge(db, "a", store, 6, now).await.expect("there"), 6);
    // The slower of two processes has printed less; what the faster one has acknowledged stays.
    assert_eq!(consumers::acknowledge(db, "a", store, 4, now).await.expect("there"), 6);
    assert_eq!(consumers::position(db, "a", store, now).await.expect("a position"), 6);
    // A line that does not exist yet cannot be acknowledged: it would be missed when it comes.
    let refused = consumers::acknowledge(db, "a", store, 10, now).await.expect_err("never written");
    assert!(matches!(refused, StorageError::ChangesAhead { seq: 10, last: 9 }), "{refused:?}");
    assert_eq!(consumers::position(db, "b", store, now).await.expect("a position"), 0);
    assert!(matches!(consumers::position(db, "B b", store, now).await, Err(StorageError::BadConsumerName { .. })));
    let list = consumers::list(db).await.expect("readable");
    let told: Vec<_> = list.iter().map(|one| (one.name.as_str(), one.store.as_str(), one.seq, one.last)).collect();
    assert_eq!(told, [("a", "shop", 6, 9), ("b", "shop", 0, 9)]);
    assert_eq!(consumers::remove(db, "a", None).await.expect("writable"), 1);
    assert_eq!(consumers::remove(db, "a", Some(store)).await.expect("writable"), 0);
}

async fn a_reader_is_woken_by_new_lines(db: TestDb) {
    let world = World::new(db, SimulatorConfig::default()).await;
    let wakeups = Wakeups::of_feed(&world.db);
    wakeups.next().await; // it listens
    world.sync().await;
    let woken = async {
        while changes::last(&world.db, world.store.id).await.expect("readable") == 0 {
            wakeups.next().await;
        }
        wakeups.next().await; // by a commit, not by our patience
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), woken).await.expect("woken");
}

/// Records of the quarantine, as another version of the program would have left them.
async fn quarantined(world: &World, records: &[(i64, &str, &str)]) {
    let at = world.db.clock().now().to_rfc3339();
    for (id, updated, name) in records {
        let raw =
            format!(r#"{{"InventoryID": "{id}", "SKU": "S-{id}", "Name": "{name}", "DateUpdatedUTC": "{updated}"}}"#);
        let sql = "INSERT INTO quarantine (store_id, run_id, inventory_id, reason, raw, at) VALUES";
        execute(&world.db, &format!("{sql} ({}, NULL, {id}, 'r', '{raw}', '{at}')", world.store.id)).await;
    }
}

/// Replays all that waits; the products that were named so afterwards.
async fn replay(world: &World) -> Option<Replayed> {
    let waiting = quarantine::waiting(&world.db, world.store.id, 0, 99).await.expect("readable");
    let records = waiting.iter().map(|(entry, raw)| Replay {
        id: entry.id,
        met_at: entry.at,
        product: netosync::connector::neto::normalize(raw, true).expect("good now"),
    });
    let records = records.collect();
    products::replay(&world.db, world.store.id, records, world.db.clock().now()).await.expect("the database works")
}

async fn a_record_of_the_quarantine_is_replayed_once_and_only_where_it_is_newer(db: TestDb) {
    let world = World::new(db, SimulatorConfig { products: 3, ..SimulatorConfig::default() }).await;
    world.sync().await;
    let ids: Vec<i64> = world.mirror().await.into_keys().collect();
    let [changed, old, gone] = ids[..] else { panic!("three products") };
    world.shop.with_catalogue(|catalogue| {
        catalogue.change(changed, world.db.clock().now(), |product| product.set("Name", SimValue::text("x")))
    });
    quarantined(
        &world,
        &[
            (900_001, "2027-03-01 10:00:00", "new, first"),
            (900_001, "2027-03-01 11:00:00", "new, last"),
            (changed, "2099-01-01 00:00:00", "newer"),
            (old, "1999-01-01 00:00:00", "older"),
            (gone, "2099-01-01 00:00:00", "removed since"),
        ],
    )
    .await;
    world.db.clock.advance(Duration::hours(1));
    remove(&world, &[gone]).await;
    let before = changes::last(&world.db, world.store.id).await.expect("readable");

    assert_eq!(replay(&world).await, Some(Replayed { replayed: 2, superseded: 3 }));
    assert_eq!(replay(&world).await, Some(Replayed::default()), "each once");

    let lines = changes::after(&world.db, world.store.id, Some(before), 9).await.expect("readable");
    let mut told: Vec<_> = lines
        .iter()
        .map(|line| {
            let Subject::Product { inventory_id, .. } = line.subject else { panic!("a product") };
            (inventory_id, line.kind.as_str(), line.fields.as_ref().expect("told")["name"][1].clone())
        })
        .collect();
    told.sort_by_key(|(id, ..)| *id);
    assert_eq!(told, [(changed, "changed", json!("newer")), (900_001, "added", json!("new, last"))]);
    let names = texts(&world.db, "SELECT name FROM products WHERE removed_at IS NULL ORDER BY inventory_id").await;
    assert_eq!(names.len(), 3);
    assert!(!names.iter().any(|row| row[0].as_deref() == Some("older")), "{names:?}");
}

async fn nothing_is_replayed_while_a_run_of_the_store_is_at_work(db: TestDb) {
    let world = World::new(db, SimulatorConfig { products: 3, ..SimulatorConfig::default() }).await;
    quarantined(&world, &[(900_001, "2027-03-01 10:00:00", "new")]).await;
    world.enqueue(&world.store).await;
    let (run, _lease) = world.claim("worker").await.expect("due");

    assert_eq!(replay(&world).await, None);
    assert_eq!(world.mirror().await.len(), 0);
    assert_eq!(quarantine::waiting(&world.db, world.store.id, 0, 9).await.expect("readable").len(), 1);

    // One that waits may go on waiting.
    execute(&world.db, &format!("UPDATE runs SET state = 'queued' WHERE id = {}", run.id)).await;
    assert_eq!(replay(&world).await, Some(Replayed { replayed: 1, superseded: 0 }));
    assert_eq!(world.mirror().await.len(), 1);
}
