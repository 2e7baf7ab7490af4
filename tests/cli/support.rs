//! A desk to work at: a folder with a database, and the program that is run in it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use assert_cmd::Command;
use netosync::clock::SystemClock;
use netosync::domain::secret::Secret;
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::{Database, Pools};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::dump::dump;
use crate::postgres::Scratch;
use crate::rest::Rest;

/// A key that opens nothing. It is the canary of the tests that look for leaks.
pub const KEY: &str = "canary-key-of-the-tests-012345ab";

/// A folder with a database file, and the simulated stores of the test.
pub struct Desk {
    folder: TempDir,
    database: String,
    /// The database, when it is not a file of the folder.
    _scratch: Option<Scratch>,
    runtime: Runtime,
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    /// On a file `copy.db`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = format!("sqlite://{}?mode=rwc", folder.path().join("copy.db").display());
        Self { folder, database, _scratch: None, runtime: runtime() }
    }

    /// On a PostgreSQL server, with a master key.
    pub fn on_postgres() -> Self {
        let runtime = runtime();
        let scratch = runtime.block_on(Scratch::migrated());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let desk = Self { folder, database: scratch.url(), _scratch: Some(scratch), runtime };
        desk.run(&["keys", "init", "--key-file", "master.key"]).exits(0);
        desk
    }

    /// What commands have left in their folder for temporary files.
    pub fn left_behind(&self) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(self.temporary()).expect("the folder is there");
        entries.map(|entry| entry.expect("readable").file_name()).collect()
    }

    fn temporary(&self) -> std::path::PathBuf {
        let folder = self.folder().join("tmp");
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Everything the database holds.
    pub fn dump(&self) -> std::collections::BTreeMap<&'static str, Vec<String>> {
        let db = self.open();
        self.runtime.block_on(async {
            let all = dump(&db).await;
            db.close().await;
            all
        })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A simulated store that accepts [`KEY`].
    pub fn shop(&self, config: SimulatorConfig) -> SimulatedStore {
        let config = SimulatorConfig { products: 5, key: KEY.to_owned(), ..config };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        self.runtime.block_on(SimulatedStore::start(listen, config)).expect("a free port")
    }

    /// A small API that lets [`KEY`] in, and a connector `rest` that describes these streams of it.
    pub fn rest(&self, streams: &str) -> Rest {
        let rest = self.runtime.block_on(Rest::start());
        KEY.clone_into(&mut rest.api().key);
        let file = format!("name = \"rest\"\ntitle = \"Rest\"\n[auth.bearer]\n{streams}");
        std::fs::create_dir_all(self.folder().join("connectors")).expect("a folder");
        std::fs::write(self.folder().join("connectors/rest.toml"), file).expect("a file");
        rest
    }

    /// Stops a store, so that its port is closed.
    pub fn close(&self, shop: SimulatedStore) {
        self.runtime.block_on(shop.stop());
    }

    /// The program, set up for this desk: quick to give up, with a generous budget, and saying all it can.
    pub fn netosync(&self, args: &[&str]) -> Command {
        Command::from_std(self.std_command(args))
    }

    /// The same, for a test that talks to it while it runs.
    pub fn std_command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_netosync"));
        command.current_dir(self.folder()).args(args).env("TMPDIR", self.temporary());
        for (name, value) in [
            ("DATABASE__URL", self.database.as_str()),
            ("TRANSPORT__ALLOW_LOOPBACK", "true"),
            ("LOG__FILTER", "trace"),
            ("BUDGET__CALLS_PER_MINUTE", "1000000"),
            ("RETRY__INITIAL_MS", "1"),
            ("RETRY__MAX_MS", "1"),
            ("AUTH__CANARY_INITIAL_MS", "1"),
            ("AUTH__CANARY_MAX_MS", "1"),
        ] {
            command.env(format!("NETOSYNC__{name}"), value);
        }
        if self.folder().join("connectors").exists() {
            command.env("NETOSYNC__CONNECTORS__DIR", "connectors");
        }
        if self.folder().join("master.key").exists() {
            command.env("NETOSYNC__SECRETS__KEY_FILE", "master.key");
        }
        command
    }

    /// Runs a command.
    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(self.netosync(args).output())
    }

    /// Runs a command with `input` on its standard input.
    pub fn run_with(&self, args: &[&str], input: &str) -> Done {
        Done::of(self.netosync(args).write_stdin(input).output())
    }

    /// Runs a command that must succeed and gives its JSON.
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(args).exits(0).json()
    }

    /// Adds a store called `main` with `key`.
    pub fn add_main(&self, shop: &SimulatedStore, key: &str) {
        self.run_with(&["store", "add", "main", "--url", &shop.url(), "--key-file", "-"], key).exits(0);
    }

    /// Opens the database as another program would. As long as it is open, the write-ahead log stays.
    pub fn open(&self) -> Database {
        let url = Secret::new(&self.database);
        let opened = self.runtime.block_on(Database::connect(&url, "netosync", Arc::new(SystemClock)));
        opened.expect("the database opens")
    }

    /// Runs SQL on the database, for what no command does.
    pub fn sql(&self, sql: &str) {
        let (db, sql) = (self.open(), AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(async {
            match db.pools() {
                Pools::Sqlite(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.expect("the SQL works")),
                Pools::Postgres(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.expect("the SQL works")),
            }
            db.close().await;
        });
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

impl Done {
    pub fn of(output: std::io::Result<Output>) -> Self {
        let output = output.expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts that the last line on stderr is an error with all of `parts`.
    #[track_caller]
    pub fn complains(self, parts: &[&str]) -> Self {
        let last = self.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && parts.iter().all(|part| last.contains(part)), "{parts:?} {self:#?}");
        self
    }

    /// Asserts that stdout contains all of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        assert!(parts.iter().all(|part| self.out.contains(part)), "{parts:?} {self:#?}");
        self
    }

    /// The JSON on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
