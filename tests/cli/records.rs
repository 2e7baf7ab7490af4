//! A store of a described connector, from `store add` to its change feed.

use serde_json::json;

use crate::rest::{Rest, record, stream};
use crate::support::{Desk, Done, KEY};

/// A desk with a store `crm` of an API with two streams.
fn desk() -> (Desk, Rest) {
    let desk = Desk::new();
    let dated = "cursor = { field = \"updated\", param = \"since\" }\n";
    let rest = desk.rest(&[stream("page", "users"), dated.to_owned(), stream("all", "groups")].concat());
    rest.fill("users", 1..=8);
    rest.fill("groups", 1..=2);
    add(&desk, &["crm", "--connector", "rest", "--url", rest.url.as_str()]).exits(0).says(&["fetches the records"]);
    (desk, rest)
}

/// Adds a store with its key on standard input.
fn add(desk: &Desk, args: &[&str]) -> Done {
    desk.run_with(&[&["store", "add"], args, &["--key-file", "-"]].concat(), KEY)
}

#[test]
fn a_store_of_a_described_connector_is_added_checked_synced_and_followed() {
    let (desk, rest) = desk();
    let shown = desk.json(&["store", "show", "crm", "--json"]);
    assert_eq!((&shown["connector"], &shown["credential"]["scheme"]), (&json!("rest"), &json!("bearer")));
    let checked = desk.json(&["store", "check", "crm", "--json"]);
    assert_eq!((&checked["ok"], &checked["calls"]), (&json!(true), &json!(1)));
    rest.calls();

    let run = desk.json(&["sync", "crm", "--json"]);
    assert_eq!((&run["verdict"], &run["inserted"]), (&json!("complete"), &json!(10)), "{run}");
    desk.run(&["status"]).exits(0).says(&["crm", "complete", "10"]);
    desk.run(&["store", "show", "crm"]).exits(0).says(&["connector", "rest", "records", "10"]);

    rest.change("users", |users| {
        users[0]["name"] = json!("renamed");
        users.remove(1);
    });
    let run = desk.run(&["sync", "crm", "--kind", "sweep", "--json"]).exits(0).json();
    assert_eq!((&run["updated"], &run["removed"]), (&json!(1), &json!(1)), "{run}");
    let lines = desk.run(&["changes", "crm", "--since", "10"]).exits(0);
    lines.says(&["changed  users 1", "name record 1 → renamed", "removed  users 2"]);
    let line = desk.run(&["changes", "crm", "--since", "10", "--limit", "1", "--json"]).exits(0).json();
    assert_eq!(
        (&line["stream"], &line["key"], &line["fields"]),
        (&json!("users"), &json!("1"), &json!({ "name": ["record 1", "renamed"] }))
    );
    assert!(line.get("inventory_id").is_none() && line.get("sku").is_none(), "{line}");

    desk.run(&["audit", "crm"]).exits(2).complains(&["records of connector rest", "--kind sweep"]);
    add(&desk, &["other", "--connector", "rest", "--url", rest.url.as_str()]).exits(0);
    desk.run(&["store", "remove", "crm", "--yes"]).exits(0).says(&["records"]);
    assert!(desk.dump()["records"].is_empty() && desk.dump()["record_changes"].is_empty());
}

#[test]
fn a_plan_of_a_described_connector_writes_nothing_and_the_run_does_just_that() {
    let (desk, rest) = desk();
    desk.run(&["sync", "crm"]).exits(0);
    rest.change("users", |users| {
        users[0]["name"] = json!("renamed");
        users.remove(1);
        users.push(record(9));
    });
    let before = desk.dump();
    let plan = desk.run(&["sync", "crm", "--kind", "sweep", "--plan", "--json"]).exits(0).json();
    assert_eq!(desk.dump(), before);
    let run = desk.run(&["sync", "crm", "--kind", "sweep", "--json"]).exits(0).json();
    for count in ["inserted", "updated", "removed"] {
        assert_eq!((&plan[count], &run[count]), (&json!(1), &json!(1)), "{count}: {plan}");
    }
}

