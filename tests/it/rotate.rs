//! `netosync keys rotate`, as a process, beside whatever else uses credentials.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use chrono::TimeDelta;
use netosync::clock::{Clock, SystemClock};
use netosync::domain::secret::Secret;
use netosync::domain::store::Store;
use netosync::storage::credentials::{SealedCredential, list_credentials, load_credential, put_sealed_by};
use netosync::storage::crypter::{Location, MasterKey};
use netosync::storage::instances::{self, Instance};
use netosync::storage::key_file::KeyFile;
use netosync::storage::master_key::{self, Found, Places};
use netosync::storage::rotation;
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::Vault;
use netosync::storage::{Database, Engine, StorageError};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::support::mirrored::texts;
use crate::support::world::key;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    killed_at_any_moment_every_secret_opens_with_the_one_key_it_names,
    a_credential_that_is_replaced_during_a_rotation_is_neither_lost_nor_brought_back,
    a_service_with_the_old_keys_opens_what_was_resealed_and_seals_with_the_new_key,
    two_rotations_at_once_make_one_key,
    a_rotation_that_is_not_finished_is_noticed_and_its_old_key_kept,
    services_elsewhere_get_the_key_file_first,
    a_key_is_not_forgotten_while_somebody_seals_with_it,
);

struct Desk {
    db: TestDb,
    folder: TempDir,
    stores: Vec<Store>,
}

