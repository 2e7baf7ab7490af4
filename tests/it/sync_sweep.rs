//! What each kind of run finds, costs and never does.

use chrono::TimeDelta;
use netosync::domain::error::ErrorClass;
use netosync::domain::incident::IncidentKind;
use netosync::domain::run::{Run, RunKind, Verdict};
use netosync::simulator::{SimProduct, SimValue, SimulatorConfig};
use netosync::storage::{cursors, incidents, runs};

use crate::support::mirrored::{execute, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_sweep_takes_over_what_moved_and_fetches_what_was_edited_or_is_new,
    a_sweep_of_a_store_in_which_nothing_happened_writes_nothing_and_costs_calls_only,
    an_incremental_run_fetches_what_was_edited_since_the_last_run_and_no_more,
    what_is_gone_is_asked_for_by_id_and_then_marked_removed,
    a_product_that_is_back_is_restored,
    a_store_that_caps_its_answers_loses_nothing_by_what_they_lack,
    a_bad_record_of_a_product_that_is_held_is_counted_once,
    a_large_removal_waits_for_a_person,
    a_large_removal_that_a_second_sweep_shows_again_is_carried_out,
    nothing_that_goes_wrong_in_any_kind_of_run_removes_anything,
    a_store_that_refuses_the_order_and_keeps_it_is_read_whole,
);

const PRODUCTS: usize = 40;

async fn mirrored_shop(db: TestDb) -> World {
    let shop = SimulatorConfig { products: PRODUCTS, quirks: true, ..SimulatorConfig::default() };
    let world = World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "10")]).await;
    assert_clean(&world.sync().await, Verdict::Complete);
    world.db.clock.advance(TimeDelta::hours(1));
    world
}

fn assert_clean(run: &Run, verdict: Verdict) {
    assert_eq!((run.verdict, run.error.as_deref()), (Some(verdict), None), "{run:?}");
}

fn ids(world: &World) -> Vec<i64> {
    world.shop.with_catalogue(|catalogue| catalogue.ids().collect())
}

fn delete(world: &World, ids: &[i64]) {
    world.shop.with_catalogue(|catalogue| assert!(ids.iter().all(|id| catalogue.delete(*id))));
}

/// The feed's lines of a run: kind and product.
async fn feed(world: &World, run: &Run) -> Vec<(String, i64)> {
    let sql = format!(
        "SELECT kind, CAST(inventory_id AS TEXT) FROM product_changes WHERE run_id = {} ORDER BY product_changes.seq",
        run.id
    );
    let lines = texts(&world.db, &sql).await.into_iter().map(|row| {
        let [Some(kind), Some(id)] = <[_; 2]>::try_from(row).expect("two columns") else { panic!("an empty line") };
        (kind, id.parse().expect("a number"))
    });
    lines.collect()
}

async fn removed(world: &World) -> Vec<String> {
    let sql = "SELECT CAST(inventory_id AS TEXT) FROM products WHERE removed_at IS NOT NULL ORDER BY inventory_id";
    texts(&world.db, sql).await.into_iter().flatten().flatten().collect()
}

async fn a_sweep_takes_over_what_moved_and_fetches_what_was_edited_or_is_new(db: TestDb) {
    let world = mirrored_shop(db).await;
    let ids = ids(&world);
    let now = world.syncer.clock.now();
    let new = world.shop.with_catalogue(|catalogue| {
        assert!(
            catalogue.move_stock(ids[3]) && catalogue.edit_price(ids[7], now) && catalogue.rename(ids[8], "New", now)
        );
        catalogue.add(2, now)
    });

    let run = world.sync_as(RunKind::Sweep).await;

    assert_clean(&run, Verdict::Complete);
    assert_eq!(world.errors().await, Vec::<String>::new());
    assert_eq!((run.counts.inserted, run.counts.updated, run.counts.unchanged), (2, 3, PRODUCTS as i64 - 3));
    assert_eq!(run.counts.seen, PRODUCTS as i64 + 2);
    let mut lines = feed(&world, &run).await;
    lines.sort();
    let changed = [ids[3], ids[7], ids[8]].map(|id| ("changed".to_owned(), id));
    let added: Vec<_> = new.iter().map(|id| ("added".to_owned(), *id)).collect();
    assert_eq!(lines, [added, changed.to_vec()].concat());
    let by_id: Vec<_> =
        world.shop.calls().into_iter().filter(|call| !call.ids.is_empty()).map(|call| call.ids).collect();
    assert_eq!(by_id, [[vec![ids[7], ids[8]], new].concat()], "stock that moved needs no look");
}

