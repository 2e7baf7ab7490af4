//! The commands an operator runs, through the real program: `db`, `keys`, `check`, `run`, and the files of the service.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use netosync::clock::{Clock, SystemClock};
use netosync::config::Config;
use netosync::domain::run::{Run, RunKind, RunState, Trigger, Verdict};
use netosync::domain::secret::Secret;
use netosync::domain::store::Scheme;
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::master_key::{self, Places};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::{PlainCredential, Vault};
use netosync::storage::{Database, runs, schema};
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
        let mut command = Command::from_std(command);
        command.timeout(PATIENCE);
        command
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

/// A simulated store, and a machine that knows it by the name `main`.
async fn machine_with_store(config: SimulatorConfig) -> (Machine, SimulatedStore) {
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let simulated = SimulatedStore::start(loopback, config).await.expect("a simulated store");
    let machine = Machine::new();
    let db = machine.database().await;
    schema::migrate(&db).await.expect("migrated");
    let new = NewStore {
        name: "main".to_owned(),
        connector: "neto".to_owned(),
        url: simulated.url().parse().expect("a URL"),
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: Some(100_000),
    };
    let store = stores::add_store(&db, &new).await.expect("added");
    let places = Places { database_file: Some(machine.path().join("netosync.db")), ..Places::default() };
    let found = master_key::find(&places, &[]).expect("a master key");
    let key = Secret::new(simulated.key());
    let plain = PlainCredential { scheme: Scheme::ApiKey, username: None, client_id: None, secret: key };
    Vault::new(found.crypter).put(&db, store.id, plain).await.expect("stored");
    db.close().await;
    (machine, simulated)
}

/// Few products on many small pages.
fn small_pages() -> SimulatorConfig {
    SimulatorConfig { products: 40, page_cap: Some(4), ..SimulatorConfig::default() }
}

/// The service under way, with what it logs line by line.
struct Service {
    process: Child,
    log: mpsc::Receiver<String>,
}

impl Service {
    fn start(machine: &Machine, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = machine.std_command();
        command.arg("run").args(arguments).env("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true");
        command.envs(settings.iter().copied()).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let stderr = process.stderr.take().expect("it is piped");
        let (line, log) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|text| line.send(text))
        });
        Self { process, log }
    }

    /// Waits for a line with these words.
    fn says(&self, words: &str) {
        let mut said = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if line.contains(words) {
                return;
            }
            said.push(line);
        }
        panic!("never said {words:?}, but: {said:#?}");
    }

    /// Waits for the end.
    fn ended(mut self) -> Option<i32> {
        let mut rest = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {rest:#?}"),
            }
        }
        let status = self.process.wait().expect("our own child");
        assert!(rest.iter().all(|line| !line.contains("panicked")), "{rest:#?}");
        status.code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.process.kill();
    }
}

/// Longer than anything here takes, so that a broken program fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

fn terminate(process: u32) {
    let status = std::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &process.to_string()]).status();
    assert!(status.expect("every system has sh").success());
}

async fn only_run(machine: &Machine) -> Run {
    let db = machine.database().await;
    let runs = runs::newest(&db, None, 10).await.expect("readable");
    db.close().await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.into_iter().next().expect("one run")
}

async fn products(machine: &Machine) -> u64 {
    let db = machine.database().await;
    let count = netosync::storage::products::count(&db, 1).await.expect("readable");
    db.close().await;
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn run_once_syncs_what_is_due_and_nothing_when_nothing_is() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(0));
    let run = only_run(&machine).await;
    assert_eq!(
        (run.state, run.trigger, run.verdict),
        (RunState::Succeeded, Trigger::Schedule, Some(Verdict::Complete))
    );
    assert_eq!(products(&machine).await, 40);
    let calls = simulated.calls_made();
    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(0));
    assert_eq!((only_run(&machine).await.id, simulated.calls_made()), (run.id, calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_once_ends_with_the_gravest_outcome() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    simulated.set_faults(vec!["revoke@1".parse().expect("a fault")]);
    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(5));
    assert_eq!(only_run(&machine).await.state, RunState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_run_gives_it_back_uncounted_and_the_next_start_goes_on_there() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    // The third call is answered once the service has taken note of the signal, so what happens does not depend on time.
    let (arrived, asked) = mpsc::channel();
    let (go, answer) = mpsc::channel();
    simulated.before_call(3, move |_| {
        arrived.send(()).expect("the test waits");
        answer.recv_timeout(PATIENCE).expect("the test goes on");
    });
    let service = Service::start(&machine, &[], &[]);
    asked.recv_timeout(PATIENCE).expect("the third call");
    let asked_to_stop = Instant::now();
    terminate(service.process.id());
    service.says("stopping after the page under way");
    go.send(()).expect("the call waits");
    assert_eq!(service.ended(), Some(0));
    assert!(asked_to_stop.elapsed() < Duration::from_secs(10), "{:?}", asked_to_stop.elapsed());
    let run = only_run(&machine).await;
    assert_eq!((run.state, run.attempt, run.counts.pages), (RunState::Queued, 0, 3));
    assert_eq!((run.checkpoint.map(|at| at.page), run.lease_owner), (Some(3), None));
    assert_eq!((products(&machine).await, simulated.calls_made()), (12, 3));

    assert_eq!(Service::start(&machine, &["--once"], &[]).ended(), Some(0));
    let run = only_run(&machine).await;
    assert_eq!((run.verdict, run.attempt, run.counts.seen), (Some(Verdict::Complete), 1, 40));
    assert_eq!(simulated.calls()[3].page, Some(3), "no page is asked for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_tells_systemd_and_serves_a_run_that_somebody_else_queues() {
    let (machine, simulated) = machine_with_store(small_pages()).await;
    machine.execute("UPDATE stores SET paused_at = '2026-11-21T09:00:00.000+00:00'").await;
    let socket = machine.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).expect("a socket");
    systemd.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let hear = |words: &str| {
        let mut bytes = [0; 512];
        let length = systemd.recv(&mut bytes).unwrap_or_else(|error| panic!("never heard {words:?}: {error}"));
        let heard = String::from_utf8_lossy(&bytes[..length]);
        assert!(heard.contains(words), "heard {heard:?} instead of {words:?}");
    };
    let socket = socket.display().to_string();
    let service = Service::start(&machine, &[], &[("NOTIFY_SOCKET", &socket), ("NETOSYNC__SCHEDULE__TICK_SECS", "1")]);
    hear("READY=1");
    hear("STATUS=0 of 4 slots");
    assert_eq!(simulated.calls_made(), 0, "a paused store is left alone");
    let db = machine.database().await;
    runs::enqueue(&db, 1, RunKind::Full, Trigger::Manual, SystemClock.now()).await.expect("queued");
    db.close().await;
    hear("STATUS=1 of 4 slots");
    hear("STATUS=0 of 4 slots");
    terminate(service.process.id());
    hear("STOPPING=1");
    assert_eq!(service.ended(), Some(0));
    let run = only_run(&machine).await;
    assert_eq!((run.verdict, run.trigger), (Some(Verdict::Complete), Trigger::Manual));
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
    let text = include_str!("../systemd/config.toml");
    let config = Config::from_parts(Some((Path::new("config.toml"), text)), &BTreeMap::new()).expect("valid");
    let unit = include_str!("../systemd/netosync.service");
    assert_eq!(config.database.file().as_deref(), Some(Path::new("/var/lib/netosync/netosync.db")));
    let key = config.secrets.key_file.expect("a key file");
    assert!(unit.contains(&format!("LoadCredential=netosync.key:{}\n", key.display())), "{unit}");
}
