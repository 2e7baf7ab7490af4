//! `netosync run` reads its configuration again at SIGHUP.

use std::sync::mpsc;

use netosync::clock::{Clock, SystemClock};
use netosync::domain::run::{RunKind, Trigger, Verdict};
use netosync::storage::runs;

use crate::run::only_run;
use crate::service::Service;
use crate::support::{Machine, PATIENCE, machine_with_store, small_pages};
use crate::systemd::Systemd;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_keeps_its_settings_and_the_next_one_has_the_new_ones() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    machine.write("my.toml", "[schedule]\ntick_secs = 1\n");
    let (arrived, asked) = mpsc::channel();
    let (go, answer) = mpsc::channel();
    simulated.before_call(3, move |_| {
        arrived.send(()).expect("the test waits");
        answer.recv_timeout(PATIENCE).expect("the test goes on");
    });
    let systemd = Systemd::on(&machine);
    let service = Service::start(&machine, &["--config", "my.toml"], &[systemd.setting()]);
    asked.recv_timeout(PATIENCE).expect("the third call");

    machine.write("my.toml", "[schedule]\ntick_secs = 1\n[fetch]\nmax_pages = 2\ntimeout_secs = 80\n");
    service.signal("HUP");
    let line = service.says("read the configuration again");
    assert!(line.contains("fetch.max_pages, fetch.timeout_secs"), "{line}");
    go.send(()).expect("the call waits");

    systemd.hear("STATUS=0 of 4 slots");
    assert_eq!(only_run(&machine).await.verdict, Some(Verdict::Complete));
    let db = machine.database().await;
    runs::enqueue(&db, 1, RunKind::Full, Trigger::Manual, SystemClock.now()).await.expect("queued");
    db.close().await;
    service.says("the list does not end within fetch.max_pages = 2");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn the_log_filter_changes_and_a_key_that_cannot_is_named() {
    let machine = Machine::new();
    machine.write("my.toml", "[log]\nfilter = \"error\"\n");
    let systemd = Systemd::on(&machine);
    let service = Service::start(&machine, &["--config", "my.toml"], &[systemd.setting()]);
    systemd.hear("READY=1");
    let text = "[log]\nfilter = \"info\"\n[http]\nlisten = \"127.0.0.1:1\"\n[secrets]\nkey_file = \"/hunter2\"\n";
    machine.write("my.toml", text);
    service.signal("HUP");
    assert!(service.says("read the configuration again").contains("log.filter"));
    let line = service.says("in use only after a restart");
    assert!(line.contains("WARN") && line.contains("http.listen, secrets.key_file"), "{line}");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn a_configuration_that_does_not_load_changes_nothing_and_is_one_line() {
    let machine = Machine::new();
    machine.write("my.toml", "[worker]\nslots = 3\n");
    let service = Service::start(&machine, &["--config", "my.toml"], &[]);
    service.says("with 3 slots");
    machine.write("my.toml", "[log]\nfilter = \"error\"\n[worker]\nslots = 0\n");
    service.signal("HUP");
    let line = service.says("the configuration stays as it was");
    assert!(line.contains("ERROR") && line.contains("worker.slots = 0 (from my.toml)"), "{line}");
    std::fs::remove_file(machine.path().join("my.toml")).expect("our file");
    service.signal("HUP");
    assert!(service.says("the configuration stays as it was").contains("my.toml cannot be read"));
    service.signal("TERM");
    service.says("stopping after the page under way");
    assert_eq!(service.ended(), Some(0));
}
