//! Never more calls in a rolling minute than the budget, and none during a silence: measured at the shop.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use netosync::clock::Clock;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Lease, Run, RunState, Verdict};
use netosync::simulator::{Fault, SimulatorConfig};
use netosync::storage::crypter::{Crypter, MasterKey};
use netosync::storage::runs::{self, Cancelled, Claim};
use netosync::storage::stores::{self, Change, StoreChanges};
use netosync::sync::Syncer;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::virtual_clock::VirtualClock;
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines, start_of_time, watch};

on_both_engines!(
    no_rolling_minute_has_more_calls_than_the_budget_whatever_becomes_of_the_runs,
    workers_that_take_the_run_from_each_other_share_one_budget,
    a_silence_holds_for_the_next_run_of_the_store_too,
    a_raised_budget_reaches_a_run_that_waits_for_its_turn,
);

/// Few enough that a page a call takes minutes.
const LIMIT: u32 = 7;

/// A shop that counts and a worker with [`LIMIT`] calls a minute, on a clock on which waiting takes no time.
async fn counted(db: TestDb, products: usize, settings: &[(&str, &str)]) -> (World, Arc<VirtualClock>) {
    let clock = VirtualClock::new(start_of_time());
    let limit = LIMIT.to_string();
    let own = [
        ("NETOSYNC__BUDGET__CALLS_PER_MINUTE", limit.as_str()),
        ("NETOSYNC__FETCH__PAGE_SIZE", "2"),
        ("NETOSYNC__WORKER__MAX_ATTEMPTS", "100"),
        ("NETOSYNC__WORKER__SLICE_SECS", "20"),
        ("NETOSYNC__RETRY__ATTEMPTS", "2"),
    ];
    // The shop answers 429 should it be one too many.
    let shop = SimulatorConfig { products, calls_per_minute: Some(LIMIT), ..SimulatorConfig::default() };
    let keys = Crypter::new(MasterKey::generate(), Vec::new());
    let world = World::on_clock(db, shop, &[&own, settings].concat(), keys, clock.clone()).await;
    (world, clock)
}

/// The most calls in any minute, both ends included.
fn busiest_minute(world: &World) -> usize {
    let times: Vec<DateTime<Utc>> = world.shop.calls().iter().map(|call| call.at).collect();
    let within =
        |from: usize| times[from..].iter().take_while(|at| **at - times[from] <= TimeDelta::minutes(1)).count();
    (0..times.len()).map(within).max().unwrap_or_default()
}

fn too_many(world: &World) -> usize {
    world.shop.calls().iter().filter(|call| call.status == Some(429) && call.fault.is_none()).count()
}