impl Desk {
    async fn new(db: TestDb, count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(master_key::create(&folder.path().join("master.key"), &[MasterKey::generate()]).expect("writable"));
        let mut desk = Self { db, folder, stores: Vec::new() };
        let vault = Vault::of_file(desk.found());
        for number in 0..count {
            let new = NewStore {
                name: format!("store-{number:03}"),
                connector: "neto".to_owned(),
                url: "https://shop.example".parse().expect("a URL"),
                timezone: None,
                schedule_full: None,
                schedule_incremental: None,
                schedule_sweep: None,
                calls_per_minute: None,
            };
            let store = stores::add_store(&desk.db, &new).await.expect("added");
            vault.put(&desk.db, store.id, key(&secret(&store))).await.expect("stored");
            desk.stores.push(store);
        }
        desk
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    fn found(&self) -> Found {
        master_key::find(&Places { key_file: Some(self.key_file()), ..Places::default() }, &[]).expect("a key file")
    }

    fn key_ids(&self) -> Vec<String> {
        self.found().crypter.key_ids()
    }

    fn netosync(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netosync"));
        command
            .args(args)
            .env_clear()
            .current_dir(self.folder.path())
            .env("NETOSYNC__DATABASE__URL", self.db.url().expose())
            .env("NETOSYNC__SECRETS__KEY_FILE", self.key_file())
            .env("NETOSYNC__LOG__FILTER", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program; what it says holds neither key nor secret.
    async fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = self.netosync(args);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
        self.said(&output)
    }

    fn said(&self, output: &Output) -> (Option<i32>, String) {
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
        let keys = std::fs::read_to_string(self.key_file()).expect("readable");
        assert!(!keys.lines().any(|line| said.contains(&line[master_key::LINE_START.len()..])), "{said}");
        assert!(!said.contains("canary-"), "{said}");
        (output.status.code(), said)
    }

    /// Each secret opens with exactly one key of the file, the one that its row names; gives those names.
    async fn assert_readable(&self, expected: impl Fn(&Store) -> String) -> Vec<String> {
        let crypter = self.found().crypter;
        let all = list_credentials(&self.db).await.expect("listed");
        assert_eq!(all.len(), self.stores.len());
        let mut names = Vec::new();
        for (found, store) in all.into_iter().zip(&self.stores) {
            let place = Location { table: "credentials", column: "secret", row: store.id };
            let ids = crypter.key_ids();
            let opened: Vec<_> = ids
                .iter()
                .filter_map(|id| Some((id, crypter.open(&place, id, &found.sealed.secret).ok()?)))
                .map(|(id, secret)| (id.clone(), secret.expose().to_owned()))
                .collect();
            assert_eq!(opened, [(found.sealed.key_id.clone(), expected(store))], "{}", store.name);
            names.push(found.sealed.key_id);
        }
        names
    }
}

fn secret(store: &Store) -> String {
    format!("canary-{}", store.name)
}

/// Kills a process when it has said so many lines, or after a moment when it has said none; whether it lived until then.
fn kill_after(mut process: Child, lines: usize, moment: Duration) -> bool {
    let stderr = BufReader::new(process.stderr.take().expect("piped"));
    if lines == 0 {
        // Not waited for anything: the moment is to be a random one.
        std::thread::sleep(moment);
    } else {
        let _ = stderr.lines().map_while(Result::ok).filter(|line| line.starts_with("sealed ")).nth(lines - 1);
    }
    let lived = process.try_wait().expect("it is ours").is_none();
    process.kill().expect("it is ours");
    process.wait().expect("it is ours");
    lived
}

async fn killed_at_any_moment_every_secret_opens_with_the_one_key_it_names(db: TestDb) {
    let desk = Desk::new(db, 200).await;
    let mut rng = SmallRng::seed_from_u64(5);
    let (mut killed, mut between) = (0, 0);
    for _ in 0..16 {
        let (lines, moment) = (rng.random_range(0..8), Duration::from_millis(rng.random_range(0..120)));
        let done = desk.key_ids().len() > 1 && {
            let names = desk.assert_readable(secret).await;
            names.iter().all(|name| *name == desk.key_ids()[0])
        };
        let args: &[&str] = if done { &["keys", "rotate", "--forget-old"] } else { &["keys", "rotate"] };
        let process = desk.netosync(args).spawn().expect("it starts");
        let lived = tokio::task::spawn_blocking(move || kill_after(process, lines, moment)).await.expect("no panic");
        killed += usize::from(lived);
        let names = desk.assert_readable(secret).await;
        between += usize::from(names.iter().any(|name| *name != names[0]));
    }
    println!("{killed} killed, {between} with some resealed and some not");
    assert!(between > 0, "none was killed in the middle");

    assert_eq!(desk.run(&["keys", "rotate"]).await.0, Some(0));
    assert_eq!(desk.run(&["keys", "rotate", "--forget-old"]).await.0, Some(0));
    let names = desk.assert_readable(secret).await;
    assert_eq!(desk.key_ids(), [names[0].clone()]);
    let left: Vec<_> = std::fs::read_dir(desk.folder.path()).expect("ours").map(|entry| entry.expect("one")).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

async fn a_credential_that_is_replaced_during_a_rotation_is_neither_lost_nor_brought_back(db: TestDb) {
    let desk = Desk::new(db, 60).await;
    let vault = Vault::of_file(desk.found());
    let before = load_credential(&desk.db, desk.stores[0].id).await.expect("read").expect("there");
    let fresh = |store: &Store| format!("canary-new-{}", store.name);
    vault.put(&desk.db, desk.stores[0].id, key(&fresh(&desk.stores[0]))).await.expect("stored");
    assert!(!vault.reseal(&desk.db, &before).await.expect("done"), "it is not the stored one any more");

    let process = desk.netosync(&["keys", "rotate"]).spawn().expect("it starts");
    for store in &desk.stores[1..] {
        vault.put(&desk.db, store.id, key(&fresh(store))).await.expect("stored");
    }
    let output = tokio::task::spawn_blocking(|| process.wait_with_output()).await.expect("no panic").expect("it ends");

    let (code, said) = desk.said(&output);
    assert_eq!(code, Some(0), "{said}");
    let names = desk.assert_readable(fresh).await;
    assert!(names.iter().all(|name| *name == desk.key_ids()[0]));
}

async fn a_service_with_the_old_keys_opens_what_was_resealed_and_seals_with_the_new_key(db: TestDb) {
    let desk = Desk::new(db, 3).await;
    let service = Vault::of_file(desk.found());
    let prints = |all: Vec<SealedCredential>| all.into_iter().map(|one| one.sealed.fingerprint);
    let before: Vec<_> = prints(list_credentials(&desk.db).await.expect("listed")).collect();
    let old = desk.key_ids()[0].clone();
    assert_eq!(desk.run(&["keys", "rotate"]).await.0, Some(0));
    assert_eq!(desk.run(&["keys", "rotate", "--forget-old"]).await.0, Some(0));
    let [new] = &desk.key_ids()[..] else { panic!("one key") };
    assert_ne!(*new, old);

    for store in &desk.stores {
        let credential = service.open(&desk.db, store.id, &store.name).await.expect("opens");
        assert_eq!(credential.secret.expose(), secret(store));
    }
    // A run that began before goes by the fingerprint; and the same key entered again is the same key.
    let store = &desk.stores[0];
    service.put(&desk.db, store.id, key(&secret(store))).await.expect("stored");
    assert_eq!(prints(list_credentials(&desk.db).await.expect("listed")).collect::<Vec<_>>(), before);
    assert_eq!(desk.assert_readable(secret).await, vec![new.clone(); 3]);
}

async fn two_rotations_at_once_make_one_key(db: TestDb) {
    let desk = Desk::new(db, 60).await;
    let (one, two) = tokio::join!(desk.run(&["keys", "rotate"]), desk.run(&["keys", "rotate"]));
    assert_eq!((one.0, two.0), (Some(0), Some(0)), "{} {}", one.1, two.1);
    assert_eq!(desk.key_ids().len(), 2);
    let names = desk.assert_readable(secret).await;
    assert!(names.iter().all(|name| *name == desk.key_ids()[0]));
}

async fn a_rotation_that_is_not_finished_is_noticed_and_its_old_key_kept(db: TestDb) {
    let desk = Desk::new(db, 2).await;
    let copy = desk.folder.path().join("copy");
    std::fs::create_dir(&copy).expect("ours");
    std::fs::copy(desk.key_file(), copy.join("netosync.key")).expect("copied");
    let mut command = desk.netosync(&["keys", "rotate"]);
    command.env_remove("NETOSYNC__SECRETS__KEY_FILE").env("CREDENTIALS_DIRECTORY", &copy);
    let (code, said) = desk.said(&command.output().expect("it starts"));
    assert!(code == Some(3) && said.contains("LoadCredential=") && said.contains("--key-file"), "{said}");
    std::fs::create_dir(desk.folder.path().join(".master.key.new")).expect("in the way of the draft");
    let (code, said) = desk.run(&["keys", "rotate"]).await;
    assert!(code == Some(3) && said.contains("cannot be replaced and is as it was"), "{said}");
    assert_eq!(desk.key_ids().len(), 1);
    std::fs::remove_dir(desk.folder.path().join(".master.key.new")).expect("ours");

    KeyFile::lock(&desk.found()).expect("locked").put_first(&MasterKey::generate()).expect("replaced");
    let (code, said) = desk.run(&["keys", "rotate", "--forget-old"]).await;
    assert!(code == Some(1) && said.contains("still sealed with an old master key"), "{said}");
    let (code, said) = desk.run(&["check"]).await;
    assert!(code == Some(0) && said.contains("a rotation is not finished, 2 are sealed with an old key"), "{said}");
    let (code, said) = desk.run(&["keys", "rotate"]).await;
    assert!(code == Some(0) && said.contains("going on") && desk.key_ids().len() == 2, "{said}");
    let (code, said) = desk.run(&["check"]).await;
    assert!(code == Some(0) && said.contains("keys rotate --forget-old"), "{said}");
    let (code, said) = desk.run(&["keys", "rotate"]).await;
    assert!(code == Some(0) && said.contains("nothing to do") && desk.key_ids().len() == 2, "{said}");
    assert_eq!(desk.run(&["keys", "rotate", "--forget-old"]).await.0, Some(0));
    let (code, said) = desk.run(&["check"]).await;
    assert!(code == Some(0) && !said.contains("keys rotate"), "{said}");

    // The key file of before knows nothing of all this.
    std::fs::copy(copy.join("netosync.key"), desk.key_file()).expect("copied");
    let (code, said) = desk.run(&["check"]).await;
    assert!(code == Some(3) && said.contains("does not open 2 of 2") && said.contains("not in the key file"), "{said}");
}

async fn services_elsewhere_get_the_key_file_first(db: TestDb) {
    let desk = Desk::new(db, 2).await;
    let old = desk.key_ids()[0].clone();
    let now = SystemClock.now();
    let instance = Instance {
        name: "elsewhere:1:0".to_owned(),
        host: "elsewhere".to_owned(),
        pid: 1,
        version: "0".to_owned(),
        started_at: now,
        seen_at: now + TimeDelta::hours(1),
        slots: 1,
        running: 0,
    };
    instances::beat(&desk.db, &instance).await.expect("registered");
    let (code, said) = desk.run(&["keys", "rotate"]).await;
    assert!(code == Some(1) && said.contains("elsewhere") && said.contains("--copied"), "{said}");
    assert_eq!(desk.assert_readable(secret).await, [old.clone(), old.clone()]);
    assert_eq!(desk.key_ids().len(), 2);
    let (code, said) = desk.run(&["keys", "rotate", "--copied"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(desk.run(&["keys", "rotate", "--forget-old"]).await.0, Some(1));
    assert_eq!(desk.key_ids().len(), 2);
    assert_eq!(desk.run(&["keys", "rotate", "--forget-old", "--copied"]).await.0, Some(0));
    assert_eq!(desk.key_ids().len(), 1);
    assert!(!desk.assert_readable(secret).await.contains(&old));
}

async fn a_key_is_not_forgotten_while_somebody_seals_with_it(db: TestDb) {
    let desk = Desk::new(db, 1).await;
    let id = desk.stores[0].id;
    let sealed_with_old = load_credential(&desk.db, id).await.expect("read").expect("there").sealed;
    let old = vec![sealed_with_old.key_id.clone()];
    assert_eq!(desk.run(&["keys", "rotate"]).await.0, Some(0));
    let url = desk.db.url().clone();
    let mut forgetting = None;

    let put = put_sealed_by(&desk.db, id, || {
        let (tell, told) = std::sync::mpsc::channel();
        forgetting = Some(std::thread::spawn(move || forget_elsewhere(&url, &old, &tell)));
        told.recv().expect("it is done, or waits for us");
        Ok::<_, StorageError>(sealed_with_old)
    });

    put.await.expect("stored");
    let forgot = forgetting.expect("begun").join().expect("no panic");
    assert!(!forgot, "the credential that was being stored needs the key");
    assert_eq!(desk.run(&["keys", "rotate", "--forget-old"]).await.0, Some(1));
    assert_eq!(desk.run(&["keys", "rotate"]).await.0, Some(0));
    assert_eq!(desk.assert_readable(secret).await, [desk.key_ids()[0].clone()]);
}

/// Forgets `keys` unless they are in use; tells when that is done, or waits for whoever is storing a credential.
fn forget_elsewhere(url: &Secret, keys: &[String], tell: &Sender<()>) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let db = Database::connect(url, "netosync", Arc::new(SystemClock)).await.expect("the database opens");
        let waits = async {
            // On SQLite the transaction of the other has the database to itself.
            while db.engine() == Engine::Postgres && texts(&db, WAITING).await[0][0].as_deref() == Some("0") {}
            let _ = tell.send(());
            std::future::pending::<()>().await;
        };
        let forgot = rotation::unless_in_use(&db, keys, || Ok::<_, StorageError>(()));
        let forgot = tokio::select! {
            forgot = forgot => forgot.expect("the database works"),
            () = waits => unreachable!("it waits for ever"),
        };
        let _ = tell.send(());
        forgot
    })
}

/// How many wait for a lock of a table of this database.
const WAITING: &str = "SELECT CAST(count(*) AS TEXT) FROM pg_locks WHERE NOT granted AND database = \
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
