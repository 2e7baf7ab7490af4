//! What an audit finds, repairs, says, and never touches.

use chrono::TimeDelta;
use netosync::domain::audit::{AuditFindings, AuditRequest, DifferenceKind};
use netosync::domain::confidence::least_right;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Counts, Run, RunKind, RunState, Trigger, Verdict};
use netosync::simulator::SimulatorConfig;
use netosync::storage::{overview, runs};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::support::mirrored::{Texts, execute, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    an_exact_copy_is_identical_and_an_audit_of_it_writes_nothing,
    a_vandalised_copy_is_told_exactly_and_then_repaired,
    what_the_store_has_changed_since_the_last_sync_is_told_apart,
    a_sample_says_as_much_as_it_can_and_a_seed_repeats_it,
    an_audit_that_is_interrupted_at_any_call_finds_and_repairs_the_same,
    nothing_that_goes_wrong_makes_an_audit_remove_or_accuse,
    more_than_the_guard_allows_is_not_removed_by_an_audit_either,
    a_copy_that_was_never_made_lacks_everything,
    an_audit_and_a_sync_of_a_store_take_turns,
    a_store_that_cuts_every_answer_short_is_audited_by_id_and_loses_nothing,
    a_refused_key_ends_an_audit_and_flags_the_key,
    a_sync_is_not_judged_by_the_audits_after_it,
);

const PRODUCTS: usize = 40;
const PAGES: &[(&str, &str)] = &[("NETOSYNC__FETCH__PAGE_SIZE", "10"), ("NETOSYNC__FETCH__SWEEP_PAGE_SIZE", "16")];
const ALL: AuditRequest = AuditRequest { sample: None, seed: 1, repair: false };
const REPAIR: AuditRequest = AuditRequest { repair: true, ..ALL };

async fn mirrored_shop(db: TestDb) -> World {
    let shop = SimulatorConfig { products: PRODUCTS, quirks: true, ..SimulatorConfig::default() };
    let world = World::with(db, shop, PAGES).await;
    assert_eq!(world.sync().await.verdict, Some(Verdict::Complete));
    world.db.clock.advance(TimeDelta::hours(1));
    world
}

async fn enqueue(world: &World, request: AuditRequest) -> Run {
    let now = world.syncer.clock.now();
    runs::enqueue_audit(&world.db, world.store.id, &request, now).await.expect("a queue").0
}

async fn audit(world: &World, request: AuditRequest) -> Run {
    enqueue(world, request).await;
    let run = world.work_once(&world.syncer).await;
    assert_adds_up(&run);
    run
}

#[track_caller]
fn assert_adds_up(run: &Run) {
    let Counts { seen, inserted, updated, unchanged, quarantined, .. } = run.counts;
    assert_eq!(seen, inserted + updated + unchanged + quarantined, "{run:?}");
}

fn findings(run: &Run) -> &AuditFindings {
    run.audit_findings.as_deref().unwrap_or_else(|| panic!("no findings: {run:?}"))
}

/// Product, kind and field of each difference.
fn named(run: &Run) -> Vec<(i64, &str, Option<&str>)> {
    let differences = findings(run).differences.iter();
    differences.map(|found| (found.inventory_id, found.kind.as_str(), found.field.as_deref())).collect()
}

fn ids(world: &World) -> Vec<i64> {
    world.shop.with_catalogue(|catalogue| catalogue.ids().collect())
}

/// Everything an audit must leave alone.
async fn state(world: &World) -> Vec<Texts> {
    let mut state = Vec::new();
    for sql in [
        "SELECT CAST(inventory_id AS TEXT), CAST(changed_at AS TEXT), CAST(removed_at AS TEXT), CAST(default_price AS TEXT) \
         FROM products ORDER BY inventory_id",
        "SELECT CAST(COUNT(*) AS TEXT) FROM product_changes",
        "SELECT CAST(starts_at AS TEXT), CAST(updated_at AS TEXT) FROM cursors",
        "SELECT CAST(as_of AS TEXT), CAST(overlap_secs AS TEXT), CAST(change_seq AS TEXT) FROM stores",
        "SELECT CAST(COUNT(*) AS TEXT) FROM quarantine",
        "SELECT CAST(COUNT(*) AS TEXT) FROM findings",
    ] {
        state.extend(texts(&world.db, sql).await);
    }
    state
}