/// One worker, whose runs are stopped, retried, snoozed, yielded and dropped in the middle, in no particular order.
async fn no_rolling_minute_has_more_calls_than_the_budget_whatever_becomes_of_the_runs(db: TestDb) {
    let (world, clock) = counted(db, 60, &[]).await;
    let faults = ["503@4x3", "429@12", "cut@17", "503@22x2", "429:retry-after=61@30", "503@36x4", "html@44"];
    world.shop.set_faults(faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect());
    // Somebody always waits, so that every slice ends with a yield.
    let other = world.another_store("another").await;
    let far = world.enqueue(&other).await;
    let (mut returns, mut ended) = (0, 0);
    while ended < 2 {
        let queued = world.enqueue(&world.store).await;
        let due = queued.scheduled_at.max(clock.now());
        clock.advance((due - clock.now()).to_std().expect("not in the past"));
        let (run, lease) = claim(&world, "worker-1", queued.id).await.expect("it is due");
        let (id, stop) = (run.id, CancellationToken::new());
        returns += 1;
        match returns % 5 {
            // A stop while a call is under way; a worker that vanishes with its calls, and whose lease runs out.
            0 => {
                let stop = stop.clone();
                world.shop.before_call(world.shop.calls_made() + 2, move |_| stop.cancel());
            }
            3 => {
                let (gone, vanishes) = tokio::sync::oneshot::channel::<()>();
                world.shop.before_call(world.shop.calls_made() + 2, move |_| drop(gone));
                tokio::select! {
                    worked = world.syncer.execute(run, lease, &stop) => worked.expect("the database works"),
                    _ = vanishes => clock.advance(Duration::from_millis(15_001)),
                }
                ended += usize::from(!world.run(id).await.state.unfinished());
                continue;
            }
            _ => {}
        }
        world.syncer.execute(run, lease, &stop).await.expect("the database works");
        ended += usize::from(!world.run(id).await.state.unfinished());
    }
    assert_eq!((busiest_minute(&world), too_many(&world)), (LIMIT as usize, 0), "in {returns} pieces");
    assert!(returns > 12, "{returns}");
    assert_eq!(world.run(far.id).await.state, RunState::Queued);
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn claim(world: &World, owner: &str, run: i64) -> Option<(Run, Lease)> {
    let lease_for = world.syncer.config.worker.lease();
    let claim = Claim { owner, lease_for, only: Some(run), limit: 1, now: world.syncer.clock.now() };
    runs::claim(&world.db, &claim).await.expect("the database works").pop()
}

/// Up to four workers on one database. Waiting for the budget takes longer than a lease, so whoever waits may lose the
/// run to another; and the other way round.
async fn workers_that_take_the_run_from_each_other_share_one_budget(db: TestDb) {
    let settings = [("NETOSYNC__WORKER__LEASE_SECS", "5"), ("NETOSYNC__FETCH__PAGE_SIZE", "4")];
    let (world, clock) = counted(db, 40, &settings).await;
    let world = Arc::new(world);
    for workers in 1..=4 {
        // Which waits end first is the machine's affair, so now and then a run stays with whoever has it. Not five times in a row.
        let mut changed_hands = false;
        for _ in 0..5 {
            let run = worked_on_by(workers, &world, &clock).await;
            assert_eq!((run.verdict, run.counts.seen), (Some(Verdict::Complete), 40), "{workers} workers: {run:?}");
            assert!(busiest_minute(&world) <= LIMIT as usize, "{workers} workers");
            assert_eq!(too_many(&world), 0, "{workers} workers");
            changed_hands = run.attempt > 1;
            if workers == 1 || changed_hands {
                break;
            }
        }
        assert_eq!(changed_hands, workers > 1, "{workers} workers take the run from each other");
    }
    assert_eq!(world.errors().await, Vec::<String>::new());
}

/// A run that so many workers claim whenever it is to be had, until it has ended.
async fn worked_on_by(workers: u32, world: &Arc<World>, clock: &Arc<VirtualClock>) -> Run {
    let run = world.enqueue(&world.store).await.id;
    let mut crew = JoinSet::new();
    for number in 0..workers {
        let (world, clock) = (world.clone(), clock.clone());
        let worker = Syncer { owner: format!("worker-{number}"), ..world.syncer.clone() };
        crew.spawn(async move {
            loop {
                // Before the look at the run: its end is a move of the clock too, and must not go unheard in between.
                let moves = clock.moves();
                if !world.run(run).await.state.unfinished() {
                    break;
                }
                match claim(&world, &worker.owner, run).await {
                    Some((run, lease)) => {
                        worker.execute(run, lease, &CancellationToken::new()).await.expect("the database works");
                        // Whoever looks on sees that the run may be over.
                        clock.advance(Duration::from_millis(1));
                    }
                    None => moves.await,
                }
            }
        });
    }
    while let Some(worked) = crew.join_next().await {
        worked.expect("no panic");
    }
    world.run(run).await
}

async fn a_silence_holds_for_the_next_run_of_the_store_too(db: TestDb) {
    let shop = SimulatorConfig { products: 20, ..SimulatorConfig::default() };
    let world = World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "4")]).await;
    world.shop.set_faults(vec!["429:retry-after=600@3".parse().expect("a fault")]);
    let resting = world.sync().await;
    let silent_until = stores::load_store(&world.db, world.store.id).await.expect("it is there").silent_until;
    let silent_until = silent_until.expect("the store has asked for silence");
    assert!((silent_until - resting.scheduled_at).abs() < TimeDelta::seconds(1), "{silent_until} {resting:?}");
    let cancelled = runs::cancel(&world.db, resting.id, "a person", world.syncer.clock.now()).await.expect("it waits");
    assert_eq!(cancelled, Cancelled::AtOnce);
    watch::begin(&world.db).await;

    world.db.clock.advance(TimeDelta::minutes(9));
    let next = world.sync().await;

    assert_ne!(next.id, resting.id);
    assert_eq!((next.state, next.error_class, next.attempt), (RunState::Queued, Some(ErrorClass::RateLimited), 0));
    assert!((next.scheduled_at - silent_until).abs() < TimeDelta::seconds(1), "as long as asked: {next:?}");
    assert_eq!((world.shop.calls_made(), next.counts.calls), (3, 0));

    world.db.clock.advance(TimeDelta::minutes(2));
    assert_eq!(world.sync().await.verdict, Some(Verdict::Complete));
}

async fn a_raised_budget_reaches_a_run_that_waits_for_its_turn(db: TestDb) {
    let shop = SimulatorConfig { products: 20, ..SimulatorConfig::default() };
    let world = World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "4"), ("NETOSYNC__WORKER__LEASE_SECS", "5")]);
    let world = world.await;
    let limit = |calls| StoreChanges { calls_per_minute: Change::Set(calls), ..StoreChanges::default() };
    stores::change_store(&world.db, "shop", &limit(1)).await.expect("changed");
    let (db, begun) = ((*world.db).clone(), world.db.clock.instant());
    let (run, ()) = tokio::join!(world.sync(), async {
        stores::change_store(&db, "shop", &limit(1_000_000)).await.expect("changed");
    });

    assert_eq!(run.verdict, Some(Verdict::Complete));
    assert!(world.db.clock.instant() - begun < Duration::from_mins(1), "a single call at the old limit takes longer");
}
