//! `netosync run`.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use netosync::domain::run::{Run, RunState, Trigger, Verdict};
use netosync::storage::runs;

use crate::service::Service;
use crate::support::{Machine, PATIENCE, machine_with_store, small_pages};

pub async fn only_run(machine: &Machine) -> Run {
    let db = machine.database().await;
    let runs = runs::newest(&db, None, 10).await.expect("readable");
    db.close().await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.into_iter().next().expect("one run")
}

async fn products(machine: &Machine) -> u64 {
    let db = machine.database().await;
    let count = netosync::storage::products::count(&db, 1).await.expect("readable");
    db.close().await;
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn run_once_syncs_what_is_due_and_nothing_when_nothing_is() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(0));
    let run = only_run(&machine).await;
    assert_eq!(
        (run.state, run.trigger, run.verdict),
        (RunState::Succeeded, Trigger::Schedule, Some(Verdict::Complete))
    );
    assert_eq!(products(&machine).await, 80);
    let calls = simulated.calls_made();
    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(0));
    assert_eq!((only_run(&machine).await.id, simulated.calls_made()), (run.id, calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_once_ends_with_the_gravest_outcome() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    simulated.set_faults(vec!["revoke@1".parse().expect("a fault")]);
    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(5));
    assert_eq!(only_run(&machine).await.state, RunState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_run_gives_it_back_uncounted_and_the_next_start_goes_on_there() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    // The third call is answered once the service has taken note of the signal, so what happens does not depend on time.
    let (arrived, asked) = mpsc::channel();
    let (go, answer) = mpsc::channel();
    simulated.before_call(3, move |_| {
        arrived.send(()).expect("the test waits");
        answer.recv_timeout(PATIENCE).expect("the test goes on");
    });
    let service = Service::start(&machine, &[], &[]);
    asked.recv_timeout(PATIENCE).expect("the third call");
    let asked_to_stop = Instant::now();
    service.signal("TERM");
    service.says("stopping after the page under way");
    go.send(()).expect("the call waits");
    assert_eq!(service.ended(), Some(0));
    assert!(asked_to_stop.elapsed() < Duration::from_secs(10), "{:?}", asked_to_stop.elapsed());
    let run = only_run(&machine).await;
    assert_eq!((run.state, run.attempt, run.counts.pages), (RunState::Queued, 0, 3));
    // Pages of 8 that begin with a product of the one before them: 8, 6 and 4 new ones.
    let place = run.checkpoint.and_then(|at| at.listed.place);
    assert_eq!((place.map(|place| place.position), run.lease_owner), (Some(18), None));
    assert_eq!((products(&machine).await, simulated.calls_made()), (18, 3));

    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(0));
    let run = only_run(&machine).await;
    assert_eq!((run.verdict, run.attempt, run.counts.seen), (Some(Verdict::Complete), 1, 80));
    let asked: Vec<_> = simulated.calls().iter().map(|call| (call.page, call.limit)).collect();
    assert!(!asked[..3].contains(&asked[3]), "no page is asked for twice: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_leaves_at_once_and_the_run_is_taken_over_later() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    let (arrived, asked) = mpsc::channel();
    let (_go, answer) = mpsc::channel::<()>();
    simulated.before_call(3, move |_| {
        arrived.send(()).expect("the test waits");
        // Never answered: the test ends, and with it the waiting.
        answer.recv_timeout(PATIENCE).expect_err("nobody answers");
    });
    let service = Service::start(&machine, &[], &[]);
    asked.recv_timeout(PATIENCE).expect("the third call");
    service.signal("TERM");
    service.says("once more leaves at once");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(130));
    let run = only_run(&machine).await;
    assert_eq!((run.state, run.counts.pages), (RunState::Running, 2), "its lease runs out by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_does_not_end_the_service() {
    let (machine, _simulated) = machine_with_store(small_pages()).await;
    machine.execute("UPDATE stores SET paused_at = '2026-11-21T09:00:00.000+00:00'").await;
    let service = Service::start(&machine, &[], &[("NETOSYNC__SCHEDULE__TICK_SECS", "1")]);
    service.says("serving 1 stores");
    machine.execute("ALTER TABLE runs RENAME TO away").await;
    service.says("trying again until it works");
    machine.execute("ALTER TABLE away RENAME TO runs").await;
    service.says("the database works again");
    machine.execute("UPDATE stores SET paused_at = NULL").await;
    service.says("run ended, complete");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}
