//! A database, a store of a described connector in it, the API behind that store and a worker.

use std::collections::BTreeMap;

use netosync::connector::described::Registry;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Lease, Run, RunKind, RunState, Trigger};
use netosync::domain::secret::Secret;
use netosync::domain::store::{Scheme, Store};
use netosync::storage::changes::{self, Subject};
use netosync::storage::crypter::{Crypter, MasterKey};
use netosync::storage::runs::{self, Claim};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::{PlainCredential, Vault};
use netosync::sync::Syncer;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::TestDb;
use super::mirrored::texts;
use super::rest::Rest;
use super::world::{config, worker};

/// See the module.
pub struct Described {
    pub db: TestDb,
    pub store: Store,
    pub rest: Rest,
    pub syncer: Syncer,
    _files: TempDir,
}

impl Described {
    /// An API with these streams.
    pub async fn new(db: TestDb, streams: &str) -> Self {
        Self::with(db, streams, &[]).await
    }

    /// The same for a worker with settings of its own.
    pub async fn with(db: TestDb, streams: &str, settings: &[(&str, &str)]) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let file = format!("name = \"rest\"\ntitle = \"Rest\"\n[auth.bearer]\n{streams}");
        std::fs::write(files.path().join("rest.toml"), file).expect("a file");
        let connectors = Registry::load(Some(files.path()));
        connectors.get("rest").expect("the description is right");
        let rest = Rest::start().await;
        let new = NewStore {
            name: "rest".to_owned(),
            connector: "rest".to_owned(),
            url: rest.url.clone(),
            timezone: None,
            schedule_full: None,
            schedule_incremental: None,
            schedule_sweep: None,
            calls_per_minute: None,
        };
        let store = stores::add_store(&db, &new).await.expect("a new store");
        let vault = Vault::new(Crypter::new(MasterKey::generate(), Vec::new()));
        let key = PlainCredential::new(Scheme::Bearer, Secret::new("not-a-key"));
        vault.put(&db, store.id, key).await.expect("a sealed credential");
        let (config, clock) = (config(settings), db.clock.clone());
        let syncer = worker(&db, config, vault, connectors, clock);
        Self { db, store, rest, syncer, _files: files }
    }

    /// Queues a run of a kind.
    pub async fn enqueue(&self, kind: RunKind) -> Run {
        let now = self.syncer.clock.now();
        runs::enqueue(&self.db, self.store.id, kind, Trigger::Manual, now).await.expect("a queue").0
    }

    /// Claims the run that is due.
    pub async fn claim(&self) -> (Run, Lease) {
        let lease_for = self.syncer.config.worker.lease();
        let claim = Claim { owner: &self.syncer.owner, lease_for, only: None, limit: 1, now: self.syncer.clock.now() };
        runs::claim(&self.db, &claim).await.expect("a queue").pop().expect("the run is due")
    }

    /// Works once on the run that is due, until it ends, rests or `stop` says so.
    pub async fn work_once(&self, stop: &CancellationToken) -> Run {
        let (run, lease) = self.claim().await;
        let id = run.id;
        self.syncer.execute(run, lease, stop).await.expect("the database works");
        runs::get(&self.db, id).await.expect("the database works").expect("the run stays")
    }

    /// Syncs; the rests of a key in doubt pass.
    pub async fn sync(&self, kind: RunKind) -> Run {
        let run = self.enqueue(kind).await;
        self.db.clock.advance((run.scheduled_at - self.syncer.clock.now()).max(chrono::TimeDelta::zero()));
        loop {
            let run = self.work_once(&CancellationToken::new()).await;
            if (run.state, run.error_class) != (RunState::Queued, Some(ErrorClass::Unauthorized)) {
                return run;
            }
            self.db.clock.advance(run.scheduled_at - self.syncer.clock.now());
        }
    }

    /// What is held of a stream, removed ones left out.
    pub async fn held(&self, stream: &str) -> BTreeMap<String, Value> {
        let sql = format!(
            "SELECT key, CAST(data AS TEXT) FROM records WHERE store_id = {} AND stream = '{stream}' AND removed_at IS NULL",
            self.store.id
        );
        let row = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter().flatten();
            let (key, data) = (cells.next().expect("a key"), cells.next().expect("data"));
            (key, serde_json::from_str(&data).expect("JSON"))
        };
        texts(&self.db, &sql).await.into_iter().map(row).collect()
    }

    /// What the API has of a list, by key.
    pub fn truth(&self, list: &str) -> BTreeMap<String, Value> {
        let api = self.rest.api();
        api.lists[list].iter().map(|record| (record["id"].to_string(), record.clone())).collect()
    }

    /// Holds that a stream is held exactly as the API has it.
    pub async fn assert_exact(&self, stream: &str) {
        assert_eq!(self.held(stream).await, self.truth(stream), "{stream}");
    }

    /// The lines of the feed after `seq` as `kind stream/key`, and the number of the last.
    pub async fn feed(&self, seq: i64) -> (Vec<String>, i64) {
        let lines = changes::after(&self.db, self.store.id, Some(seq), 10_000).await.expect("readable");
        let last = lines.last().map_or(seq, |line| line.seq);
        let told = lines.into_iter().map(|line| {
            let Subject::Record { stream, key } = line.subject else { panic!("a record") };
            format!("{} {stream}/{key}", line.kind)
        });
        (told.collect(), last)
    }
}
