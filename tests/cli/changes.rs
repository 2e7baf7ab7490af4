//! `netosync changes` and `netosync quarantine replay`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use netosync::simulator::SimulatorConfig;
use serde_json::{Value, json};

use crate::support::{Desk, KEY};

/// The numbers of the lines on stdout.
fn numbers(out: &str) -> Vec<i64> {
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("an object a line")["seq"].as_i64();
    out.lines().map(|text| line(text).expect("a number")).collect()
}

#[test]
fn the_feed_is_printed_and_acknowledged_on_sqlite() {
    printed_and_acknowledged(&Desk::new());
}

#[test]
fn the_feed_is_printed_and_acknowledged_on_postgres() {
    printed_and_acknowledged(&Desk::on_postgres());
}

fn printed_and_acknowledged(desk: &Desk) {
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main"]).exits(0);
    let read = |args: &[&str]| numbers(&desk.run(&[&["changes", "--json"], args].concat()).exits(0).out);
    let all = desk.run(&["changes", "--json"]).exits(0);
    let first: Value = serde_json::from_str(all.out.lines().next().expect("a line")).expect("an object");
    assert_eq!((&first["store"], &first["kind"], &first["run_id"]), (&json!("main"), &json!("added"), &json!(1)));
    assert!(first["fields"]["sku"][0].is_null() && first["fields"]["sku"][1] == first["sku"], "{first}");
    assert_eq!(numbers(&all.out), [1, 2, 3, 4, 5]);
    assert_eq!(desk.run(&["changes", "main"]).exits(0).out.lines().count(), 5);
    assert_eq!(read(&["main", "--since", "3"]), [4, 5]);
    assert_eq!(read(&["main", "--limit", "2"]), [1, 2]);
    desk.run(&["changes", "main", "--since", "6"]).exits(1).complains(&["store main", "no line 6 yet"]);
    desk.run(&["changes", "--since", "1"]).exits(2);

    assert_eq!(read(&["--consumer", "a", "--limit", "2"]), [1, 2]);
    assert_eq!(read(&["--consumer", "a", "--no-ack"]), [3, 4, 5]);
    assert_eq!(read(&["--consumer", "a"]), [3, 4, 5]);
    assert_eq!(read(&["--consumer", "a"]), Vec::<i64>::new());
    assert_eq!(read(&["main", "--consumer", "b", "--no-ack"]), [1, 2, 3, 4, 5]);
    desk.run(&["changes", "main", "--consumer", "b", "--ack", "4"]).exits(0);
    desk.run(&["changes", "main", "--consumer", "b", "--ack", "9"]).exits(1).complains(&["no line 9 yet"]);
    assert_eq!(read(&["main", "--consumer", "b"]), [5]);
    desk.run(&["changes", "consumers", "list"]).exits(0).says(&["BEHIND", "a", "b"]);
    let list = desk.json(&["changes", "consumers", "list", "--json"]);
    assert_eq!((&list[0]["consumer"], &list[0]["seq"], &list[0]["behind"]), (&json!("a"), &json!(5), &json!(0)));
    desk.run(&["changes", "consumers", "remove", "a"]).exits(0);
    desk.run(&["changes", "consumers", "remove", "a"]).exits(1).complains(&["consumers list"]);
    desk.run(&["changes", "--consumer", "A B"]).exits(2).complains(&["consumer name"]);

    desk.sql("DELETE FROM product_changes WHERE seq <= 2");
    assert_eq!(read(&["main"]), [3, 4, 5]);
    desk.run(&["changes", "--consumer", "late"]).exits(1).complains(&["store main", "oldest is 3", "--ack 2"]);
    desk.run(&["changes", "main", "--consumer", "late", "--ack", "2"]).exits(0);
    assert_eq!(read(&["--consumer", "late"]), [3, 4, 5]);
}

#[test]
fn a_follower_prints_lines_as_they_come_on_sqlite() {
    followed(&Desk::new());
}

#[test]
fn a_follower_prints_lines_as_they_come_on_postgres() {
    followed(&Desk::on_postgres());
}

fn followed(desk: &Desk) {
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    let start = || {
        let mut command = desk.std_command(&["changes", "--consumer", "f", "--json", "--follow"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts")
    };
    let mut follower = start();
    let mut lines = BufReader::new(follower.stdout.take().expect("piped")).lines();
    desk.run(&["sync", "main"]).exits(0);
    let first: Vec<_> = lines.by_ref().take(5).map(|line| line.expect("text")).collect();
    assert_eq!(numbers(&first.join("\n")), [1, 2, 3, 4, 5]);
    let signal = Command::new("kill").args(["-INT", &follower.id().to_string()]).status();
    assert!(signal.expect("every system has kill").success());
    assert_eq!(follower.wait().expect("our child").code(), Some(130));
    assert_eq!(desk.json(&["changes", "consumers", "list", "--json"])[0]["seq"], 5);

    // It is the reader that goes now: the follower ends by itself, without waiting for a line to write.
    let mut follower = start();
    drop(follower.stdout.take());
    assert_eq!(follower.wait().expect("our child").code(), Some(0));
}

#[test]
fn a_replay_counts_what_became_of_each_record() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["quarantine", "replay"]).exits(0).says(&["0 replayed"]);
    desk.sql(
        "INSERT INTO quarantine (store_id, inventory_id, reason, raw, at) SELECT id, 7, 'r', \
         '{\"InventoryID\": \"7\", \"SKU\": \"S\"}', '2026-01-01T00:00:00+00:00' FROM stores UNION ALL \
         SELECT id, 8, 'r', '{\"InventoryID\": \"8\", \"RRP\": {}}', '2026-01-01T00:00:00+00:00' FROM stores \
         UNION ALL SELECT id, NULL, 'r', '[]', '2026-01-01T00:00:00+00:00' FROM stores",
    );
    let calls = shop.calls_made();
    desk.run(&["quarantine", "replay", "main", "--id", "3"]).exits(6).says(&["not an object", "1 still bad"]);
    let replayed = desk.run(&["quarantine", "replay", "--json"]).exits(6).json();
    assert_eq!((&replayed["replayed"], &replayed["superseded"]), (&json!(2), &json!(0)));
    assert_eq!(replayed["still_bad"].as_array().map(Vec::len), Some(1));
    assert_eq!(shop.calls_made(), calls, "no call");
    desk.run(&["quarantine", "replay", "--id", "1"]).exits(1).complains(&["replayed already"]);
    desk.run(&["changes", "main"]).exits(0).says(&["added", "S"]);
    desk.run(&["sync", "main", "--detach"]).exits(0);
    desk.sql("UPDATE runs SET state = 'running', lease_owner = 'w', lease_expires_at = '2999-01-01T00:00:00+00:00'");
    desk.sql("UPDATE quarantine SET replayed_at = NULL");
    desk.run(&["quarantine", "replay"]).exits(1).complains(&["store main is being synced"]);
}
