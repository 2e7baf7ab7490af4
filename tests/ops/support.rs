//! What the tests share: a machine of its own, and a simulated store it knows.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use netosync::clock::SystemClock;
use netosync::domain::secret::Secret;
use netosync::domain::store::Scheme;
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::master_key::{self, Places};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::{PlainCredential, Vault};
use netosync::storage::{Database, schema};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

/// A machine of its own: a folder to work in and nothing of this one's configuration.
pub struct Machine {
    pub folder: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.path().join("netosync.db").display())
    }

    /// The program, with the settings of this machine.
    pub fn std_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("netosync"));
        command.env_clear().current_dir(self.path()).env("NETOSYNC__DATABASE__URL", self.url());
        command
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.std_command();
        command.args(arguments);
        let mut command = Command::from_std(command);
        command.timeout(PATIENCE);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("the program starts"))
    }

    pub async fn database(&self) -> Database {
        let url = Secret::new(&self.url());
        Database::connect(&url, "netosync", Arc::new(SystemClock)).await.expect("the database opens")
    }

    pub async fn execute(&self, sql: &str) {
        let db = self.database().await;
        db.orm().execute_unprepared(sql).await.expect(sql);
        db.close().await;
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("our folder");
    }

    /// Names of the files in the folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("our folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("our folder").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// How the program ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A simulated store, and a machine that knows it by the name `main`.
pub async fn machine_with_store(config: SimulatorConfig) -> (Machine, SimulatedStore) {
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
    let plain = PlainCredential::new(Scheme::ApiKey, key);
    Vault::new(found.crypter).put(&db, store.id, plain).await.expect("stored");
    db.close().await;
    (machine, simulated)
}

/// Few products on many small pages.
pub fn small_pages() -> SimulatorConfig {
    SimulatorConfig { products: 80, page_cap: Some(8), ..SimulatorConfig::default() }
}

/// Longer than anything here takes, so that a broken program fails a test instead of hanging it.
pub const PATIENCE: Duration = Duration::from_mins(1);
