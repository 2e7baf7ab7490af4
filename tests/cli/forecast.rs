//! What a run costs, before and during it.

use netosync::simulator::SimulatorConfig;
use serde_json::json;

use crate::support::{Desk, KEY};

#[test]
fn sync_says_before_it_begins_what_the_run_costs() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    let first = desk.run(&["sync", "main"]).exits(0);
    assert!(
        first.err.contains("main: no products held yet, so how long it takes is not known: a thousand cost"),
        "{first:?}"
    );
    desk.run(&["store", "set", "main", "--calls-per-minute", "600"]).exits(0);
    let again = desk.run(&["sync", "main"]).exits(0);
    assert!(again.err.contains("main: 5 products held: about 3 calls, 1 s at 600 calls a minute"), "{again:?}");
    let edited = desk.run(&["sync", "main", "--kind", "incremental"]).exits(0);
    assert!(edited.err.contains("main: at least 3 calls, "), "{edited:?}");
    let quiet = desk.run(&["sync", "main", "--json"]).exits(0);
    assert!(!quiet.err.contains("products held"), "{quiet:?}");
}

#[test]
fn what_is_left_of_a_run_is_shown_whoever_works_on_it() {
    for desk in [Desk::new(), Desk::on_postgres()] {
        let shop = desk.shop(SimulatorConfig::default());
        desk.add_main(&shop, KEY);
        desk.run(&["sync", "main"]).exits(0);
        desk.run(&["sync", "main", "--detach"]).exits(0);
        let waits = desk.json(&["runs", "show", "2", "--json"]);
        assert_eq!((&waits["remaining_calls"], &waits["remaining_secs"]), (&json!(null), &json!(null)));
        desk.sql(
            "UPDATE runs SET state = 'running', lease_owner = 'daemon', lease_expires_at = '2999-01-01T00:00:00+00:00',
             checkpoint = '{\"page\": 1, \"page_size\": 2, \"phase\": \"walk\"}' WHERE id = 2",
        );
        // Pages 1 and 2, the empty one, and a list of three calls.
        let run = desk.json(&["runs", "show", "2", "--json"]);
        assert_eq!((&run["remaining_calls"], &run["remaining_secs"]), (&json!(6), &json!(1)));
        let status = &desk.json(&["status", "main", "--json"])[0];
        assert_eq!((&status["remaining_calls"], &status["state"]), (&json!(6), &json!("running")));
        desk.run(&["status", "main"]).exits(0).says(&["running, about 6 calls, 1 s left"]);
        desk.run(&["runs", "show", "2"]).exits(0).says(&["still to come", "about 6 calls, 1 s left"]);

        desk.sql(
            "UPDATE runs SET checkpoint = '{\"page\": 3, \"page_size\": 2, \"phase\": \"look\"}' WHERE id = 2;
             INSERT INTO findings (run_id, inventory_id, kind) VALUES (2, 1, 'look'), (2, 2, 'look'), (2, 3, 'look')",
        );
        assert_eq!(desk.json(&["runs", "show", "2", "--json"])["remaining_calls"], 2);
        desk.sql("UPDATE runs SET lease_expires_at = '2020-01-01T00:00:00+00:00' WHERE id = 2");
        assert_eq!(desk.json(&["status", "main", "--json"])[0]["remaining_calls"], json!(null));
    }
}
