//! `netosync db`.

use crate::support::{Ended, Machine};

#[test]
fn migrations_are_named_when_they_are_applied_and_only_then() {
    let machine = Machine::new();
    let first = machine.run(&["db", "migrate"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.contains("applied m20261121_000001_create_stores\n"), "{first:?}");
    let second = machine.run(&["db", "migrate"]);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.stdout.contains("nothing to do") && !second.stdout.contains("applied m2"), "{second:?}");
}

#[test]
fn the_status_of_a_database_that_does_not_exist_lists_everything_as_pending_and_makes_nothing() {
    let machine = Machine::new();
    let status = machine.run(&["db", "status", "--json"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let json = status.json();
    assert_eq!((&json["engine"], &json["usable"]), (&"sqlite".into(), &true.into()));
    assert_eq!(json["applied"].as_array().map(Vec::len), Some(0));
    assert!(json["pending"].as_array().is_some_and(|pending| pending.len() >= 10), "{json}");
    assert_eq!(machine.files(), [""; 0]);
}

#[test]
fn the_status_names_the_migrations_and_never_the_password() {
    let machine = Machine::new();
    machine.command(&["db", "migrate"]).assert().success();
    let status = machine.run(&["db", "status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.stdout.contains("m20261121_000001_create_stores") && status.stdout.contains("pending  0"));
    let away = machine
        .command(&["db", "status"])
        .env("NETOSYNC__DATABASE__URL", "postgres://u:hunter2@127.0.0.1:1/shop")
        .output();
    let away = Ended::of(away.expect("the program starts"));
    assert_eq!(away.code, Some(4), "{away:?}");
    assert!(away.stderr.contains("127.0.0.1:1/shop") && !away.stderr.contains("hunter2"), "{away:?}");
}

#[test]
fn every_table_is_explained_without_a_database() {
    let machine = Machine::new();
    let all = machine.run(&["db", "schema"]);
    for word in ["products  (key: store_id, inventory_id)", "credentials", "default_price", "decimal"] {
        assert!(all.stdout.contains(word), "{word}: {}", all.stdout);
    }
    let one = machine.run(&["db", "schema", "runs", "--json"]).json();
    assert_eq!((one.as_array().map(Vec::len), &one[0]["table"]), (Some(1), &"runs".into()));
    let verdict = one[0]["columns"].as_array().and_then(|columns| columns.iter().find(|c| c["name"] == "verdict"));
    assert!(verdict.is_some_and(|column| column["sql_type"] == "text" && column["meaning"].is_string()), "{one}");
    let unknown = machine.run(&["db", "schema", "orders"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("no table orders") && unknown.stderr.contains("products"), "{unknown:?}");
    assert_eq!(machine.files(), [""; 0]);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_by_every_command() {
    let machine = Machine::new();
    machine.command(&["db", "migrate"]).assert().success();
    machine.execute("INSERT INTO netosync_migrations (version, applied_at) VALUES ('m20991231_000001_later', 0)").await;
    for arguments in [&["check"][..], &["db", "status"], &["db", "migrate"], &["run", "--once"]] {
        let ended = machine.run(arguments);
        assert_eq!(ended.code, Some(4), "{arguments:?}: {ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("m20991231_000001_later") && said.contains("upgrade this program"), "{said}");
    }
}