async fn a_sweep_of_a_store_in_which_nothing_happened_writes_nothing_and_costs_calls_only(db: TestDb) {
    let world = mirrored_shop(db).await;
    let before = texts(&world.db, "SELECT CAST(change_seq AS TEXT) FROM stores").await;

    let run = world.sync_as(RunKind::Sweep).await;

    assert_clean(&run, Verdict::Complete);
    assert_eq!(
        (run.counts.unchanged, run.counts.seen, run.counts.calls),
        (PRODUCTS as i64, PRODUCTS as i64, 2),
        "{run:?}"
    );
    assert_eq!(texts(&world.db, "SELECT CAST(change_seq AS TEXT) FROM stores").await, before);
}

async fn an_incremental_run_fetches_what_was_edited_since_the_last_run_and_no_more(db: TestDb) {
    let world = mirrored_shop(db).await;
    let first = cursors::read(&world.db, &world.store).await.expect("readable").edited.expect("the full run set it");
    let edited_at = world.syncer.clock.now();
    let ids = ids(&world);
    let new = world.shop.with_catalogue(|catalogue| {
        assert!(catalogue.rename(ids[5], "Another", edited_at));
        catalogue.add(1, edited_at)
    });

    let run = world.sync_as(RunKind::Incremental).await;

    assert_clean(&run, Verdict::Complete);
    let mut lines = feed(&world, &run).await;
    lines.sort();
    assert_eq!(lines, [("added".to_owned(), new[0]), ("changed".to_owned(), ids[5])]);
    assert!(run.counts.seen < 10, "{run:?}");
    assert_eq!(world.errors().await, Vec::<String>::new());
    let cursor = cursors::read(&world.db, &world.store).await.expect("readable").edited.expect("it stays");
    assert!(cursor > first && cursor <= edited_at, "{first} {cursor} {edited_at}");

    let quiet = world.sync_as(RunKind::Incremental).await;
    assert_clean(&quiet, Verdict::Complete);
    assert_eq!(feed(&world, &quiet).await, []);
    assert_eq!(cursors::read(&world.db, &world.store).await.expect("readable").edited, Some(cursor));
}

async fn what_is_gone_is_asked_for_by_id_and_then_marked_removed(db: TestDb) {
    let world = mirrored_shop(db).await;
    let all = ids(&world);
    let gone = [all[0], all[17], all[PRODUCTS - 1]];
    delete(&world, &gone);

    let run = world.sync_as(RunKind::Sweep).await;

    assert_clean(&run, Verdict::Complete);
    assert_eq!((run.counts.removed, removed(&world).await), (3, gone.map(|id| id.to_string()).to_vec()));
    assert_eq!(world.errors().await, Vec::<String>::new());
    assert_eq!(feed(&world, &run).await, gone.map(|id| ("removed".to_owned(), id)));
    let asked = world.shop.calls().into_iter().filter(|call| gone.iter().all(|id| call.ids.contains(id))).count();
    assert_eq!(asked, 2, "twice, independently");
}

