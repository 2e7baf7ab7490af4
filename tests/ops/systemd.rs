//! What `netosync run` tells systemd, heard on a real socket.

use std::os::unix::net::UnixDatagram;

use netosync::clock::{Clock, SystemClock};
use netosync::domain::run::{RunKind, Trigger, Verdict};
use netosync::storage::runs;

use crate::run::only_run;
use crate::service::Service;
use crate::support::{Machine, PATIENCE, machine_with_store, small_pages};

/// The other end of `NOTIFY_SOCKET`.
pub struct Systemd {
    socket: UnixDatagram,
    path: String,
}

impl Systemd {
    pub fn on(machine: &Machine) -> Self {
        let path = machine.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket, path: path.display().to_string() }
    }

    /// The setting that leads to it.
    pub fn setting(&self) -> (&str, &str) {
        ("NOTIFY_SOCKET", &self.path)
    }

    /// The next thing it is told, whatever it is.
    pub fn next(&self) -> String {
        let mut bytes = [0; 1024];
        let length = self.socket.recv(&mut bytes).expect("it is told something");
        String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned()
    }

    /// The next thing it is told about `subject`; others are passed over.
    pub fn hear(&self, subject: &str) -> String {
        std::iter::repeat_with(|| self.next()).find(|heard| heard.contains(subject)).expect("it goes on for ever")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_tells_systemd_and_serves_a_run_that_somebody_else_queues() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    machine.execute("UPDATE stores SET paused_at = '2026-11-21T09:00:00.000+00:00'").await;
    let systemd = Systemd::on(&machine);
    let service = Service::start(&machine, &[], &[systemd.setting(), ("NETOSYNC__SCHEDULE__TICK_SECS", "1")]);
    assert_eq!(systemd.next(), "READY=1");
    systemd.hear("STATUS=0 of 4 slots");
    assert_eq!(simulated.calls_made(), 0, "a paused store is left alone");
    let db = machine.database().await;
    runs::enqueue(&db, 1, RunKind::Full, Trigger::Manual, SystemClock.now()).await.expect("queued");
    db.close().await;
    systemd.hear("STATUS=1 of 4 slots");
    systemd.hear("STATUS=0 of 4 slots");
    service.signal("TERM");
    systemd.hear("STOPPING=1");
    assert_eq!(service.ended(), Some(0));
    let run = only_run(&machine).await;
    assert_eq!((run.verdict, run.trigger), (Some(Verdict::Complete), Trigger::Manual));
}

#[test]
fn the_service_says_that_it_is_up_alive_reloading_and_stopping_in_that_order() {
    let machine = Machine::new();
    let systemd = Systemd::on(&machine);
    let service = Service::start(&machine, &[], &[systemd.setting(), ("WATCHDOG_USEC", "100000")]);
    let next = || std::iter::repeat_with(|| systemd.next()).find(|heard| heard != "WATCHDOG=1").expect("more to come");
    assert_eq!(next(), "READY=1");
    assert_eq!(next(), "STATUS=0 of 4 slots at work, 0 queued");
    for _ in 0..2 {
        systemd.hear("WATCHDOG=1");
    }
    service.signal("HUP");
    assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(next(), "READY=1");
    systemd.hear("WATCHDOG=1");
    service.signal("TERM");
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(service.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_of_another_process_is_not_fed() {
    let (machine, _simulated) = machine_with_store(small_pages()).await;
    let systemd = Systemd::on(&machine);
    let watchdog = [("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let settings = [systemd.setting(), watchdog[0], watchdog[1], ("NETOSYNC__SCHEDULE__TICK_SECS", "1")];
    let service = Service::start(&machine, &[], &settings);
    let next = || systemd.next();
    assert_eq!(next(), "READY=1");
    assert!(next().starts_with("STATUS=1 of 4 slots at work, 0 queued"));
    // By the next tick the store has its next moment.
    let later: Vec<_> = std::iter::repeat_with(next).take_while(|heard| !heard.contains(", next run ")).collect();
    assert!(later.iter().all(|heard| heard.starts_with("STATUS=")), "{later:?}");
    service.signal("TERM");
    assert_eq!(systemd.hear("=1"), "STOPPING=1");
    assert_eq!(service.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_begins_and_ends_for_systemd_even_when_the_configuration_is_broken() {
    let machine = Machine::new();
    machine.write("my.toml", "");
    let systemd = Systemd::on(&machine);
    let service = Service::start(&machine, &["--config", "my.toml"], &[systemd.setting()]);
    assert_eq!(systemd.next(), "READY=1");
    for text in ["[worker]\nslots = 3\n", "[worker]\nslots = 0\n"] {
        machine.write("my.toml", text);
        service.signal("HUP");
        let heard = systemd.hear("RELOADING=1");
        let since = heard.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|text| text.parse::<u64>().ok());
        assert!(since.is_some(), "{heard}");
        assert_eq!(systemd.hear("=1"), "READY=1");
    }
    service.signal("TERM");
    assert_eq!(systemd.hear("=1"), "STOPPING=1");
    assert_eq!(service.ended(), Some(0));
}
