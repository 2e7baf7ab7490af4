//! `netosync sync` beside a daemon.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use netosync::domain::run::{RunState, Trigger, Verdict};
use netosync::simulator::SimulatedStore;
use netosync::storage::{instances, runs};
use serde_json::Value;

use crate::support::{Ended, Machine, PATIENCE, machine_with_store, small_pages};

/// A process of ours that does not outlive the test.
struct Started(Child);

impl Started {
    fn of(mut command: Command) -> Self {
        command.env("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("the program starts"))
    }

    fn sync(machine: &Machine) -> Self {
        let mut command = machine.std_command();
        command.args(["sync", "main", "--json"]);
        Self::of(command)
    }

    fn daemon(machine: &Machine) -> Self {
        let mut command = machine.std_command();
        command.arg("run");
        Self::of(command)
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(status.expect("every system has kill").success());
    }

    /// Waits for the end.
    fn ended(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.0.stdout.take().expect("it is piped").read_to_string(&mut stdout).expect("text");
        self.0.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("text");
        Ended { code: self.0.wait().expect("our own child").code(), stdout, stderr }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended already, unless the test failed or wants it dead.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Holds the store's answer to call `number` back until told; says when the call is there.
fn hold(shop: &SimulatedStore, number: u64) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((arrived, asked), (go, answer)) = (mpsc::channel(), mpsc::channel());
    shop.before_call(number, move |_| {
        arrived.send(()).expect("the test waits");
        answer.recv_timeout(PATIENCE).expect("the test goes on");
    });
    (asked, go)
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Waits until the daemon is on the list.
async fn is_registered(machine: &Machine) {
    let db = machine.database().await;
    until("a daemon on the list", async || instances::any_alive(&db, db.clock().now()).await.expect("readable")).await;
    db.close().await;
}

/// Pauses the schedule, so that the only run is the one a person asks for.
async fn only_by_hand(machine: &Machine) {
    machine.execute("UPDATE stores SET schedule_full = '0 0 29 2 *'").await;
    machine
        .execute(
            "INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at, started_at, finished_at) \
             SELECT 1, 'full', 'schedule', 'failed', t, t, t, t FROM (SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now') AS t)",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_begins_at_once_what_a_person_triggers_and_the_command_follows_it_to_its_end() {
    let (machine, _shop) = machine_with_store(small_pages()).await;
    only_by_hand(&machine).await;
    let daemon = Started::daemon(&machine);
    is_registered(&machine).await;
    let synced = Started::sync(&machine).ended();
    assert_eq!(synced.code, Some(0), "{synced:?}");
    let said = synced.json();
    assert_eq!(
        (&said["state"], &said["verdict"], &said["seen"]),
        (&"succeeded".into(), &"complete".into(), &80.into())
    );
    let db = machine.database().await;
    let run = runs::newest(&db, None, 1).await.expect("readable").remove(0);
    let worker = format!(":{}:", daemon.0.id());
    assert!(run.lease_owner.as_ref().is_some_and(|owner| owner.contains(&worker)), "{run:?}");
    assert_eq!((run.trigger, run.attempt, run.verdict), (Trigger::Manual, 1, Some(Verdict::Complete)));
    daemon.signal("TERM");
    let stopped = daemon.ended();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(instances::list(&db).await.expect("readable").is_empty(), "it has left the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_stops_watching_a_daemon_stops_nothing_else() {
    let (machine, shop) = machine_with_store(small_pages()).await;
    only_by_hand(&machine).await;
    let (asked, go) = hold(&shop, 3);
    let _daemon = Started::daemon(&machine);
    is_registered(&machine).await;
    let sync = Started::sync(&machine);
    asked.recv_timeout(PATIENCE).expect("the third call");
    sync.signal("INT");
    let ended = sync.ended();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("goes on with run 2"), "{ended:?}");
    assert_eq!(ended.json()["run_id"], Value::Null);
    go.send(()).expect("the call waits");
    let db = machine.database().await;
    until("the run ends", async || {
        runs::get(&db, 2).await.expect("readable").is_some_and(|run| run.verdict == Some(Verdict::Complete))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_takes_over_the_run_of_a_daemon_that_stops_and_of_one_that_is_killed() {
    for signal in ["TERM", "KILL"] {
        let (machine, shop) = machine_with_store(small_pages()).await;
        only_by_hand(&machine).await;
        let (asked, go) = hold(&shop, 3);
        let daemon = Started::daemon(&machine);
        is_registered(&machine).await;
        let sync = Started::sync(&machine);
        asked.recv_timeout(PATIENCE).expect("the third call");
        daemon.signal(signal);
        if signal == "KILL" {
            // Time passes for the dead only: nobody has to wait for a lease and three signs of life here.
            drop(daemon);
            let long_ago = "'2026-01-01T00:00:00.000+00:00'";
            machine.execute(&format!("UPDATE instances SET seen_at = {long_ago}")).await;
            machine.execute(&format!("UPDATE runs SET lease_expires_at = {long_ago} WHERE state = 'running'")).await;
            go.send(()).expect("the call waits");
        } else {
            go.send(()).expect("the call waits");
            assert_eq!(daemon.ended().code, Some(0));
        }
        let synced = sync.ended();
        assert_eq!(synced.code, Some(0), "{signal}: {synced:?}");
        assert_eq!((&synced.json()["seen"], &synced.json()["run_id"]), (&80.into(), &2.into()), "{signal}");
        let db = machine.database().await;
        let run = runs::get(&db, 2).await.expect("readable").expect("it stays");
        assert_eq!((run.state, run.counts.pages), (RunState::Succeeded, 17), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_asked_for_silence_holds_up_no_other_store_of_the_command() {
    let (machine, _shop) = machine_with_store(small_pages()).await;
    let db = machine.database().await;
    // The first store rests for an hour; the second is the same shop under another name.
    machine
        .execute(
            "INSERT INTO stores (name, connector, url, calls_per_minute, created_at, change_seq) \
             SELECT 'a-second', connector, url, calls_per_minute, created_at, 0 FROM stores",
        )
        .await;
    machine
        .execute(
            "INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at, error_class, error) \
             SELECT 2, 'full', 'manual', 'queued', '2999-01-01T00:00:00.000+00:00', t, 'rate_limited', 'HTTP 429' \
             FROM (SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now') AS t)",
        )
        .await;
    let mut command = machine.std_command();
    command.args(["sync", "--all", "--json"]).env("NETOSYNC__WORKER__SLOTS", "1");
    let sync = Started::of(command);
    until("the other store is synced", async || {
        let run = runs::newest(&db, Some(1), 1).await.expect("readable").pop();
        run.is_some_and(|run| run.verdict == Some(Verdict::Complete))
    })
    .await;
    sync.signal("INT");
    let ended = sync.ended();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("a-second: interrupted; run 1 stays in the queue"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_daemon_works_on_is_cancelled_and_the_daemon_goes_on() {
    let (machine, shop) = machine_with_store(small_pages()).await;
    only_by_hand(&machine).await;
    let (asked, go) = hold(&shop, 3);
    let mut command = machine.std_command();
    command.arg("run").env("NETOSYNC__WORKER__LEASE_SECS", "5");
    let daemon = Started::of(command);
    is_registered(&machine).await;
    let follower = Started::sync(&machine);
    asked.recv_timeout(PATIENCE).expect("the third call");
    // The store never answers; the worker hears of it with its next sign of life.
    let cancelled = machine.run(&["runs", "cancel", "2"]);
    assert_eq!((cancelled.code, cancelled.stdout.trim()), (Some(0), "cancelled run 2"), "{cancelled:?}");
    let followed = follower.ended();
    assert_eq!((followed.code, &followed.json()["state"]), (Some(1), &"cancelled".into()), "{followed:?}");
    let db = machine.database().await;
    let run = runs::get(&db, 2).await.expect("readable").expect("it stays");
    assert_eq!((run.state, run.counts.pages, run.lease_expires_at), (RunState::Cancelled, 2, None));
    go.send(()).expect("the call waits");
    let synced = Started::sync(&machine).ended();
    assert_eq!((synced.code, &synced.json()["run_id"]), (Some(0), &3.into()), "{synced:?}");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code, Some(0));
}