async fn a_store_that_caps_its_answers_loses_nothing_by_what_they_lack(db: TestDb) {
    let shop = SimulatorConfig { products: PRODUCTS, page_cap: Some(8), ..SimulatorConfig::default() };
    let world = World::with(db, shop, &[("NETOSYNC__REMOVAL__MAX_SHARE", "1")]).await;
    assert_clean(&world.sync().await, Verdict::Complete);
    world.db.clock.advance(TimeDelta::hours(1));
    let (ids, now) = (ids(&world), world.syncer.clock.now());
    world.shop.with_catalogue(|catalogue| assert!(ids.iter().all(|id| catalogue.rename(*id, "Another", now))));

    let run = world.sync_as(RunKind::Sweep).await;

    assert_clean(&run, Verdict::Complete);
    assert_eq!((run.counts.updated, removed(&world).await), (PRODUCTS as i64, Vec::new()));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_bad_record_of_a_product_that_is_held_is_counted_once(db: TestDb) {
    let world = mirrored_shop(db).await;
    let (id, now) = (ids(&world)[4], world.syncer.clock.now());
    // Not in the light part, which shows a product that was edited and is well.
    let spoil = |product: &mut SimProduct| product.set("ShippingHeight", SimValue::text("knee-high"));
    world.shop.with_catalogue(|catalogue| assert!(catalogue.change(id, now, spoil)));

    for kind in [RunKind::Full, RunKind::Sweep] {
        let run = world.sync_as(kind).await;

        let counts = run.counts;
        assert_eq!((run.verdict, counts.quarantined), (Some(Verdict::Partial), 1), "{kind}");
        assert_eq!((counts.seen, counts.unchanged), (PRODUCTS as i64, PRODUCTS as i64 - 1), "{kind}");
    }
}

async fn a_product_that_is_back_is_restored(db: TestDb) {
    let world = mirrored_shop(db).await;
    let id = ids(&world)[4];
    let sql = format!("UPDATE products SET removed_at = changed_at WHERE inventory_id = {id}");
    execute(&world.db, &sql).await;

    for kind in [RunKind::Sweep, RunKind::Sweep] {
        let run = world.sync_as(kind).await;
        assert_clean(&run, Verdict::Complete);
        let again = if run.counts.updated > 0 { vec![("restored".to_owned(), id)] } else { Vec::new() };
        assert_eq!(feed(&world, &run).await, again);
    }
    assert_eq!(removed(&world).await, Vec::<String>::new());
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn held_incidents(world: &World) -> usize {
    let open = incidents::open(&world.db, None).await.expect("readable");
    open.iter().filter(|incident| incident.kind == IncidentKind::RemovalsHeld).count()
}

async fn a_large_removal_waits_for_a_person(db: TestDb) {
    let world = mirrored_shop(db).await;
    let gone = &ids(&world)[10..21];
    delete(&world, gone);
    let calls = world.shop.calls_made();

    let held = world.sync_as(RunKind::Full).await;

    assert_eq!((held.verdict, held.counts.removed), (Some(Verdict::Partial), 0), "{held:?}");
    assert!(held.error.as_ref().is_some_and(|why| why.contains("--approve-removals")), "{held:?}");
    assert_eq!((removed(&world).await.len(), held_incidents(&world).await), (0, 1));
    assert!(world.shop.calls().into_iter().skip(usize::try_from(calls).expect("few")).all(|call| call.ids.is_empty()));

    // One more is gone, so that the next sweep does not show the same.
    delete(&world, &ids(&world)[..1]);
    let run = world.enqueue_kind(&world.store, RunKind::Sweep).await;
    runs::approve_removals(&world.db, run.id).await.expect("it waits");
    let approved = world.work_once(&world.syncer).await;

    assert_clean(&approved, Verdict::Complete);
    assert_eq!((approved.counts.removed, removed(&world).await.len(), held_incidents(&world).await), (12, 12, 0));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_large_removal_that_a_second_sweep_shows_again_is_carried_out(db: TestDb) {
    let world = mirrored_shop(db).await;
    delete(&world, &ids(&world)[10..30]);
    assert_eq!(world.sync_as(RunKind::Sweep).await.verdict, Some(Verdict::Partial));

    let second = world.sync_as(RunKind::Sweep).await;

    assert_clean(&second, Verdict::Complete);
    assert_eq!((second.counts.removed, held_incidents(&world).await), (20, 0));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn nothing_that_goes_wrong_in_any_kind_of_run_removes_anything(db: TestDb) {
    let world = mirrored_shop(db).await;
    let before = world.mirror().await;
    for kind in [RunKind::Sweep, RunKind::Full, RunKind::Incremental] {
        for fault in ["empty", "cut", "garbage", "html", "repeat", "500", "403", "ack-error"] {
            for calls in ["", "@1", "@2", "@2x2", "@3+", "@5+", "@6x3"] {
                let fault = format!("{fault}{calls}");
                world.shop.set_faults(vec![fault.parse().expect("a fault")]);
                let run = world.sync_as(kind).await;
                assert_eq!((run.counts.removed, removed(&world).await.len()), (0, 0), "{kind} {fault}: {run:?}");
                world.shop.set_faults(Vec::new());
                world.db.clock.advance(TimeDelta::days(1));
                if run.state.unfinished() || run.error_class == Some(ErrorClass::Unauthorized) {
                    runs::cancel(&world.db, run.id, "the next fault", world.syncer.clock.now()).await.expect("a queue");
                    world.sync_as(RunKind::Sweep).await;
                }
            }
        }
    }
    assert_clean(&world.sync_as(RunKind::Full).await, Verdict::Complete);
    assert!(world.mirror().await == before);
}

async fn a_store_that_refuses_the_order_and_keeps_it_is_read_whole(db: TestDb) {
    let shop = SimulatorConfig {
        products: PRODUCTS,
        refused_selectors: vec!["OrderBy".to_owned()],
        ..SimulatorConfig::default()
    };
    let world = World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "10")]).await;

    let run = world.sync_as(RunKind::Full).await;

    // It lists them in order all the same, which is what counts.
    assert_clean(&run, Verdict::Complete);
    assert_eq!(world.errors().await, Vec::<String>::new());
}
