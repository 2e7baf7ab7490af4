//! `netosync keys`, `netosync check`, and the files of the service.

use std::collections::BTreeMap;
use std::path::Path;

use netosync::config::Config;
use serde_json::Value;

use crate::support::{Ended, Machine, machine_with_store, small_pages};

#[test]
fn a_master_key_is_made_private_and_never_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let made = machine.run(&["keys", "init", "--key-file", "the.key"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.contains("secrets.key_file = \"/"), "{made:?}");
    let file = machine.path().join("the.key");
    let key = std::fs::read_to_string(&file).expect("the key file");
    assert_eq!(file.metadata().expect("the key file").permissions().mode() & 0o777, 0o600);
    assert!(!made.stdout.contains(key.trim()), "the key itself must not be printed");
    let again = machine.run(&["keys", "init", "--key-file", "the.key"]);
    assert_eq!(again.code, Some(3), "{again:?}");
    assert!(again.stderr.contains("left alone"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("the key file"), key);
    let nowhere = machine.run(&["keys", "init", "--key-file", "no/folder.key"]);
    assert_eq!(nowhere.code, Some(3), "{nowhere:?}");
    assert!(nowhere.stderr.contains("create it"), "{nowhere:?}");
    let usual = machine.run(&["keys", "init"]);
    assert_eq!(usual.code, Some(0), "{usual:?}");
    assert_eq!(machine.files(), ["netosync.db.key", "the.key"]);
}

#[test]
fn a_fresh_machine_passes_the_check_which_makes_nothing() {
    let machine = Machine::new();
    let check = machine.run(&["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    let ok = check.stdout.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!((ok, check.stdout.lines().count()), (3, 3), "{check:?}");
    assert_eq!(machine.files(), [""; 0]);
    // The same once the file is there but empty, and once it has tables.
    std::fs::write(machine.path().join("netosync.db"), "").expect("our folder");
    assert_eq!(machine.run(&["check"]).code, Some(0));
    assert_eq!(machine.path().join("netosync.db").metadata().expect("the file").len(), 0);
    machine.command(&["db", "migrate"]).assert().success();
    let json = machine.run(&["check", "--json"]).json();
    let subjects: Vec<_> =
        json.as_array().expect("an array").iter().map(|line| (&line["check"], &line["ok"])).collect();
    let expected = ["configuration", "database", "tables", "master key"].map(Value::from);
    assert_eq!(subjects, expected.iter().map(|subject| (subject, &Value::Bool(true))).collect::<Vec<_>>());
}

#[test]
fn a_broken_setting_is_named_with_its_value_and_its_rule() {
    let machine = Machine::new();
    std::fs::write(machine.path().join("my.toml"), "[worker]\nslots = 0\n").expect("our folder");
    let check = machine.run(&["check", "--config", "my.toml"]);
    assert_eq!(check.code, Some(3), "{check:?}");
    for word in ["worker.slots", "= 0", "my.toml", "whole number from 1 to 1024"] {
        assert!(check.stderr.contains(word), "{word}: {check:?}");
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_a_problem_and_the_key_is_looked_at_all_the_same() {
    let machine = Machine::new();
    let check =
        machine.command(&["check"]).env("NETOSYNC__DATABASE__URL", "postgres://u:hunter2@127.0.0.1:1/d").output();
    let check = Ended::of(check.expect("the program starts"));
    assert_eq!(check.code, Some(4), "{check:?}");
    assert!(check.stdout.contains("problem  database: ") && check.stdout.contains("nothing answers"), "{check:?}");
    assert!(check.stdout.contains("problem  master key: there is no master key"), "{check:?}");
    assert!(!check.stdout.contains("hunter2") && !check.stderr.contains("hunter2"), "{check:?}");
    let file = format!("sqlite://{}?mode=rwc", machine.path().join("no/folder.db").display());
    let check = machine.command(&["check"]).env("NETOSYNC__DATABASE__URL", file).output();
    let check = Ended::of(check.expect("the program starts"));
    assert_eq!(check.code, Some(4), "{check:?}");
    assert!(check.stdout.contains("its folder does not exist"), "{check:?}");
}

#[test]
fn a_configured_key_file_that_is_missing_is_a_problem() {
    let machine = Machine::new();
    let check = machine.command(&["check"]).env("NETOSYNC__SECRETS__KEY_FILE", machine.path().join("my.key")).output();
    let check = Ended::of(check.expect("the program starts"));
    assert_eq!(check.code, Some(3), "{check:?}");
    assert!(check.stdout.contains("problem  master key: ") && check.stdout.contains("netosync keys init"), "{check:?}");
}

#[tokio::test]
async fn a_master_key_that_opens_nothing_is_refused_by_check_and_run() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    let key = machine.path().join("netosync.db.key");
    std::fs::rename(&key, machine.path().join("away")).expect("our folder");
    for command in [&["check"][..], &["run", "--once"]] {
        let lost = machine.run(command);
        assert_eq!(lost.code, Some(3), "{lost:?}");
        assert!(format!("{}{}", lost.stdout, lost.stderr).contains("put the key file back"), "{lost:?}");
    }
    machine.command(&["keys", "init"]).assert().success();
    for (command, words) in [
        (&["check"][..], "which is not in the key file"),
        (&["run", "--once"], "opens none of the 1 stored credentials"),
    ] {
        let wrong = machine.run(command);
        assert_eq!(wrong.code, Some(3), "{wrong:?}");
        assert!(format!("{}{}", wrong.stdout, wrong.stderr).contains(words), "{wrong:?}");
    }
    std::fs::rename(machine.path().join("away"), &key).expect("our folder");
    let check = machine.run(&["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("opens all 1 stored credentials"), "{check:?}");
    assert_eq!(simulated.calls_made(), 0, "a check makes no call");
}

#[test]
fn the_configuration_that_comes_with_the_unit_is_valid_and_fits_it() {
    let text = include_str!("../../systemd/config.toml");
    let config = Config::from_parts(Some((Path::new("config.toml"), text)), &BTreeMap::new()).expect("valid");
    let unit = include_str!("../../systemd/netosync.service");
    assert_eq!(config.database.file().as_deref(), Some(Path::new("/var/lib/netosync/netosync.db")));
    let key = config.secrets.key_file.expect("a key file");
    assert!(unit.contains(&format!("Environment=NETOSYNC__SECRETS__KEY_FILE={}\n", key.display())), "{unit}");
}
