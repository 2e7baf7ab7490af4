//! `http.listen`: the pages of `netosync run`, over real sockets.

use std::net::TcpListener;
use std::sync::mpsc;

use crate::pages::{get, line, scrape, send};
use crate::service::Service;
use crate::support::{Machine, PATIENCE, machine_with_store, small_pages};
use crate::systemd::Systemd;

const LISTEN: (&str, &str) = ("NETOSYNC__HTTP__LISTEN", "127.0.0.1:0");

/// Where the pages of a service are, by its log.
pub fn address(service: &Service) -> String {
    let line = service.says("/metrics are on http://");
    line.split("http://").nth(1).and_then(|rest| rest.split([' ', ';']).next()).expect("an address").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_in_the_middle_of_a_run_and_one_after_it_show_exactly_what_happened() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    let (arrived, asked) = mpsc::channel();
    let (go, answer) = mpsc::channel();
    simulated.before_call(3, move |_| {
        arrived.send(()).expect("the test waits");
        answer.recv_timeout(PATIENCE).expect("the test goes on");
    });
    simulated.set_faults(vec!["500@5".parse().expect("a fault")]);
    let systemd = Systemd::on(&machine);
    let fast = ("NETOSYNC__RETRY__INITIAL_MS", "1");
    let service = Service::start(&machine, &[], &[LISTEN, systemd.setting(), fast]);
    let address = address(&service);
    asked.recv_timeout(PATIENCE).expect("the third call");

    let during = scrape(&address);
    for (series, value) in [
        ("netosync_pages_total", 2.0),
        ("netosync_rows_total{effect=\"inserted\"}", 14.0),
        ("netosync_calls_total{status=\"2xx\"}", 2.0),
        ("netosync_call_duration_seconds_count", 2.0),
        ("netosync_runs_total{kind=\"full\",outcome=\"complete\"}", 0.0),
        ("netosync_queue_runs{state=\"running\"}", 1.0),
        ("netosync_queue_runs{state=\"due\"}", 0.0),
        ("netosync_slots", 4.0),
        ("netosync_slots_busy", 1.0),
        ("netosync_database_up", 1.0),
        ("netosync_instances", 1.0),
        ("netosync_credentials{state=\"ok\"}", 1.0),
        ("netosync_store_paused{store=\"main\"}", 0.0),
        ("netosync_store_age_seconds{store=\"main\"}", f64::INFINITY),
    ] {
        assert_eq!(during.get(series), Some(&value), "{series}: {during:#?}");
    }
    let lease = during["netosync_lease_remaining_seconds{store=\"main\"}"];
    assert!(lease > 0.0 && lease <= 15.0, "{lease}");
    assert!(during["netosync_run_age_seconds{store=\"main\"}"] >= 0.0);
    assert!(during["netosync_budget_calls_left{store=\"main\"}"] >= 0.0);
    go.send(()).expect("the call waits");
    systemd.hear("STATUS=0 of 4 slots");

    let after = scrape(&address);
    for (series, value) in [
        ("netosync_rows_total{effect=\"inserted\"}", 80.0),
        ("netosync_rows_total{effect=\"quarantined\"}", 0.0),
        ("netosync_calls_total{status=\"5xx\"}", 1.0),
        ("netosync_failed_calls_total{class=\"transient\"}", 1.0),
        ("netosync_failed_calls_total{class=\"unauthorized\"}", 0.0),
        ("netosync_runs_total{kind=\"full\",outcome=\"complete\"}", 1.0),
        ("netosync_runs_total{kind=\"full\",outcome=\"failed\"}", 0.0),
        ("netosync_slots_busy", 0.0),
    ] {
        assert_eq!(after.get(series), Some(&value), "{series}: {after:#?}");
    }
    let calls: f64 = after.iter().filter(|(name, _)| name.starts_with("netosync_calls_total")).map(|(_, n)| n).sum();
    assert_eq!(calls.to_string(), simulated.calls_made().to_string());
    assert!(!get(&address, "/metrics").body.contains(simulated.key()));
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_drains_is_alive_but_not_ready_and_can_still_be_scraped() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    let (arrived, asked) = mpsc::channel();
    let (go, answer) = mpsc::channel();
    simulated.before_call(3, move |_| {
        arrived.send(()).expect("the test waits");
        answer.recv_timeout(PATIENCE).expect("the test goes on");
    });
    let service = Service::start(&machine, &[], &[LISTEN]);
    let address = address(&service);
    asked.recv_timeout(PATIENCE).expect("the third call");
    assert_eq!(line(&address, "/readyz"), (200, "netosync is ready".to_owned()));
    service.signal("TERM");
    service.says("stopping after the page under way");
    assert_eq!(line(&address, "/readyz"), (503, "netosync is stopping".to_owned()));
    assert_eq!(line(&address, "/healthz"), (200, "netosync is alive".to_owned()));
    assert_eq!(scrape(&address).get("netosync_pages_total"), Some(&2.0));
    go.send(()).expect("the call waits");
    assert_eq!(service.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_are_not_served() {
    let machine = Machine::new();
    let service = Service::start(&machine, &[], &[LISTEN]);
    let address = address(&service);
    machine.execute("INSERT INTO netosync_migrations (version, applied_at) VALUES ('m20991231_000001_later', 0)").await;
    let (status, reason) = line(&address, "/readyz");
    assert!(status == 503 && reason.contains("newer netosync"), "{reason}");
    assert_eq!(line(&address, "/healthz").0, 200);
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn other_paths_methods_and_large_heads_are_refused_and_a_silent_client_is_in_nobodys_way() {
    let machine = Machine::new();
    let service = Service::start(&machine, &[], &[LISTEN]);
    let address = address(&service);
    let silent = std::net::TcpStream::connect(&address).expect("somebody listens");
    let (status, said) = line(&address, "/metrics/../etc/passwd");
    assert_eq!((status, said.as_str()), (404, "there are /healthz, /readyz and /metrics"));
    assert_eq!(line(&address, "/").0, 404);
    let post = format!("POST /healthz HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(send(&address, post.as_bytes()).status, 405);
    let large = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    assert_eq!(send(&address, large.as_bytes()).status, 431);
    let healthy = get(&address, "/healthz");
    assert!(healthy.status == 200 && !healthy.head.contains("server:"), "{healthy:?}");
    drop(silent);
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn a_port_in_use_ends_the_start_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let machine = Machine::new();
    let mut command = machine.command(&["run"]);
    let ended = crate::support::Ended::of(command.env(LISTEN.0, &address).output().expect("it starts"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&format!("http.listen = {address}: another program listens there")), "{ended:?}");
}

#[test]
fn check_says_whether_the_address_is_free_taken_or_our_own() {
    let machine = Machine::new();
    let check = |address: &str| {
        let mut command = machine.command(&["check"]);
        crate::support::Ended::of(command.env(LISTEN.0, address).output().expect("it starts"))
    };
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let foreign = taken.local_addr().expect("an address").to_string();
    // Whoever it is, it is not us.
    drop(std::thread::spawn(move || taken.incoming().for_each(drop)));
    let ended = check(&foreign);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stdout.contains(&format!("problem  http.listen: http.listen = {foreign}: another program")),
        "{ended:?}"
    );
    let ended = check("127.0.0.1:0");
    assert!(ended.code == Some(0) && ended.stdout.contains("ok       http.listen: 127.0.0.1:0 is free"), "{ended:?}");
    let service = Service::start(&machine, &[], &[LISTEN]);
    let ours = address(&service);
    let ended = check(&ours);
    let said = format!("ok       http.listen: netosync answers on {ours}");
    assert!(ended.code == Some(0) && ended.stdout.contains(&said), "{ended:?}");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn an_address_that_others_reach_is_warned_of() {
    let machine = Machine::new();
    let service = Service::start(&machine, &[], &[(LISTEN.0, "0.0.0.0:0")]);
    let line = service.says("/metrics are on http://0.0.0.0:");
    assert!(line.contains("WARN") && line.contains("names of your stores"), "{line}");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}
