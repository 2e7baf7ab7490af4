//! `netosync audit`.

use netosync::simulator::SimulatorConfig;
use serde_json::json;

use crate::support::{Desk, KEY};

#[test]
fn an_audit_tells_shows_and_repairs_on_sqlite() {
    told_shown_and_repaired(&Desk::new());
}

#[test]
fn an_audit_tells_shows_and_repairs_on_postgres() {
    told_shown_and_repaired(&Desk::on_postgres());
}

fn told_shown_and_repaired(desk: &Desk) {
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main"]).exits(0);
    desk.run(&["audit", "main"]).exits(0).says(&[
        "main: complete · 0 differences in 5 of 5 products: 100 % are identical",
        "IDs: 5 at the store, 5 held, the same",
    ]);
    let status = desk.json(&["status", "main", "--json"]);

    desk.sql("UPDATE products SET brand = 'Nobody' WHERE inventory_id = (SELECT MIN(inventory_id) FROM products)");
    let told = desk.run(&["audit", "main", "--seed", "7"]).exits(6);
    assert!(told.err.contains("netosync audit main --repair"), "{told:#?}");
    let told =
        told.says(&["main: partial · 1 difference in 5", "80 % are identical", "wrong", "brand", "Nobody", "seed 7"]);
    assert!(!told.out.contains("repair:"), "{told:#?}");
    let json = desk.run(&["audit", "main", "--json", "--sample", "all"]).exits(6).json();
    assert_eq!((&json["kind"], &json["verdict"], &json["seen"]), (&json!("audit"), &json!("partial"), &json!(4)));
    let audit = &json["audit"];
    assert_eq!((&audit["among"], &audit["compared"], &audit["identical"]), (&json!(5), &json!(5), &json!(4)));
    assert_eq!((&audit["sample"], &audit["repair"], &audit["confidence"]), (&json!(null), &json!(false), &json!(0.95)));
    assert_eq!((&audit["identical_at_least"], &audit["ids"]["whole"]), (&json!(0.8), &json!(true)));
    let difference = &audit["differences"][0];
    assert_eq!(
        (&difference["kind"], &difference["field"], &difference["held"]),
        (&json!("wrong"), &json!("brand"), &json!("Nobody"))
    );
    let run = json["run_id"].to_string();
    desk.run(&["runs", "show", &run]).exits(0).says(&["audit", "1 difference in 5 of 5 products", "Nobody"]);
    assert_eq!(&desk.json(&["runs", "show", &run, "--json"])["audit"], audit);
    desk.run(&["runs", "list", "main"]).exits(0).says(&["audit", "partial"]);
    assert_eq!(desk.json(&["status", "main", "--json"])[0]["verdict"], status[0]["verdict"]);
    assert_eq!(desk.json(&["status", "main", "--json"])[0]["as_of"], status[0]["as_of"]);

    desk.run(&["audit", "main", "--repair"])
        .exits(0)
        .says(&["main: repaired", "repair: 0 inserted, 1 updated, 0 removed"]);
    desk.run(&["audit", "main"]).exits(0).says(&["main: complete"]);
}

#[test]
fn an_audit_waits_for_the_run_under_way_and_a_sync_for_the_audit() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main", "--detach"]).exits(0);
    let audit = desk.json(&["audit", "main", "--json"]);
    assert_eq!((&audit["run_id"], &audit["kind"], &audit["verdict"]), (&json!(2), &json!("audit"), &json!("complete")));
    assert_eq!(desk.json(&["runs", "show", "1", "--json"])["state"], "succeeded");

    // Another audit that waits is followed where it is the same, and else waited for.
    let queue = |request: &str| {
        desk.sql(&format!(
            "INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at, audit_request) VALUES \
             (1, 'audit', 'manual', 'queued', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', '{request}')"
        ));
    };
    queue(r#"{"sample": 400, "seed": 3, "repair": false}"#);
    assert_eq!(desk.json(&["audit", "main", "--json"])["run_id"], 3);
    queue(r#"{"sample": 400, "seed": 3, "repair": false}"#);
    assert_eq!(desk.json(&["audit", "main", "--seed", "4", "--json"])["run_id"], 5);
    queue(r#"{"sample": 2, "seed": 3, "repair": false}"#);
    let sync = desk.json(&["sync", "main", "--json"]);
    assert_eq!((&sync["run_id"], &sync["kind"]), (&json!(7), &json!("full")));
}

#[test]
fn an_audit_that_cannot_be_ends_with_the_reason() {
    let desk = Desk::new();
    desk.run(&["audit", "main"]).exits(1).complains(&["main", "no such store", "store list"]);
    let missing = desk.run(&["audit", "main", "--json"]).exits(1).json();
    assert_eq!(
        (&missing["kind"], &missing["store"], &missing["run_id"]),
        (&json!("audit"), &json!("main"), &json!(null))
    );
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    for sample in ["0", "-1", "some", "1.5"] {
        desk.run(&["audit", "main", &format!("--sample={sample}")]).exits(2);
    }
    desk.run(&["sync", "main", "--kind", "audit"]).exits(2);

    let empty = desk.run(&["audit", "main"]).exits(6).says(&["main: partial · nothing was compared", "not held: 5"]);
    assert!(empty.err.contains("5 products that the store lists are not held"), "{empty:#?}");
    desk.run(&["store", "pause", "main"]).exits(0);
    desk.run(&["audit", "main"]).exits(1).complains(&["paused", "store resume main"]);
    desk.run(&["store", "resume", "main"]).exits(0);
    shop.set_faults(vec!["403".parse().expect("a fault")]);
    let refused = desk.run(&["audit", "main"]).exits(5);
    assert!(refused.err.contains("403"), "{refused:#?}");
    let id = desk.json(&["runs", "list", "--limit", "1", "--json"])[0]["run_id"].to_string();
    shop.set_faults(Vec::new());
    desk.run(&["runs", "retry", &id]).exits(0).says(&["queued run"]);
    let retried = desk.json(&["runs", "list", "--limit", "1", "--json"])[0]["run_id"].to_string();
    let (asked, again) =
        (desk.json(&["runs", "show", &id, "--json"]), desk.json(&["runs", "show", &retried, "--json"]));
    assert_eq!((&again["kind"], &again["audit"]["seed"]), (&json!("audit"), &asked["audit"]["seed"]));
}
