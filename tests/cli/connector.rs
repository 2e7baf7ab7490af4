//! `netosync connector`: a file is refused line by line, or told in one.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::Desk;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/connectors").join(name)
}

#[test]
fn a_file_that_is_fine_is_told_in_one_line_without_any_configuration() {
    let desk = Desk::new();
    let file = fixture("everything.toml").display().to_string();
    let done = desk.run(&["--config", "no-such-file.toml", "connector", "check", &file]).exits(0);
    assert!(done.out.contains("connector everything (Everything) is fine: 5 streams (users, orders, "), "{done:?}");
    let object: Value = serde_json::from_str(&desk.run(&["connector", "check", "--json", &file]).out).expect("JSON");
    assert_eq!(object["ok"], true);
    assert_eq!(object["connector"]["auth"][0], "login");
}

#[test]
fn a_wrong_file_is_refused_with_each_line_and_rule() {
    let desk = Desk::new();
    std::fs::write(desk.folder().join("shop.toml"), "name = \"shop\"\nbase = 5\n\n[auth.baerer]\n").expect("a file");
    let done = desk.run(&["connector", "check", "shop.toml"]).exits(3);
    assert_eq!(
        done.out.lines().collect::<Vec<_>>(),
        [
            "shop.toml:1:1: a connector must have at least one stream; add a table `[[stream]]` with `name`, `path` and `key`",
            "shop.toml:2:8: `base` must be a text in quotes",
            "shop.toml:4:7: `auth` has no key `baerer`; write `bearer` if that is meant",
        ]
    );
    let done = desk.run(&["connector", "check", "--json", "shop.toml", "nowhere.toml"]).exits(3);
    let objects: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects[0]["mistakes"][1]["line"], 2);
    assert!(objects[1]["error"].as_str().expect("a text").contains("nowhere.toml cannot be read"), "{objects:?}");
}

#[test]
fn a_users_folder_adds_and_replaces_connectors_and_wrong_files_are_listed_as_wrong() {
    let desk = Desk::new();
    let folder = desk.folder().join("connectors");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("broken.toml"), "name = \n").expect("a file");
    let source = desk.run(&["connector", "show", "neos", "--source"]).out;
    std::fs::write(folder.join("neos.toml"), source.replace("title = \"Neos\"", "title = \"Mine\"")).expect("a file");
    std::fs::write(desk.folder().join("own.toml"), "[connectors]\ndir = \"connectors\"\n").expect("a file");

    let list = desk.run(&["--config", "own.toml", "connector", "list"]).exits(0);
    let row = |name: &str| list.out.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(row("broken").contains("wrong") && list.err.contains("connectors/broken.toml:1:"), "{list:?}");
    assert!(row("neos").contains("instead of the built-in one"), "{list:?}");
    assert!(row("netexplorer").contains("users, groups, folders, files, logs"), "{list:?}");
    let shown = desk.run(&["--config", "own.toml", "connector", "show", "neos"]);
    assert!(shown.out.contains("neos (Mine)") && shown.out.contains("GET /user/profile"), "{shown:?}");
    let broken = desk.run(&["--config", "own.toml", "connector", "show", "broken"]).exits(3);
    assert!(broken.err.contains("error: the connector broken cannot be used: connectors/broken.toml:1:"), "{broken:?}");
    desk.run(&["connector", "show", "shop"]).exits(3);

    let check = desk.run(&["--config", "own.toml", "check"]).exits(3);
    assert!(check.out.contains("problem  connectors: connectors/broken.toml:1:"), "{check:?}");
    std::fs::remove_file(folder.join("broken.toml")).expect("removed");
    let check = desk.run(&["--config", "own.toml", "check"]).exits(0);
    check.says(&["ok       connectors: 1 described in files, 1 of them instead of built-in ones"]);
}
