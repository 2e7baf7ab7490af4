//! `netosync store`, without a call.

use netosync::simulator::SimulatorConfig;
use serde_json::json;

use crate::support::{Desk, KEY};

const URL: &str = "https://www.shop.example";

/// Adds a store by the given arguments, with the key on standard input.
fn add(desk: &Desk, args: &[&str]) -> crate::support::Done {
    desk.run_with(&[&["store", "add"], args, &["--key-file", "-"]].concat(), KEY)
}

#[test]
fn a_store_is_added_listed_and_shown() {
    let desk = Desk::new();
    std::fs::write(desk.folder().join("key.txt"), format!("\u{feff} {KEY}\r\n")).expect("written");
    let added = desk.run(&["store", "add", "main", "--url", "www.shop.example/", "--key-file", "key.txt"]).exits(0);
    assert!(!added.err.contains("warning"), "{added:?}");
    added.says(&["netosync store check main", "netosync sync main"]);
    let more =
        ["second", "--url", URL, "--username", "staff", "--timezone", "Australia/Brisbane", "--calls-per-minute", "60"];
    let second = add(&desk, &[&more[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(second["credential"]["username"], "staff");

    let list = desk.json(&["store", "list", "--json"]);
    let names: Vec<_> =
        list.as_array().expect("an array").iter().map(|store| store["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["main", "second"]);
    assert_eq!(list[0]["url"], "https://www.shop.example/");
    assert_eq!(list[1], desk.json(&["store", "show", "second", "--json"]));
    assert_eq!(list[1]["timezone"], "Australia/Brisbane");
    assert_eq!(list[1]["calls_per_minute"], 60);
    assert_eq!(
        (&list[0]["calls_per_minute"], &list[0]["effective"]["calls_per_minute"]),
        (&json!(null), &json!(1_000_000))
    );
    assert_eq!(list[0]["state"], "never_synced");
    desk.run(&["store", "list"]).exits(0).says(&["STORE", "main", "second", "never"]);
    desk.run(&["store", "show", "second"]).exits(0).says(&[
        "username",
        "staff",
        "60 (own)",
        "Australia/Brisbane (own)",
    ]);
}

#[test]
fn each_scheme_takes_what_belongs_to_it() {
    let desk = Desk::new();
    add(&desk, &["a", "--url", URL, "--auth", "oauth"]).exits(2).complains(&["--client-id"]);
    add(&desk, &["a", "--url", URL, "--auth", "bearer", "--username", "staff"]).exits(2).complains(&["--username"]);
    add(&desk, &["a", "--url", URL, "--auth", "password"]).exits(2);
    let store = add(&desk, &["a", "--url", URL, "--auth", "oauth", "--client-id", "client", "--json"]).exits(0).json();
    assert_eq!(
        (&store["credential"]["scheme"], &store["credential"]["client_id"]),
        (&json!("oauth"), &json!("client"))
    );
}

#[test]
fn a_key_comes_from_a_file_or_standard_input_and_is_looked_at() {
    let desk = Desk::new();
    let add = ["store", "add", "main", "--url", URL];
    desk.run_with(&add, "").exits(2).complains(&["--key-file PATH", "--key-file -"]);
    let from_input = [&add[..], &["--key-file", "-"]].concat();
    desk.run_with(&from_input, " \n").exits(2).complains(&["empty"]);
    desk.run_with(&from_input, "can\u{1b}ary").exits(2).complains(&["control characters"]);
    desk.run_with(&from_input, "NETOAPI_KEY:\ncanary").exits(2).complains(&["more than one line"]);
    let misplaced = desk.run(&[&add[..], &["--key-file", KEY]].concat()).exits(2).complains(&["path of a file"]);
    assert!(!misplaced.err.contains(KEY), "a key given as a path is not repeated");
    assert_eq!(desk.json(&["store", "list", "--json"]), json!([]));
    let short = desk.run_with(&from_input, &KEY[..20]).exits(0);
    assert!(short.err.contains("20 characters") && short.err.contains("often cut short"), "{short:?}");
}

#[test]
fn addresses_that_would_show_the_key_are_refused() {
    let desk = Desk::new();
    for url in
        ["https://staff:canary@www.shop.example", "https://www.shop.example/?key=canary", "ftp://www.shop.example"]
    {
        let refused = add(&desk, &["main", "--url", url]).exits(2).complains(&["--url", "https://www.shop.example"]);
        assert!(!refused.err.contains("canary"), "{refused:?}");
    }
    let mut strict = desk.netosync(&["store", "add", "main", "--url", "http://www.shop.example", "--key-file", "-"]);
    let refused = strict.env("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "false").write_stdin(KEY).assert().code(2);
    assert!(String::from_utf8_lossy(&refused.get_output().stderr).contains("plain http"));
}

#[test]
fn a_name_is_refused_before_a_key_is_asked_for() {
    let desk = Desk::new();
    add(&desk, &["main", "--url", URL]).exits(0);
    desk.run_with(&["store", "add", "main", "--url", URL], "").exits(1).complains(&["already a store named main"]);
    desk.run_with(&["store", "add", "Main Street", "--url", URL], "").exits(2).complains(&["a-z"]);
}

#[test]
fn a_store_whose_key_cannot_be_stored_is_not_added() {
    let desk = Desk::new();
    desk.run(&["store", "list"]).exits(0); // makes the tables
    desk.sql("CREATE TRIGGER refuse BEFORE INSERT ON credentials BEGIN SELECT RAISE(ABORT, 'no room'); END");
    add(&desk, &["main", "--url", URL]).exits(4).complains(&["no room", "was not added"]);
    assert_eq!(desk.json(&["store", "list", "--json"]), json!([]));
}

#[test]
fn a_store_without_its_master_key_is_not_added() {
    let desk = Desk::new();
    let mut command = desk.netosync(&["store", "add", "main", "--url", URL, "--key-file", "-"]);
    command.env("NETOSYNC__SECRETS__KEY_FILE", "missing.key").write_stdin(KEY).assert().code(3);
    assert_eq!(desk.json(&["store", "list", "--json"]), json!([]));
}

#[test]
fn settings_are_checked_set_and_given_back_to_the_configuration() {
    let desk = Desk::new();
    add(&desk, &["main", "--url", URL]).exits(0);
    desk.run(&["store", "set", "main"]).exits(2);
    for wrong in [
        ["--schedule-full", "every day"],
        ["--timezone", "Brisbane"],
        ["--calls-per-minute", "0"],
        ["--url", "ftp://a.b"],
    ] {
        desk.run(&["store", "set", "main", wrong[0], wrong[1]]).exits(2);
    }
    let own = ["store", "set", "main", "--json", "--schedule-full", "0 4 * * *", "--schedule-sweep", "30 * * * *"];
    let own =
        [&own[..], &["--timezone", "Australia/Perth", "--calls-per-minute", "7", "--url", "shop2.example"]].concat();
    let store = desk.json(&own);
    let set = json!({
        "timezone": "Australia/Perth", "schedule_full": "0 4 * * *", "schedule_incremental": "*/15 * * * *",
        "schedule_sweep": "30 * * * *", "calls_per_minute": 7,
    });
    assert_eq!((&store["effective"], &store["url"]), (&set, &json!("https://shop2.example/")));
    let back = ["store", "set", "main", "--json", "--schedule-full", "default", "--timezone", "default"];
    let store = desk.json(&[&back[..], &["--calls-per-minute", "default"]].concat());
    let given_back = ["timezone", "schedule_full", "calls_per_minute"].map(|name| &store[name]);
    assert_eq!(given_back, [&json!(null); 3]);
    assert_eq!(
        (&store["schedule_sweep"], &store["effective"]["schedule_full"]),
        (&json!("30 * * * *"), &json!("0 3 * * 0"))
    );
}

#[test]
fn a_pause_has_a_reason_and_an_end() {
    let desk = Desk::new();
    add(&desk, &["main", "--url", URL, "--timezone", "Australia/Brisbane"]).exits(0);
    desk.run(&["store", "pause", "main", "--until", "2020-01-01"]).exits(2).complains(&["not in the future"]);
    desk.run(&["store", "pause", "main", "--until", "soon"]).exits(2).complains(&["YYYY-MM-DD"]);
    let paused = desk.json(&["store", "pause", "main", "--reason", "moving", "--until", "2999-01-02 08:30", "--json"]);
    assert_eq!((&paused["paused"], &paused["state"]), (&json!(true), &json!("paused")));
    assert_eq!((&paused["paused_reason"], &paused["paused_until"]), (&json!("moving"), &json!("2999-01-01T22:30:00Z")));
    desk.run(&["sync", "main"]).exits(1).complains(&["store resume main"]);
    desk.run(&["status"]).exits(0).says(&["paused (moving) until 2999-01-01 22:30:00Z"]);
    desk.run(&["store", "resume", "main"]).exits(0).says(&["resumed"]);
    desk.run(&["store", "resume", "main"]).exits(0).says(&["was not paused"]);
    assert_eq!(desk.json(&["store", "show", "main", "--json"])["paused_reason"], json!(null));
}

#[test]
fn a_store_is_removed_only_when_it_is_said_twice() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main"]).exits(0);
    desk.run(&["store", "remove", "main"]).exits(2).complains(&["5 products", "--yes"]);
    assert_eq!(desk.json(&["store", "list", "--json"])[0]["products"], 5);
    desk.run(&["store", "remove", "main", "--yes"]).exits(0).says(&["5 products"]);
    assert_eq!(desk.json(&["store", "list", "--json"]), json!([]));
    desk.run(&["store", "remove", "main", "--yes"]).exits(1).complains(&["store list"]);
}

#[test]
fn how_far_incremental_runs_look_back_is_shown() {
    let desk = Desk::new();
    desk.run_with(&["store", "add", "main", "--url", "https://www.shop.example", "--key-file", "-"], KEY).exits(0);
    desk.run(&["store", "show", "main"]).exits(0).says(&["looks back", "300 s (default)"]);
    desk.sql("UPDATE stores SET overlap_secs = 5400");
    desk.run(&["store", "show", "main"]).exits(0).says(&["5400 s (a sweep has found edits that appear late)"]);
    assert_eq!(desk.json(&["store", "show", "main", "--json"])["overlap_secs"], 5400);
    desk.sql(r#"UPDATE stores SET learned = '{"refused":["Misc07"],"page_size":25,"since":"2026-11-21T10:00:00Z"}'"#);
    desk.run(&["store", "show", "main"]).exits(0).says(&["it refuses Misc07; it bears 25 products a page; since"]);
    assert_eq!(desk.json(&["store", "show", "main", "--json"])["learned"]["page_size"], 25);
}
