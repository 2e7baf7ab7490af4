//! The commands an operator runs, through the real program: `db`, `keys`, `check`, `run`, and the files of the service.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use assert_cmd::Command;
use netosync::clock::SystemClock;
use netosync::domain::secret::Secret;
use netosync::storage::Database;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

/// A machine of its own: a folder to work in and nothing of this one's configuration.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.path().join("netosync.db").display())
    }

    /// The program, with the settings of this machine.
    fn std_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("netosync"));
        command.env_clear().current_dir(self.path()).env("NETOSYNC__DATABASE__URL", self.url());
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.std_command();
        command.args(arguments);
        Command::from_std(command)
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("the program starts"))
    }

    async fn database(&self) -> Database {
        let url = Secret::new(&self.url());
        Database::connect(&url, "netosync", Arc::new(SystemClock)).await.expect("the database opens")
    }

    async fn execute(&self, sql: &str) {
        let db = self.database().await;
        db.orm().execute_unprepared(sql).await.expect(sql);
        db.close().await;
    }

    /// Names of the files in the folder.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("our folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("our folder").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// How the program ended and what it said.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

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
    let subjects: Vec<_> = json.as_array().expect("an array").iter().map(|line| (&line["check"], &line["ok"])).collect();
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
    let check = machine.command(&["check"]).env("NETOSYNC__DATABASE__URL", "postgres://u:hunter2@127.0.0.1:1/d").output();
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
