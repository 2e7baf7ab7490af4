//! Many want the same at once.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use netosync::storage::runs;
use serde_json::Value;

use crate::support::process::Desk;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(processes_that_trigger_at_once_share_one_run_and_end_alike);

const CROWD: usize = 60;

/// A test that waits longer than this waits for ever.
const HANGS: Duration = Duration::from_mins(3);

/// Reads until the process says that it works on the run or has found it; then what is left of its log.
fn until_it_is_there(log: ChildStderr) -> impl Iterator<Item = String> {
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let there = lines.any(|line| line.contains("attached to the unfinished run") || line.contains(" ready "));
    assert!(there, "a process ended before it was there");
    lines
}

/// Exit code and result of a process that ends.
fn outcome(mut process: Child) -> (Option<i32>, Value) {
    let mut said = String::new();
    process.stdout.take().expect("it is piped").read_to_string(&mut said).expect("text");
    let code = process.wait().expect("our own child").code();
    (code, serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
}

async fn processes_that_trigger_at_once_share_one_run_and_end_alike(db: TestDb) {
    let desk = Desk::new(db, 40, &[("NETOSYNC__FETCH__PAGE_SIZE", "10")]).await;
    // The third call is answered when all are there: who comes after the run has ended starts another, rightly.
    let (go, answer) = mpsc::channel();
    desk.world.shop.before_call(3, move |_| answer.recv_timeout(HANGS).expect("the test goes on"));
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|_| desk.sync().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"))
        .collect();
    let logs: Vec<_> = crowd.iter_mut().map(|process| process.stderr.take().expect("it is piped")).collect();

    let outcomes = tokio::task::spawn_blocking(move || {
        let coming: Vec<_> = logs.into_iter().map(|log| std::thread::spawn(|| until_it_is_there(log))).collect();
        let there: Vec<_> = coming.into_iter().map(|one| one.join().expect("it is there")).collect();
        go.send(()).expect("the call waits");
        for log in there {
            std::thread::spawn(move || log.count());
        }
        crowd.into_iter().map(outcome).collect::<Vec<_>>()
    });
    let outcomes = tokio::time::timeout(HANGS, outcomes).await.expect("they end").expect("no panic");

    let (code, said) = &outcomes[0];
    assert_eq!((*code, &said["verdict"], &said["seen"]), (Some(0), &"complete".into(), &40.into()));
    assert!(outcomes.iter().all(|outcome| outcome == &outcomes[0]), "{outcomes:#?}");
    assert_eq!(runs::newest(&desk.world.db, None, 10).await.expect("readable").len(), 1);
    assert_eq!(said["calls"], desk.world.shop.calls_made());
}
