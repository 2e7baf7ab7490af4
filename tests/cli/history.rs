//! `netosync status`, `runs` and `quarantine`.

use netosync::simulator::SimulatorConfig;
use serde_json::json;

use crate::support::{Desk, KEY};

#[test]
fn a_store_without_a_run_and_one_with_are_told_apart() {
    let desk = Desk::new();
    let empty = desk.run(&["status"]).exits(0);
    assert!(empty.out.is_empty() && empty.err.contains("netosync store add"), "{empty:?}");
    assert_eq!(desk.json(&["status", "--json"]), json!([]));
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["status"]).exits(0).says(&["main", "never synced"]);
    desk.run(&["sync", "main"]).exits(0);
    let status = &desk.json(&["status", "main", "--json"])[0];
    assert_eq!(
        (&status["state"], &status["products"], &status["verdict"]),
        (&json!("ok"), &json!(5), &json!("complete"))
    );
    assert!(status["as_of"].is_string() && status["age_secs"].as_i64().is_some_and(|age| age >= 0), "{status}");
    assert_eq!((&status["why_not"], &status["error_class"]), (&json!([]), &json!(null)));
    assert_eq!(desk.run(&["status", "main"]).exits(0).out.lines().count(), 2);
    desk.run(&["status", "other"]).exits(1).complains(&["store list"]);
}

#[test]
fn a_store_that_fails_says_why_and_keeps_its_last_success() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main"]).exits(0);
    let as_of = desk.json(&["status", "--json"])[0]["as_of"].clone();
    desk.close(shop);
    desk.run(&["sync", "main"]).exits(7);
    let status = &desk.json(&["status", "--json"])[0];
    assert_eq!(
        (&status["state"], &status["error_class"], &status["as_of"]),
        (&json!("failing"), &json!("transient"), &as_of)
    );
    assert!(status["why_not"][0].as_str().is_some_and(|why| why.contains("failed: no connection")), "{status}");
    assert_eq!(status["verdict"], "complete");
}

#[test]
fn a_store_whose_worker_died_is_not_said_to_run() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main", "--detach"]).exits(0);
    assert_eq!(desk.json(&["status", "--json"])[0]["state"], "queued");
    desk.sql(
        "UPDATE runs SET state = 'running', lease_owner = 'worker', lease_expires_at = '2999-01-01T00:00:00+00:00'",
    );
    assert_eq!(desk.json(&["status", "--json"])[0]["state"], "running");
    desk.run(&["runs", "retry", "1"]).exits(1).complains(&["being worked on", "netosync sync main"]);
    desk.sql("UPDATE runs SET lease_expires_at = '2020-01-01T00:00:00+00:00'");
    desk.run(&["status"]).exits(0).says(&["queued", "has lost its worker"]);
    desk.run(&["runs", "cancel", "1"]).exits(0);
    let run = desk.json(&["runs", "show", "1", "--json"]);
    assert_eq!((&run["state"], &run["lease_owner"]), (&json!("cancelled"), &json!(null)));
}

#[test]
fn runs_are_listed_shown_and_cancelled_while_they_wait() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    assert_eq!(desk.json(&["runs", "list", "--json"]), json!([]));
    let synced = desk.json(&["sync", "main", "--json"]);
    desk.run(&["sync", "main", "--detach"]).exits(0);
    let runs = desk.json(&["runs", "list", "main", "--json"]);
    assert_eq!((&runs[0]["state"], &runs[1]["state"]), (&json!("queued"), &json!("succeeded")));
    for (name, value) in synced.as_object().expect("an object") {
        assert_eq!(&runs[1][name], value, "{name}");
    }
    assert!(runs[1]["started_at"].is_string() && runs[1]["finished_at"].is_string());
    assert_eq!(desk.json(&["runs", "list", "--limit", "1", "--json"]), json!([runs[0]]));
    assert_eq!(desk.json(&["runs", "show", "1", "--json"]), runs[1]);
    desk.run(&["runs", "list"]).exits(0).says(&["RUN", "succeeded", "queued"]);
    desk.run(&["runs", "show", "1"]).exits(0).says(&["verdict", "complete", "products seen"]);

    desk.run(&["runs", "cancel", "2"]).exits(0).says(&["cancelled run 2"]);
    desk.run(&["runs", "cancel", "2"]).exits(1).complains(&["over already"]);
    desk.run(&["runs", "cancel", "3"]).exits(1).complains(&["runs list"]);
    desk.run(&["runs", "show", "3"]).exits(1).complains(&["runs list"]);
    desk.run(&["status"]).exits(0).says(&["failing", "run 2 was cancelled: cancelled by the operator"]);
    // The place in the queue is free again.
    assert_eq!(desk.json(&["sync", "main", "--json"])["run_id"], 3);
}