/// The products a call has asked for by ID, since call `since`.
fn fetched(world: &World, since: u64) -> Vec<i64> {
    let calls = world.shop.calls().into_iter().skip(usize::try_from(since).expect("few"));
    let mut fetched: Vec<i64> = calls.flat_map(|call| call.ids).collect();
    fetched.sort_unstable();
    fetched.dedup();
    fetched
}

async fn an_exact_copy_is_identical_and_an_audit_of_it_writes_nothing(db: TestDb) {
    let world = mirrored_shop(db).await;
    let before = state(&world).await;

    let run = audit(&world, ALL).await;

    assert_eq!((run.verdict, &run.error, run.kind), (Some(Verdict::Complete), &None, RunKind::Audit), "{run:?}");
    let found = findings(&run);
    assert_eq!((found.among, found.identical, found.different), (PRODUCTS as u64, PRODUCTS as u64, 0));
    assert_eq!((found.ids.at_store, found.ids.held), (PRODUCTS as u64, PRODUCTS as u64));
    assert!(found.ids.whole && found.ids.store_digest == found.ids.held_digest, "{found:?}");
    assert!(found.clean() && found.at_least() >= 1.0, "{found:?}");
    assert_eq!((run.counts.seen, run.counts.unchanged), (PRODUCTS as i64, PRODUCTS as i64));
    assert!(state(&world).await == before);

    let repaired = audit(&world, REPAIR).await;
    assert_eq!((repaired.verdict, repaired.counts.unchanged), (Some(Verdict::Complete), PRODUCTS as i64));
    assert!(state(&world).await == before, "there was nothing to repair");
}

/// What [`vandalise`] has done, as an audit should tell it: differences, products not held, products not at the store.
struct Done {
    named: Vec<(i64, &'static str, Option<&'static str>)>,
    lost: i64,
    invented: i64,
}

/// Changes a price, a text and a list, and gives a product another ID, without a word to any hash.
async fn vandalise(world: &World, round: i64) -> Done {
    let all = ids(world);
    let with_stock = "SELECT CAST(MIN(inventory_id) AS TEXT) FROM product_stock WHERE inventory_id > ";
    let stocked = texts(&world.db, &format!("{with_stock}{}", all[10])).await;
    let stocked: i64 = stocked[0][0].as_ref().expect("quirks have stock").parse().expect("a number");
    let (price, name, lost) = (all[3], all[5], all[7]);
    let invented = lost + 1_000_000 + round;
    for sql in [
        format!("UPDATE products SET default_price = 4321.5 WHERE inventory_id = {price}"),
        format!("UPDATE products SET cost_price = 1, brand = 'Nobody' WHERE inventory_id = {name}"),
        format!("UPDATE product_texts SET seo_page_title = 'vandal' WHERE inventory_id = {name}"),
        format!("DELETE FROM product_stock WHERE inventory_id = {stocked}"),
        format!("UPDATE products SET inventory_id = {invented} WHERE inventory_id = {lost}"),
    ] {
        execute(&world.db, &sql).await;
    }
    let named = vec![
        (price, "moved", Some("default_price")),
        (name, "wrong", Some("brand")),
        (name, "wrong", Some("cost_price")),
        (name, "wrong", Some("seo_page_title")),
        (stocked, "moved", Some("product_stock")),
        (invented, "absent", None),
    ];
    Done { named, lost, invented }
}

#[track_caller]
fn assert_tells(run: &Run, done: &Done) {
    assert_eq!(named(run), done.named, "{run:?}");
    let found = findings(run);
    assert_eq!((found.different, found.moved, found.edited.products), (4, 2, 0));
    assert_eq!((found.ids.not_held.products, &found.ids.not_held.first), (1, &vec![done.lost]));
    assert_eq!((found.ids.not_listed.products, &found.ids.not_listed.first), (1, &vec![done.invented]));
    assert_ne!(found.ids.store_digest, found.ids.held_digest);
}