#[test]
fn a_connector_is_tried_without_a_trace() {
    let (desk, rest) = desk();
    desk.run(&["sync", "crm"]).exits(0);
    rest.change("users", |users| users[1] = json!({ "name": "without a key" }));
    let before = desk.dump();
    rest.calls();
    let tried = desk.run(&["connector", "try", "rest", "--store", "crm", "--rows", "1"]).exits(0);
    tried.says(&[
        "users: GET http://127.0.0.1:",
        "/page/users?page=1&size=3 · 2 of 8 records",
        r#"{"id":1,"name":"record 1","updated":"2027-01-01T00:00:00Z"}"#,
        "no record, because it has no `id`",
        "next: page 2",
        "groups: GET",
        "next: the end",
    ]);
    assert_eq!(rest.calls().len(), 2);

    let file = "connectors/rest.toml";
    let objects = desk.json(&["connector", "try", file, "--store", "crm", "--stream", "users", "--json"]);
    assert_eq!((&objects[0]["total"], &objects[0]["next"]), (&json!(8), &json!({ "page": 2 })));
    assert_eq!(objects[0]["records"][0]["data"], record(1));
    assert_eq!(objects[0]["records"][0]["cursor"], json!({ "time": "2027-01-01T00:00:00Z" }));
    assert_eq!(desk.dump(), before, "nothing is written");

    desk.run(&["connector", "try", "rest", "--store", "crm", "--stream", "orders"])
        .exits(2)
        .complains(&["users, groups"]);
    "another".clone_into(&mut rest.api().key);
    let refused = desk.run(&["connector", "try", "rest", "--store", "crm"]).exits(5);
    assert!(!refused.out.contains(KEY) && !refused.err.contains(KEY), "{refused:?}");
    assert_eq!(desk.dump(), before, "nor that the key is refused");
}

#[test]
fn what_a_connector_does_not_know_is_refused_before_a_key_is_asked_for() {
    let (desk, _rest) = desk();
    add(&desk, &["a", "--connector", "nobody"]).exits(2).complains(&["there is no connector nobody"]);
    let own = add(&desk, &["own", "--connector", "neos", "--auth", "bearer", "--json"]).exits(0).json();
    assert_eq!(own["url"], "https://auth.neos.com/", "the connector's own");
    add(&desk, &["a", "--connector", "rest", "--auth", "login"])
        .exits(2)
        .complains(&["knows no --auth login", "bearer"]);
    add(&desk, &["a", "--connector", "net-api"]).exits(2).complains(&["--url"]);
    add(&desk, &["a", "--url", "https://a.example", "--auth", "header-key"]).exits(2).complains(&["neto", "api-key"]);
    let url = ["--url", "https://files.example"];
    let netexplorer = |args: &[&str]| add(&desk, &[&["a", "--connector", "netexplorer"], &url[..], args].concat());
    netexplorer(&[]).exits(2).complains(&["client-credentials needs --client-id"]);
    netexplorer(&["--auth", "login"]).exits(2).complains(&["--username"]);
    netexplorer(&["--auth", "authorization-code"]).exits(2).complains(&["netosync oauth connect"]);
    let added = netexplorer(&["--client-id", "app", "--token-url", "https://login.example/token", "--json"]);
    let added = added.exits(0).json();
    assert_eq!(added["credential"]["client_id"], "app");
    desk.run(&["store", "show", "a"]).exits(0).says(&["https://login.example/token"]);
    desk.run_with(&["store", "rekey", "a", "--auth", "login", "--username", "Zoë", "--key-file", "-"], "pässwörd")
        .exits(2);
    desk.run_with(&["store", "rekey", "a", "--auth", "login", "--username", "zoe", "--key-file", "-"], "pässwörd")
        .exits(0);
}

#[test]
fn a_file_that_broke_since_fails_the_run_with_its_line() {
    let (desk, rest) = desk();
    let file = desk.folder().join("connectors/rest.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, format!("base = 5\n{text}")).expect("written");
    let run = desk.run(&["sync", "crm", "--json"]).exits(3).json();
    assert_eq!(run["error_class"], "config");
    let said = run["error"].as_str().expect("a sentence");
    assert!(said.contains("connectors/rest.toml:1:8: `base` must be a text in quotes"), "{said}");
    assert!(rest.calls().is_empty());
}
