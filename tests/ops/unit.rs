//! The unit fits the program it starts.

use std::collections::BTreeMap;

use netosync::config::Config;

const UNIT: &str = include_str!("../../systemd/netosync.service");

/// The value of a setting that stands once.
fn setting(name: &str) -> &'static str {
    let values: Vec<_> = UNIT.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect();
    assert_eq!(values.len(), 1, "{name}");
    values[0]
}

fn secs(name: &str) -> u32 {
    setting(name).parse().expect("whole seconds")
}

fn defaults() -> Config {
    Config::from_parts(None, &BTreeMap::new()).expect("valid")
}

#[test]
fn a_killed_service_is_back_before_the_leases_of_its_runs_are_over_and_those_are_over_in_time() {
    let lease = defaults().worker.lease_secs;
    // Work goes on when both have passed: the restart, with some seconds for the check and the start, and the lease.
    assert!(secs("RestartSec") + 5 <= lease && lease <= 18, "{lease}");
    assert_eq!(setting("Restart"), "on-failure");
    // A database that is away makes each start last a minute, which must never use the starts up.
    let (within, starts) = (secs("StartLimitIntervalSec"), secs("StartLimitBurst"));
    assert!(starts * secs("RestartSec") < within && within / 60 < starts);
}

#[test]
fn systemd_waits_longer_than_the_service_takes() {
    assert!(secs("TimeoutStopSec") > 2 * 10, "a drain takes 10 seconds at most");
    // Fed twice within that time, from a task of its own, however seldom the schedule is looked at.
    assert!(secs("WatchdogSec") >= 60 && secs("WatchdogSec") > 4 * defaults().schedule.tick_secs);
}

#[test]
fn a_reload_is_the_signal_that_the_service_answers_with_reloading() {
    assert_eq!((setting("Type"), setting("NotifyAccess")), ("notify", "main"));
    assert_eq!(setting("ExecReload"), "/bin/kill -HUP $MAINPID");
}
