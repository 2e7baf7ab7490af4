//! A plan says what the run then does, and writes nothing.

use std::time::Duration;

use chrono::TimeDelta;
use netosync::domain::run::{Run, RunKind, Verdict};
use netosync::domain::store::Store;
use netosync::simulator::fault::FaultKind;
use netosync::simulator::{Fault, SimValue, SimulatorConfig};
use netosync::storage::products;
use netosync::storage::scratch::Scratch;
use netosync::sync::plan::{Plan, PlanError, Planned, Wish};
use tokio_util::sync::CancellationToken;

use crate::support::dump::dump;
use crate::support::mirrored::{execute, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    what_a_plan_says_is_what_the_run_then_does_and_planning_writes_nothing,
    what_a_run_compares_is_copied_as_it_is,
    a_plan_ends_when_its_calls_are_used_up_and_says_what_it_has_seen,
    a_plan_refuses_to_be_made_beside_a_run_and_ends_when_one_begins,
    a_plan_that_is_interrupted_leaves_nothing_behind,
);

const PRODUCTS: usize = 60;
const KINDS: [RunKind; 3] = [RunKind::Full, RunKind::Sweep, RunKind::Incremental];

async fn world(db: TestDb) -> World {
    let shop = SimulatorConfig { products: PRODUCTS, quirks: true, ..SimulatorConfig::default() };
    let sizes = [("NETOSYNC__FETCH__PAGE_SIZE", "10"), ("NETOSYNC__FETCH__SWEEP_PAGE_SIZE", "16")];
    World::with(db, shop, &sizes).await
}

fn wish(kind: RunKind) -> Wish {
    Wish { kind, approve_removals: false, max_calls: 500 }
}

/// A plan that comes to its end; the database is as it was.
async fn planned(world: &World, store: &Store, wish: &Wish) -> Planned {
    let before = dump(&world.db).await;
    let plan = Plan::prepare(&world.syncer, store, wish).await.expect("nobody is at work on the store");
    let planned = plan.carry_out(&CancellationToken::new()).await.expect("a plan");
    plan.throw_away().await;
    assert_eq!(dump(&world.db).await, before);
    planned
}

async fn number(world: &World, sql: String) -> i64 {
    let rows = texts(&world.db, &sql).await;
    rows.first().and_then(|row| row[0].as_deref()).map_or(0, |text| text.parse().expect("a number"))
}

/// Plans, then runs in earnest, and compares the two. Gives both.
async fn plan_and_run(world: &World, store: &Store, wish: &Wish, what: &str) -> (Planned, Run) {
    let what = format!("{what}, {}", wish.kind);
    let before = world.shop.calls_made();
    let planned = planned(world, store, wish).await;
    let calls = world.shop.calls_made() - before;
    let queued = world.enqueue_kind(store, wish.kind).await;
    if wish.approve_removals {
        netosync::storage::runs::approve_removals(&world.db, queued.id).await.expect("it waits");
    }
    let run = world.sync_kind(&world.syncer, store, wish.kind).await;

    let said = |run: &Run| (run.state, run.verdict, run.counts, run.error_class, run.error.clone());
    assert_eq!(said(&planned.run), said(&run), "{what}");
    assert_eq!(calls, run.counts.calls.unsigned_abs(), "{what}");
    let restored =
        format!("SELECT CAST(COUNT(*) AS TEXT) FROM product_changes WHERE run_id = {} AND kind = 'restored'", run.id);
    assert_eq!(planned.restored, number(world, restored).await, "{what}");
    let held = format!("SELECT CAST(products AS TEXT) FROM held_removals WHERE run_id = {}", run.id);
    assert_eq!(planned.held_back.unwrap_or(0), number(world, held).await, "{what}");
    assert!(!planned.cut_off);
    world.db.clock.advance(TimeDelta::hours(1));
    (planned, run)
}