async fn a_vandalised_copy_is_told_exactly_and_then_repaired(db: TestDb) {
    let world = mirrored_shop(db).await;
    let done = vandalise(&world, 0).await;
    let before = state(&world).await;

    let told = audit(&world, ALL).await;

    assert_tells(&told, &done);
    assert_eq!(told.verdict, Some(Verdict::Partial));
    let why = told.error.as_deref().expect("a reason");
    assert!(why.contains("4 of 40 compared products") && why.contains("--repair"), "{why}");
    assert_eq!((told.counts.seen, told.counts.unchanged), (36, 36), "what differs is not stored, so it is not seen");
    assert!(state(&world).await == before, "nothing was asked to be repaired");

    let repaired = audit(&world, REPAIR).await;

    assert_tells(&repaired, &done);
    assert_eq!((repaired.verdict, &repaired.error), (Some(Verdict::Repaired), &None));
    let Counts { inserted, updated, removed, .. } = repaired.counts;
    assert_eq!((inserted, updated, removed), (1, 3, 1));
    assert_eq!(world.errors().await, Vec::<String>::new());
    let sql = format!(
        "SELECT kind, CAST(inventory_id AS TEXT), CAST(fields AS TEXT) FROM product_changes WHERE run_id = {} \
         ORDER BY product_changes.seq",
        repaired.id
    );
    let feed = texts(&world.db, &sql).await;
    let kinds: Vec<_> = feed.iter().map(|line| line[0].as_deref().expect("a kind")).collect();
    assert_eq!(kinds, ["changed", "changed", "changed", "added", "removed"]);
    assert!(feed[0][2].as_ref().is_some_and(|fields| fields.contains("4321.5")), "from the vandal's price: {feed:?}");

    let clean = audit(&world, ALL).await;
    assert_eq!((clean.verdict, findings(&clean).clean()), (Some(Verdict::Complete), true));
}

