//! No call without a live lease: a process that stood still for longer than its lease asks the store for nothing more.

use chrono::TimeDelta;
use netosync::domain::run::{RunState, Verdict};
use netosync::simulator::{Fault, SimulatorConfig};
use netosync::storage::Database;
use netosync::storage::runs::{self, Claim};
use tokio_util::sync::CancellationToken;

use crate::support::process::Desk;
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_worker_that_stood_still_makes_no_call_once_another_has_the_run,
    a_worker_that_stood_still_goes_on_when_nobody_has_taken_the_run_over,
    a_stopped_process_that_is_continued_makes_no_call,
);

async fn shop(db: TestDb, faults: &[&str]) -> World {
    let faults = faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect();
    let shop = SimulatorConfig { products: 20, quirks: true, faults, ..SimulatorConfig::default() };
    World::with(db, shop, &[("NETOSYNC__FETCH__PAGE_SIZE", "4")]).await
}

async fn a_worker_that_stood_still_makes_no_call_once_another_has_the_run(db: TestDb) {
    // The third call fails, which is tried again at once; before that the worker stands still for longer than its lease.
    let world = shop(db, &["503@3"]).await;
    world.enqueue(&world.store).await;
    let (run, lease) = world.claim("worker-1").await.expect("it is due");
    let (id, clock, url) = (run.id, world.db.clock.clone(), world.db.url().clone());
    let silence = world.syncer.config.worker.lease() + TimeDelta::seconds(1);
    world.shop.before_call(3, move |_| {
        clock.advance(silence);
        let claiming = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let db = Database::connect(&url, "netosync", clock.clone()).await.expect("it opens again");
                let lease_for = TimeDelta::seconds(15);
                let claim = Claim { owner: "worker-2", lease_for, only: None, limit: 1, now: db.clock().now() };
                runs::claim(&db, &claim).await.expect("the database works").pop().expect("the lease has run out");
            });
        });
        claiming.join().expect("no panic");
    });

    world.syncer.execute(run, lease, &CancellationToken::new()).await.expect("a lost lease is no error");

    assert_eq!(world.shop.calls_made(), 3, "the budget is the other worker's now");
    let run = world.run(id).await;
    assert_eq!((run.state, run.lease_owner.as_deref(), run.counts.pages), (RunState::Running, Some("worker-2"), 2));
}

async fn a_worker_that_stood_still_goes_on_when_nobody_has_taken_the_run_over(db: TestDb) {
    let world = shop(db, &["503@3"]).await;
    let (clock, silence) = (world.db.clock.clone(), world.syncer.config.worker.lease() * 10);
    world.shop.before_call(3, move |_| clock.advance(silence));

    let run = world.sync().await;

    assert_eq!((run.verdict, run.attempt, run.lease_epoch), (Some(Verdict::Complete), 1, 1));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

/// The same with a real process, a real `SIGSTOP` and leases that really run out.
async fn a_stopped_process_that_is_continued_makes_no_call(db: TestDb) {
    let desk = Desk::new(db, 45, &[("NETOSYNC__FETCH__PAGE_SIZE", "10")]).await;
    desk.world.shop.set_faults(vec!["503@3".parse().expect("a fault")]);
    let stopped = desk.sync_stopped_at_call(3).await;
    // Waits until the lease has run out, takes the run over and ends it.
    let output = desk.sync_to_the_end().await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let made = desk.world.shop.calls_made();

    let status = stopped.continued().await;

    assert_eq!(desk.world.shop.calls_made(), made, "the continued process has called the shop");
    assert_eq!(status.code(), Some(0), "it sees how the run ended");
    assert_eq!(desk.world.errors().await, Vec::<String>::new());
}