async fn what_a_plan_says_is_what_the_run_then_does_and_planning_writes_nothing(db: TestDb) {
    let world = world(db).await;
    let mut stores = vec![world.store.clone()];
    for kind in &KINDS[1..] {
        stores.push(world.another_store(kind.as_str()).await);
    }
    let each = || stores.iter().zip(KINDS);
    for (store, kind) in each() {
        let (planned, _) = plan_and_run(&world, store, &wish(kind), "a fresh store").await;
        assert_eq!(planned.run.counts.inserted, PRODUCTS as i64);
        let (planned, _) = plan_and_run(&world, store, &wish(kind), "nothing changed").await;
        assert_eq!((planned.run.counts.inserted, planned.run.counts.updated), (0, 0));
    }

    let now = world.syncer.clock.now();
    let ids: Vec<i64> = world.shop.with_catalogue(|catalogue| {
        let ids: Vec<_> = catalogue.ids().collect();
        assert!(
            catalogue.move_stock(ids[3]) && catalogue.edit_price(ids[7], now) && catalogue.rename(ids[8], "New", now)
        );
        assert!(catalogue.change(ids[9], now, |product| product.set("PreOrderQuantity", SimValue::text("many"))));
        catalogue.add(12, now);
        ids
    });
    execute(&world.db, &format!("UPDATE products SET removed_at = changed_at WHERE inventory_id = {}", ids[5])).await;
    // One that the mirror gives a warehouse too many, so that its list has to be compared.
    let warehouse = format!(
        "INSERT INTO product_stock (store_id, inventory_id, warehouse_id, quantity) SELECT id, {0}, 999999, 1 FROM stores; \
         UPDATE products SET light_hash = content_hash WHERE inventory_id = {0}",
        ids[11]
    );
    execute(&world.db, &warehouse).await;
    for (store, kind) in each() {
        let (planned, run) = plan_and_run(&world, store, &wish(kind), "an edited store").await;
        let edited = if kind == RunKind::Incremental { 2 } else { 4 };
        assert_eq!((run.counts.inserted, run.counts.updated), (12, edited), "{kind}");
        assert!(run.counts.quarantined > 0, "{kind}");
        assert_eq!(planned.restored, i64::from(kind != RunKind::Incremental));
    }

    // Now its list is right and only the kept hash of it is not, as an early version might have left it.
    execute(&world.db, "DELETE FROM product_stock WHERE warehouse_id = 999999").await;
    world.shop.with_catalogue(|catalogue| {
        assert!(catalogue.change(ids[9], now, |product| product.set("PreOrderQuantity", SimValue::Int(1))));
        assert!(ids[20..24].iter().all(|id| catalogue.delete(*id)));
    });
    for (store, kind) in each() {
        let (_, run) = plan_and_run(&world, store, &wish(kind), "few are gone").await;
        assert_eq!(run.counts.removed, if kind == RunKind::Incremental { 0 } else { 4 });
    }

    let healed = format!("UPDATE products SET light_hash = NULL WHERE inventory_id = {}", ids[11]);
    execute(&world.db, &healed).await;

    world.shop.with_catalogue(|catalogue| assert!(ids[30..50].iter().all(|id| catalogue.delete(*id))));
    for (store, kind) in each() {
        let (planned, run) = plan_and_run(&world, store, &wish(kind), "many are gone").await;
        let held = (kind != RunKind::Incremental).then_some(20);
        assert_eq!((planned.held_back, run.counts.removed), (held, 0));
        assert_eq!(planned.run.verdict == Some(Verdict::Partial), held.is_some());
    }
    let approved = Wish { approve_removals: true, ..wish(RunKind::Full) };
    let (_, run) = plan_and_run(&world, &stores[0], &approved, "all removals are approved").await;
    assert_eq!((run.counts.removed, run.verdict), (20, Some(Verdict::Complete)));
    let (_, run) = plan_and_run(&world, &stores[1], &wish(RunKind::Sweep), "the same is gone once more").await;
    assert_eq!((run.counts.removed, run.verdict), (20, Some(Verdict::Complete)));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn what_a_run_compares_is_copied_as_it_is(db: TestDb) {
    let world = world(db).await;
    world.sync().await;
    let removed = "UPDATE products SET removed_at = changed_at, light_hash = NULL \
         WHERE inventory_id = (SELECT MIN(inventory_id) FROM products)";
    execute(&world.db, removed).await;
    let scratch = Scratch::of_store(&world.db, world.store.id).await.expect("a copy");
    for db in [scratch.db(), &*world.db] {
        assert_eq!(products::count(db, world.store.id).await.expect("readable"), PRODUCTS as u64 - 1);
    }
    let held = async |db| products::held_between(db, world.store.id, None, None).await.expect("readable");
    let in_earnest = held(&world.db).await;
    assert_eq!((in_earnest.len(), held(scratch.db()).await), (PRODUCTS, in_earnest));
    // As JSON of the engine itself: nothing of what copies is in here.
    let hex = |db: &netosync::storage::Database| match db.engine() {
        netosync::storage::Engine::Sqlite => "lower(hex(content_hash))",
        netosync::storage::Engine::Postgres => "encode(content_hash, 'hex')",
    };
    let hashes = async |db| {
        let sql = format!("SELECT CAST(inventory_id AS TEXT), {}, sku FROM products ORDER BY inventory_id", hex(db));
        texts(db, &sql).await
    };
    assert_eq!(hashes(scratch.db()).await, hashes(&world.db).await);
}

async fn a_plan_ends_when_its_calls_are_used_up_and_says_what_it_has_seen(db: TestDb) {
    let world = world(db).await;
    for kind in KINDS {
        let before = world.shop.calls_made();
        let planned = planned(&world, &world.store, &Wish { max_calls: 2, ..wish(kind) }).await;
        assert!(planned.cut_off, "{planned:?}");
        assert_eq!(world.shop.calls_made() - before, 2);
        let counts = planned.run.counts;
        assert_eq!((counts.calls, counts.removed), (2, 0));
        assert!(kind == RunKind::Sweep || counts.inserted >= 18, "{planned:?}");
    }
    let all = planned(&world, &world.store, &wish(RunKind::Full)).await.run.counts.calls;
    let exactly = Wish { max_calls: all.unsigned_abs(), ..wish(RunKind::Full) };
    assert!(!planned(&world, &world.store, &exactly).await.cut_off);
    let one_less = Wish { max_calls: all.unsigned_abs() - 1, ..wish(RunKind::Full) };
    assert!(planned(&world, &world.store, &one_less).await.cut_off);
}

async fn a_plan_refuses_to_be_made_beside_a_run_and_ends_when_one_begins(db: TestDb) {
    let world = world(db).await;
    let plan = Plan::prepare(&world.syncer, &world.store, &wish(RunKind::Full)).await.expect("nobody is at work");
    let run = world.enqueue(&world.store).await;
    let busy = Plan::prepare(&world.syncer, &world.store, &wish(RunKind::Full)).await.expect_err("a run waits");
    assert!(matches!(busy, PlanError::Busy { id, .. } if id == run.id), "{busy}");

    // So slow that the plan notices long before its end.
    world.shop.set_faults(vec![Fault { kind: FaultKind::Delay(Duration::from_secs(1)), first: 1, last: None }]);
    let moved = plan.carry_out(&CancellationToken::new()).await.expect_err("a run has begun");
    assert!(matches!(moved, PlanError::Moved), "{moved}");
    assert!(world.shop.calls_made() < 6, "{}", world.shop.calls_made());

    // One that has begun and ended in between is noticed at the end.
    world.shop.set_faults(Vec::new());
    world.sync().await;
    let plan = Plan::prepare(&world.syncer, &world.store, &wish(RunKind::Sweep)).await.expect("nobody is at work");
    world.sync().await;
    plan.carry_out(&CancellationToken::new()).await.expect_err("a run was there");
}

async fn a_plan_that_is_interrupted_leaves_nothing_behind(db: TestDb) {
    let world = world(db).await;
    let before = dump(&world.db).await;
    let plan = Plan::prepare(&world.syncer, &world.store, &wish(RunKind::Full)).await.expect("nobody is at work");
    let file = std::path::PathBuf::from(plan.copy().target());
    assert!(file.exists());
    let stop = CancellationToken::new();
    let asked = stop.clone();
    world.shop.before_call(3, move |_| asked.cancel());
    let interrupted = plan.carry_out(&stop).await.expect_err("it was interrupted");
    assert!(matches!(interrupted, PlanError::Interrupted), "{interrupted}");
    assert_eq!(world.shop.calls_made(), 3);
    plan.throw_away().await;
    assert!(!file.parent().expect("a folder").exists());
    assert_eq!(dump(&world.db).await, before);
}