#[test]
fn a_run_that_failed_or_rests_is_tried_again_when_a_person_says_so() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main"]).exits(0);
    desk.run(&["runs", "retry", "1"]).exits(1).complains(&["run 1 succeeded", "netosync sync main"]);
    desk.sql("UPDATE runs SET state = 'failed'");
    desk.run(&["runs", "retry", "1"]).exits(0).says(&["queued run 2 of store main"]);
    desk.run(&["runs", "retry", "1"]).exits(0).says(&["run 2 of store main is queued already"]);
    desk.sql("UPDATE runs SET scheduled_at = '2999-01-01T00:00:00.000+00:00', error_class = 'transient' WHERE id = 2");
    desk.run(&["runs", "retry", "2"]).exits(0).says(&["run 2 of store main is due now"]);
    desk.sql(
        "UPDATE runs SET scheduled_at = '2999-01-01T00:00:00.000+00:00', error_class = 'rate_limited' WHERE id = 2",
    );
    desk.run(&["runs", "retry", "2"]).exits(1).complains(&["has to wait until 2999-01-01"]);
    desk.run(&["runs", "cancel", "2"]).exits(0);
    desk.run(&["runs", "retry", "2"]).exits(0).says(&["queued run 3"]);
    desk.run(&["runs", "retry", "4"]).exits(1).complains(&["runs list"]);
}

#[test]
fn old_runs_are_forgotten_and_a_dry_run_only_counts_them() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    for _ in 0..3 {
        desk.run(&["sync", "main"]).exits(0);
    }
    desk.run(&["db", "prune"]).exits(0).says(&["forgot 0 runs"]);
    desk.sql("UPDATE runs SET finished_at = '2020-01-01T00:00:00.000+00:00'");
    desk.run(&["db", "prune", "--dry-run"]).exits(0).says(&["would forget 2 runs"]);
    assert_eq!(desk.json(&["runs", "list", "--json"]).as_array().map(Vec::len), Some(3));
    desk.run(&["db", "prune"]).exits(0).says(&["forgot 2 runs"]);
    assert_eq!(desk.json(&["runs", "list", "--json"])[0]["run_id"], 3);
    desk.run(&["db", "prune"]).exits(0).says(&["forgot 0 runs"]);
}

#[test]
fn instances_are_listed_below_the_stores_and_by_themselves() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    assert_eq!(desk.json(&["status", "--instances", "--json"]), json!([]));
    let none = desk.run(&["status", "--instances"]).exits(0);
    assert!(none.out.is_empty() && none.err.contains("netosync run"), "{none:?}");
    desk.sql(
        "INSERT INTO instances (name, host, pid, version, started_at, seen_at, slots, running) VALUES
         ('here:7:aa', 'here', 7, '0.1.0', '2026-01-01T00:00:00.000+00:00', '2026-01-01T00:00:00.000+00:00', 4, 2),
         ('there:8:bb', 'there', 8, '0.1.0', '2026-01-02T00:00:00.000+00:00', '2999-01-01T00:00:00.000+00:00', 4, 0)",
    );
    desk.run(&["status"]).exits(0).says(&[
        "main",
        "INSTANCE",
        "here:7:aa",
        "not seen",
        "2 of 4",
        "there:8:bb",
        "alive",
    ]);
    assert_eq!(desk.json(&["status", "--json"]).as_array().map(Vec::len), Some(1), "stores only");
    let listed = desk.json(&["status", "--instances", "--json"]);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["alive"], &listed[1]["alive"], &listed[1]["pid"]),
        (&json!("here:7:aa"), &json!(false), &json!(true), &json!(8))
    );
}