async fn what_the_store_has_changed_since_the_last_sync_is_told_apart(db: TestDb) {
    let world = mirrored_shop(db).await;
    let (all, now) = (ids(&world), world.syncer.clock.now());
    let new = world.shop.with_catalogue(|catalogue| {
        assert!(catalogue.rename(all[5], "Another", now));
        catalogue.add(1, now)
    });

    let edited = audit(&world, ALL).await;

    let found = findings(&edited);
    assert_eq!((edited.verdict, found.identical, found.different), (Some(Verdict::Complete), 39, 0), "{found:?}");
    assert_eq!((&found.edited.first, &found.ids.new.first), (&vec![all[5]], &new));
    assert!(found.at_least() >= 1.0 && found.differences.is_empty(), "{found:?}");

    world.shop.with_catalogue(|catalogue| assert!(catalogue.move_stock(all[6])));
    // An edit that the last sync should have brought: the store's date is newer than ours, but not newer than the sync.
    let old = "2001-01-01T00:00:00+00:00";
    execute(
        &world.db,
        &format!("UPDATE products SET name = 'Old', date_updated = '{old}' WHERE inventory_id = {}", all[9]),
    )
    .await;

    let moved = audit(&world, ALL).await;

    let found = findings(&moved);
    assert_eq!((moved.verdict, found.identical, found.different, found.moved), (Some(Verdict::Partial), 37, 2, 1));
    assert_eq!(found.edited.first, [all[5]]);
    let kind_of = |id: i64| found.differences.iter().find(|found| found.inventory_id == id).expect("named").kind;
    assert_eq!((kind_of(all[6]), kind_of(all[9])), (DifferenceKind::Moved, DifferenceKind::Wrong));

    let repaired = audit(&world, REPAIR).await;
    assert_eq!((repaired.verdict, repaired.counts.updated, repaired.counts.inserted), (Some(Verdict::Repaired), 3, 1));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_sample_says_as_much_as_it_can_and_a_seed_repeats_it(db: TestDb) {
    let world = mirrored_shop(db).await;
    let mut samples = Vec::new();
    for seed in [7, 7, 8] {
        let calls = world.shop.calls_made();
        let run = audit(&world, AuditRequest { sample: Some(12), seed, repair: false }).await;
        let found = findings(&run);
        assert_eq!((run.verdict, found.identical, found.among), (Some(Verdict::Complete), 12, PRODUCTS as u64));
        assert!((found.at_least() - least_right(40, 12, 0)).abs() < 1e-9 && found.at_least() < 0.9, "{found:?}");
        samples.push(fetched(&world, calls));
    }
    assert_eq!(samples[0], samples[1]);
    // Beside them, the first product of the list is asked for, which is there for sure.
    assert!((12..=13).contains(&samples[0].len()), "{samples:?}");
    assert_ne!(samples[0], samples[2]);
    assert_eq!(findings(&audit(&world, AuditRequest { sample: Some(400), ..ALL }).await).identical, PRODUCTS as u64);
}

/// Lets a worker die, or be stopped, while it makes its call `number` from now. `false` when it made no such call.
async fn interrupted(world: &World, number: u64, killed: bool) -> bool {
    let (run, lease) = world.claim("worker-1").await.expect("it is due");
    let (stop, (tell, told)) = (CancellationToken::new(), oneshot::channel());
    world.shop.before_call(world.shop.calls_made() + number, {
        let stop = stop.clone();
        move |_| {
            if killed {
                let _ = tell.send(());
                // Whoever waits for this answer is gone by now, or does not get it in time.
                std::thread::sleep(std::time::Duration::from_millis(20));
            } else {
                stop.cancel();
            }
        }
    });
    let id = run.id;
    {
        let work = std::pin::pin!(world.syncer.execute(run, lease, &stop));
        tokio::select! {
            biased;
            Ok(()) = told => {}
            worked = work => worked.expect("the database works"),
        }
    }
    world.db.clock.advance(world.syncer.config.worker.lease() + TimeDelta::seconds(1));
    world.run(id).await.state.unfinished()
}

async fn an_audit_that_is_interrupted_at_any_call_finds_and_repairs_the_same(db: TestDb) {
    let world = mirrored_shop(db).await;
    let mut stopped = 0;
    for round in 1.. {
        let done = vandalise(&world, i64::try_from(round).expect("small")).await;
        let id = enqueue(&world, REPAIR).await.id;
        let unfinished = interrupted(&world, round, round % 2 == 0).await;
        if unfinished {
            stopped += 1;
            world.work_once(&world.syncer).await;
        }
        let run = world.run(id).await;
        assert_tells(&run, &done);
        assert_adds_up(&run);
        let Counts { seen, inserted, updated, unchanged, removed, .. } = run.counts;
        assert_eq!((seen, inserted, updated, unchanged, removed), (40, 1, 3, 36, 1), "call {round}: {run:?}");
        assert_eq!((run.verdict, &run.error), (Some(Verdict::Repaired), &None), "call {round}");
        assert_eq!(world.errors().await, Vec::<String>::new(), "call {round}");
        if !unfinished {
            break;
        }
    }
    assert!(stopped >= 10, "only {stopped} calls");
}

async fn nothing_that_goes_wrong_makes_an_audit_remove_or_accuse(db: TestDb) {
    let world = mirrored_shop(db).await;
    let before = world.mirror().await;
    for fault in ["empty", "cut", "garbage", "html", "repeat", "500", "403", "ack-error"] {
        for calls in ["", "@1", "@2", "@2x2", "@3+", "@5+", "@6x3"] {
            let fault = format!("{fault}{calls}");
            world.shop.set_faults(vec![fault.parse().expect("a fault")]);
            let run = audit(&world, REPAIR).await;
            let Counts { inserted, updated, removed, .. } = run.counts;
            assert_eq!((inserted, updated, removed), (0, 0, 0), "{fault}: {run:?}");
            if let Some(found) = &run.audit_findings {
                assert_eq!(found.different, 0, "{fault}: {run:?}");
                assert!(found.clean() || run.verdict == Some(Verdict::Partial), "{fault}: {run:?}");
            }
            world.shop.set_faults(Vec::new());
            world.db.clock.advance(TimeDelta::days(1));
            if run.state.unfinished() || run.error_class == Some(ErrorClass::Unauthorized) {
                runs::cancel(&world.db, run.id, "the next fault", world.syncer.clock.now()).await.expect("a queue");
                world.sync_as(RunKind::Sweep).await;
            }
        }
    }
    assert_eq!(audit(&world, ALL).await.verdict, Some(Verdict::Complete));
    assert!(world.mirror().await == before);
}

async fn more_than_the_guard_allows_is_not_removed_by_an_audit_either(db: TestDb) {
    let world = mirrored_shop(db).await;
    let gone = ids(&world)[10..21].to_vec();
    world.shop.with_catalogue(|catalogue| assert!(gone.iter().all(|id| catalogue.delete(*id))));

    let run = audit(&world, REPAIR).await;

    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 0), "{run:?}");
    assert!(run.error.as_ref().is_some_and(|why| why.contains("--approve-removals")), "{run:?}");
    let found = findings(&run);
    assert_eq!((&found.ids.not_listed.first, found.different), (&gone, 11));
    assert!(found.differences.iter().all(|found| found.kind == DifferenceKind::Absent), "{found:?}");
}

