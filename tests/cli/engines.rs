//! What the commands ask the database, on both engines: they must answer alike.

use netosync::simulator::SimulatorConfig;
use serde_json::{Value, json};

use crate::support::{Desk, KEY};

#[test]
fn the_commands_answer_alike_on_sqlite() {
    all_commands(&Desk::new());
}

#[test]
fn the_commands_answer_alike_on_postgres() {
    all_commands(&Desk::on_postgres());
}

fn all_commands(desk: &Desk) {
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run_with(&["store", "add", "second", "--url", &shop.url(), "--key-file", "-"], "wrong").exits(0);
    desk.run(&["store", "check", "main"]).exits(0);
    desk.run(&["sync", "main"]).exits(0);
    desk.run(&["sync", "second"]).exits(5);
    desk.run(&["sync", "main", "--detach"]).exits(0);
    desk.sql(
        "INSERT INTO quarantine (store_id, run_id, reason, raw, at)
         SELECT store_id, id, 'RRP: no number', '{}', started_at FROM runs WHERE state = 'succeeded'",
    );
    let part = |all: &Value, names: &[&str]| -> Vec<Vec<Value>> {
        let rows = all.as_array().expect("an array").iter();
        rows.map(|row| names.iter().map(|name| row[*name].clone()).collect()).collect()
    };
    let status =
        part(&desk.json(&["status", "--json"]), &["store", "state", "products", "quarantined", "verdict", "run_id"]);
    assert_eq!(json!(status), json!([["main", "queued", 5, 1, "complete", 3], ["second", "suspect", 0, 0, null, 2]]));
    assert_eq!(desk.json(&["status", "main", "--json"])[0]["products"], 5);
    let runs = part(&desk.json(&["runs", "list", "--json"]), &["run_id", "store", "state", "error_class"]);
    let expected =
        json!([[3, "main", "queued", null], [2, "second", "failed", "unauthorized"], [1, "main", "succeeded", null]]);
    assert_eq!(json!(runs), expected);
    let kept = part(&desk.json(&["quarantine", "list", "main", "--json"]), &["id", "run_id", "store", "reason"]);
    assert_eq!(json!(kept), json!([[1, 1, "main", "RRP: no number"]]));
    assert_eq!(desk.json(&["quarantine", "show", "1", "--json"])["raw"], "{}");
    desk.run(&["runs", "cancel", "3"]).exits(0);
    desk.run(&["runs", "cancel", "1"]).exits(1).complains(&["over already: succeeded"]);
    assert_eq!(desk.json(&["runs", "show", "3", "--json"])["state"], "cancelled");
    desk.run(&["store", "pause", "main", "--until", "2999-01-01"]).exits(0);
    desk.run(&["store", "set", "second", "--calls-per-minute", "9"]).exits(0);
    let stores = part(&desk.json(&["store", "list", "--json"]), &["name", "state", "calls_per_minute"]);
    assert_eq!(json!(stores), json!([["main", "paused", null], ["second", "suspect", 9]]));
    desk.run(&["store", "remove", "main", "--yes"]).exits(0).says(&["5 products"]);
    assert_eq!(desk.json(&["runs", "list", "--json"]).as_array().map(Vec::len), Some(1));
}