#[test]
fn a_store_without_a_run_has_an_object_with_the_reason_and_the_others_go_on() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    let both = desk.run(&["sync", "nope", "main", "--json"]).exits(1);
    let lines: Vec<serde_json::Value> =
        both.out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!((&lines[0]["store"], &lines[0]["run_id"]), (&json!("nope"), &json!(null)));
    assert!(lines[0]["error"].as_str().is_some_and(|error| error.contains("no such store")), "{lines:?}");
    assert_eq!((&lines[1]["store"], &lines[1]["state"]), (&json!("main"), &json!("succeeded")));
    let keys = |line: &serde_json::Value| line.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&lines[0]), keys(&lines[1]));
    desk.run(&["store", "pause", "main"]).exits(0);
    let paused = desk.run(&["sync", "main", "--json"]).exits(1);
    assert!(paused.json()["error"].as_str().is_some_and(|error| error.contains("store resume main")), "{paused:?}");
}

#[test]
fn the_quarantine_is_listed_and_shown_as_sent_without_driving_the_terminal() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    let empty = desk.run(&["quarantine", "list"]).exits(0);
    assert!(empty.out.is_empty() && empty.err.contains("empty"), "{empty:?}");
    desk.sql(
        "INSERT INTO quarantine (store_id, inventory_id, reason, raw, at)
         SELECT id, 7, 'RRP: no number', '{\"RRP\": \"' || char(27) || '[2J\"}', '2026-01-01T00:00:00+00:00' FROM stores",
    );
    let list = desk.json(&["quarantine", "list", "main", "--json"]);
    assert_eq!(
        (&list[0]["inventory_id"], &list[0]["reason"], &list[0]["store"]),
        (&json!(7), &json!("RRP: no number"), &json!("main"))
    );
    assert!(list[0].get("raw").is_none());
    desk.run(&["quarantine", "list"]).exits(0).says(&["REASON", "RRP: no number"]);
    let shown = desk.run(&["quarantine", "show", "1"]).exits(0).says(&["RRP: no number", "[2J\"}"]);
    assert!(!shown.out.contains('\u{1b}'), "{shown:?}");
    assert_eq!(desk.json(&["quarantine", "show", "1", "--json"])["raw"], "{\"RRP\": \"\u{1b}[2J\"}");
    desk.run(&["quarantine", "show", "2"]).exits(1).complains(&["quarantine list"]);
    assert_eq!(desk.json(&["status", "--json"])[0]["quarantined"], 1);
}

#[test]
fn every_command_teaches_with_an_example() {
    let desk = Desk::new();
    let store =
        ["add", "list", "show", "check", "rekey", "set", "pause", "resume", "remove"].map(|sub| vec!["store", sub]);
    let others = [vec!["store"], vec!["status"], vec!["why"], vec!["runs"], vec!["quarantine"], vec!["sync"]];
    let subs = [
        vec!["runs", "list"],
        vec!["runs", "show"],
        vec!["runs", "cancel"],
        vec!["runs", "retry"],
        vec!["quarantine", "list"],
        vec!["quarantine", "show"],
        vec!["quarantine", "replay"],
        vec!["changes"],
        vec!["changes", "consumers"],
    ];
    for command in store.into_iter().chain(others).chain(subs) {
        let help = desk.run(&[&command[..], &["--help"]].concat()).exits(0);
        assert!(
            help.out.contains("Example") && help.out.contains(&format!("netosync {}", command.join(" "))),
            "{help:#?}"
        );
    }
}
