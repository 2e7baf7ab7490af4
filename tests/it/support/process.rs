//! The program itself, as a process that can be killed at a moment the shop chooses.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::crypter::MasterKey;
use netosync::storage::master_key::{self, Places};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::TestDb;
use super::world::{SETTINGS, World};

/// A test that waits longer than this waits for ever.
pub const HANGS: Duration = Duration::from_mins(2);

/// A world whose database and keys other processes can open too.
pub struct Desk {
    pub world: World,
    variables: Vec<(String, String)>,
    _keys: TempDir,
}

impl Desk {
    /// A shop of so many products and processes with `settings`, whose leases are short.
    pub async fn new(db: TestDb, products: usize, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key_file: PathBuf = folder.path().join("master.key");
        assert!(master_key::create(&key_file, &[MasterKey::generate()]).expect("writable"));
        let places = Places { key_file: Some(key_file.clone()), ..Places::default() };
        let keys = master_key::find(&places, &[]).expect("a key").crypter;
        let own = [
            ("NETOSYNC__DATABASE__URL", db.url().expose().to_owned()),
            ("NETOSYNC__SECRETS__KEY_FILE", key_file.display().to_string()),
            ("NETOSYNC__WORKER__LEASE_SECS", "5".to_owned()),
        ];
        let given = SETTINGS.iter().chain(settings).map(|(name, value)| (*name, (*value).to_owned()));
        let variables = own.into_iter().chain(given).map(|(name, value)| (name.to_owned(), value)).collect();
        let shop = SimulatorConfig { products, quirks: true, ..SimulatorConfig::default() };
        Self { world: World::with_keys(db, shop, settings, keys).await, variables, _keys: folder }
    }

    /// `netosync sync shop --json`.
    pub fn sync(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netosync"));
        command.args(["sync", "shop", "--json"]).env_clear().envs(self.variables.clone()).stdin(Stdio::null());
        command
    }

    /// Starts `netosync sync shop` and kills it (`kill -9`) when the shop has got call `number` and not answered yet.
    pub async fn sync_until_call(&self, number: u64) {
        let process: Arc<Mutex<Option<Child>>> = Arc::default();
        let killed = kill_before_answer(&self.world.shop, number, process.clone());
        {
            // The call waits for this lock, so there is a process to kill when it comes.
            let mut place = process.lock().expect("nobody panics with it");
            let spawned = self.sync().stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            *place = Some(spawned.expect("the program starts"));
        }
        tokio::time::timeout(HANGS, killed).await.expect("the call comes").expect("it is killed");
    }

    /// Starts `netosync sync shop` and stops it (`SIGSTOP`) when the shop has got call `number` and not answered yet.
    pub async fn sync_stopped_at_call(&self, number: u64) -> Stopped {
        let (tell_id, process_id) = std::sync::mpsc::channel::<u32>();
        let (tell, told) = oneshot::channel();
        self.world.shop.before_call(number, move |_| {
            signal("STOP", process_id.recv().expect("there is a process"));
            tell.send(()).expect("the test waits");
        });
        let process = self.sync().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        tell_id.send(process.id()).expect("the shop waits");
        tokio::time::timeout(HANGS, told).await.expect("the call comes").expect("it is stopped");
        Stopped(process)
    }

    /// Runs `netosync sync shop` to its end.
    pub async fn sync_to_the_end(&self) -> Output {
        let mut command = self.sync();
        let output = tokio::task::spawn_blocking(move || command.output());
        tokio::time::timeout(HANGS, output).await.expect("it ends").expect("no panic").expect("the program starts")
    }
}

/// A process that stands still; killed when dropped.
pub struct Stopped(Child);

impl Stopped {
    /// Lets it go on (`SIGCONT`), to its end.
    pub async fn continued(mut self) -> ExitStatus {
        signal("CONT", self.0.id());
        let ended = tokio::task::spawn_blocking(move || self.0.wait());
        tokio::time::timeout(HANGS, ended).await.expect("it ends").expect("no panic").expect("it is ours")
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        drop(self.0.kill());
    }
}

/// Sends a signal: `STOP`, `CONT`, `TERM`.
pub fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().expect("kill exists");
    assert!(sent.success());
}

fn kill_before_answer(shop: &SimulatedStore, number: u64, process: Arc<Mutex<Option<Child>>>) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    shop.before_call(number, move |_| {
        let mut process = process.lock().expect("nobody panics with it").take().expect("a process");
        process.kill().expect("it lives");
        process.wait().expect("it is ours");
        tell.send(()).expect("the test waits");
    });
    told
}