async fn a_copy_that_was_never_made_lacks_everything(db: TestDb) {
    let shop = SimulatorConfig { products: PRODUCTS, ..SimulatorConfig::default() };
    let world = World::with(db, shop, PAGES).await;

    let run = audit(&world, ALL).await;

    let found = findings(&run);
    assert_eq!((run.verdict, found.among, found.ids.not_held.products), (Some(Verdict::Partial), 0, PRODUCTS as u64));
    assert_eq!(found.identity(), "nothing was compared");
    assert_eq!(world.mirror().await.len(), 0);

    let made = audit(&world, REPAIR).await;
    assert_eq!((made.verdict, made.counts.inserted), (Some(Verdict::Repaired), PRODUCTS as i64));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn an_audit_and_a_sync_of_a_store_take_turns(db: TestDb) {
    let world = mirrored_shop(db).await;
    let sweep = world.enqueue_kind(&world.store, RunKind::Sweep).await;
    let found = enqueue(&world, ALL).await;
    assert_eq!((found.id, found.kind, found.audit_request), (sweep.id, RunKind::Sweep, None), "it keeps its kind");
    assert_eq!(world.work_once(&world.syncer).await.verdict, Some(Verdict::Complete));

    let queued = enqueue(&world, ALL).await;
    assert_eq!((queued.kind, queued.audit_request), (RunKind::Audit, Some(ALL)));
    let full = world.enqueue_kind(&world.store, RunKind::Full).await;
    assert_eq!((full.id, full.kind), (queued.id, RunKind::Audit), "an audit is not made a sync");
    let now = world.syncer.clock.now();
    let due = runs::enqueue(&world.db, world.store.id, RunKind::Full, Trigger::Schedule, now).await.expect("a queue");
    assert_eq!((due.0.id, due.1), (queued.id, false));
    assert_eq!(world.work_once(&world.syncer).await.state, RunState::Succeeded);
}

async fn a_store_that_cuts_every_answer_short_is_audited_by_id_and_loses_nothing(db: TestDb) {
    let shop = SimulatorConfig { products: PRODUCTS, page_cap: Some(5), ..SimulatorConfig::default() };
    let world = World::with(db, shop, PAGES).await;
    world.sync().await;
    assert_eq!(world.errors().await, Vec::<String>::new());
    let gone = ids(&world)[30];
    world.shop.with_catalogue(|catalogue| assert!(catalogue.delete(gone)));
    let price = ids(&world)[12];
    execute(&world.db, &format!("UPDATE products SET brand = 'Nobody' WHERE inventory_id = {price}")).await;

    let run = audit(&world, REPAIR).await;

    let found = findings(&run);
    assert_eq!(named(&run), [(price, "wrong", Some("brand")), (gone, "absent", None)]);
    assert_eq!((found.identical, found.ids.whole), (38, false), "{run:?}");
    assert_eq!((run.verdict, run.counts.updated, run.counts.removed), (Some(Verdict::Partial), 1, 0), "{run:?}");
}

async fn a_refused_key_ends_an_audit_and_flags_the_key(db: TestDb) {
    let world = mirrored_shop(db).await;
    let before = state(&world).await;
    world.shop.set_faults(vec!["403".parse().expect("a fault")]);
    enqueue(&world, ALL).await;
    let run = loop {
        let run = world.work_once(&world.syncer).await;
        if !run.state.unfinished() {
            break run;
        }
        world.db.clock.advance(run.scheduled_at - world.syncer.clock.now());
    };

    assert_eq!((run.verdict, run.error_class), (None, Some(ErrorClass::Unauthorized)), "{run:?}");
    assert!(run.audit_findings.is_none() && state(&world).await == before);
}

async fn a_sync_is_not_judged_by_the_audits_after_it(db: TestDb) {
    let world = mirrored_shop(db).await;
    vandalise(&world, 0).await;
    assert_eq!(audit(&world, ALL).await.verdict, Some(Verdict::Partial));

    let overview = overview::of_store(&world.db, "shop").await.expect("it is there");

    for run in [overview.last_ended, overview.last_succeeded] {
        assert_eq!(run.map(|run| (run.kind, run.verdict)), Some((RunKind::Full, Some(Verdict::Complete))));
    }
    enqueue(&world, ALL).await;
    let overview = overview::of_store(&world.db, "shop").await.expect("it is there");
    assert_eq!(overview.unfinished.map(|run| run.kind), Some(RunKind::Audit));
}
