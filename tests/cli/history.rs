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
    desk.run(&["runs", "cancel", "1"]).exits(1).complains(&["being worked on by worker"]);
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
    let others = [vec!["store"], vec!["status"], vec!["runs"], vec!["quarantine"], vec!["sync"]];
    let subs = [
        vec!["runs", "list"],
        vec!["runs", "show"],
        vec!["runs", "cancel"],
        vec!["quarantine", "list"],
        vec!["quarantine", "show"],
    ];
    for command in store.into_iter().chain(others).chain(subs) {
        let help = desk.run(&[&command[..], &["--help"]].concat()).exits(0);
        assert!(
            help.out.contains("Example") && help.out.contains(&format!("netosync {}", command.join(" "))),
            "{help:#?}"
        );
    }
}
