//! A database, a store in it, the simulated shop behind that store and a worker: everything a run needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use netosync::clock::SharedClock;
use netosync::config::Config;
use netosync::connector::described::Registry;
use netosync::domain::error::ErrorClass;
use netosync::domain::product::Product;
use netosync::domain::run::{Lease, Run, RunKind, RunState, Trigger};
use netosync::domain::secret::Secret;
use netosync::domain::store::{Scheme, Store};
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::Database;
use netosync::storage::crypter::{Crypter, MasterKey};
use netosync::storage::runs::{self, Claim};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::{PlainCredential, Vault};
use netosync::sync::{Patience, Progress, Syncer};
use netosync::transport::{Settings, Transport};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{TestDb, mirrored};

/// Any free port of this machine.
pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// What differs from the default configuration: the shop is here, calls cost nothing and nobody waits long.
pub const SETTINGS: &[(&str, &str)] = &[
    ("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true"),
    ("NETOSYNC__BUDGET__CALLS_PER_MINUTE", "1000000"),
    ("NETOSYNC__RETRY__INITIAL_MS", "1"),
    ("NETOSYNC__SCHEDULE__INCREMENTAL", ""),
    ("NETOSYNC__SCHEDULE__SWEEP", ""),
    ("NETOSYNC__RETRY__MAX_MS", "1"),
    ("NETOSYNC__AUTH__CANARY_INITIAL_MS", "1"),
    ("NETOSYNC__AUTH__CANARY_MAX_MS", "1"),
];

/// The default configuration with [`SETTINGS`] and then `more`, as variables of the environment.
pub fn config(more: &[(&str, &str)]) -> Config {
    let variables: BTreeMap<_, _> =
        SETTINGS.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_parts(None, &variables).expect("the tests' settings are right")
}

/// A worker on a database.
pub fn worker(db: &Database, config: Config, vault: Vault, connectors: Registry, clock: SharedClock) -> Syncer {
    Syncer {
        db: db.clone(),
        transport: Arc::new(Transport::new(Settings::from(&config), clock.clone()).expect("an HTTP client")),
        vault: Arc::new(vault),
        config: Arc::new(config),
        clock,
        owner: "worker-1".to_owned(),
        patience: Patience::Daemon,
        progress: Progress::default(),
        renews: true,
        connectors: Arc::new(connectors),
    }
}

/// See the module.
pub struct World {
    pub db: TestDb,
    pub store: Store,
    pub shop: SimulatedStore,
    pub syncer: Syncer,
}

impl World {
    /// A shop like `shop`, with a worker that goes by the default configuration.
    pub async fn new(db: TestDb, shop: SimulatorConfig) -> Self {
        Self::with(db, shop, &[]).await
    }

    /// A shop like `shop`, with a worker that has settings of its own.
    pub async fn with(db: TestDb, shop: SimulatorConfig, settings: &[(&str, &str)]) -> Self {
        Self::with_keys(db, shop, settings, Crypter::new(MasterKey::generate(), Vec::new())).await
    }

    /// [`World::with`] a master key that others know too.
    pub async fn with_keys(db: TestDb, shop: SimulatorConfig, settings: &[(&str, &str)], keys: Crypter) -> Self {
        let clock = db.clock.clone();
        Self::on_clock(db, shop, settings, keys, clock).await
    }

    /// [`World::with_keys`] in which worker and shop go by a clock of their own.
    pub async fn on_clock(
        db: TestDb,
        shop: SimulatorConfig,
        settings: &[(&str, &str)],
        keys: Crypter,
        clock: SharedClock,
    ) -> Self {
        let shop = SimulatedStore::start(LOOPBACK, SimulatorConfig { clock: clock.clone(), ..shop });
        let shop = shop.await.expect("a free port");
        let vault = Vault::new(keys);
        let store = add_store(&db, &vault, "shop", &shop).await;
        let config = config(settings);
        let syncer = worker(&db, config, vault, Registry::default(), clock);
        Self { db, store, shop, syncer }
    }

    /// Another store that is the same shop.
    pub async fn another_store(&self, name: &str) -> Store {
        add_store(&self.db, &self.syncer.vault, name, &self.shop).await
    }

    /// A store that is another shop.
    pub async fn store_at(&self, name: &str, shop: &SimulatedStore) -> Store {
        add_store(&self.db, &self.syncer.vault, name, shop).await
    }

    /// The same worker with other settings.
    pub fn worker(&self, settings: &[(&str, &str)]) -> Syncer {
        let config = config(settings);
        let transport = Transport::new(Settings::from(&config), self.db.clock.clone()).expect("an HTTP client");
        Syncer { config: Arc::new(config), transport: Arc::new(transport), ..self.syncer.clone() }
    }

    /// Puts a run into the queue, or finds the one that is there.
    pub async fn enqueue(&self, store: &Store) -> Run {
        self.enqueue_kind(store, RunKind::Full).await
    }

    /// [`World::enqueue`] of a kind.
    pub async fn enqueue_kind(&self, store: &Store, kind: RunKind) -> Run {
        let now = self.syncer.clock.now();
        runs::enqueue(&self.db, store.id, kind, Trigger::Manual, now).await.expect("a queue").0
    }

    /// Claims the oldest run that is due, as `owner`.
    pub async fn claim(&self, owner: &str) -> Option<(Run, Lease)> {
        let lease_for = self.syncer.config.worker.lease();
        let claim = Claim { owner, lease_for, only: None, limit: 1, now: self.syncer.clock.now() };
        runs::claim(&self.db, &claim).await.expect("a queue").pop()
    }

    /// Lets `worker` work on a store's run, queued if need be, and gives the run as it then is. When it rests because its key
    /// is in doubt, the time of that rest passes and it is worked on again.
    pub async fn sync_store(&self, worker: &Syncer, store: &Store) -> Run {
        self.sync_kind(worker, store, RunKind::Full).await
    }

    /// [`World::sync_store`] of a kind.
    pub async fn sync_kind(&self, worker: &Syncer, store: &Store, kind: RunKind) -> Run {
        self.enqueue_kind(store, kind).await;
        loop {
            let run = self.work_once(worker).await;
            if (run.state, run.error_class) != (RunState::Queued, Some(ErrorClass::Unauthorized)) {
                return run;
            }
            self.db.clock.advance(run.scheduled_at - self.syncer.clock.now());
        }
    }

    /// Lets `worker` work once on the oldest run that is due, and gives the run as it then is.
    pub async fn work_once(&self, worker: &Syncer) -> Run {
        let (run, lease) = self.claim(&worker.owner).await.expect("the run is due");
        let id = run.id;
        worker.execute(run, lease, &CancellationToken::new()).await.expect("the database works");
        self.run(id).await
    }

    /// [`World::sync_store`] with the ordinary worker and store.
    pub async fn sync(&self) -> Run {
        self.sync_store(&self.syncer, &self.store).await
    }

    /// [`World::sync`] of a kind.
    pub async fn sync_as(&self, kind: RunKind) -> Run {
        self.sync_kind(&self.syncer, &self.store, kind).await
    }

    /// A run as it is in the database.
    pub async fn run(&self, id: i64) -> Run {
        runs::get(&self.db, id).await.expect("the database works").expect("the run stays")
    }

    /// Where the mirror of the ordinary store is not what the shop has.
    pub async fn errors(&self) -> Vec<String> {
        mirrored::errors(&self.db, self.store.id, &self.shop).await
    }

    /// Everything the mirror holds of the ordinary store.
    pub async fn mirror(&self) -> BTreeMap<i64, Product<'static>> {
        mirrored::products(&self.db, self.store.id).await
    }
}

/// Adds a store that is that shop, with its key.
pub async fn add_store(db: &Database, vault: &Vault, name: &str, shop: &SimulatedStore) -> Store {
    let store = stores::add_store(db, &shop_at(name, &shop.url())).await.expect("a new store");
    vault.put(db, store.id, key(shop.key())).await.expect("a sealed credential");
    store
}

fn shop_at(name: &str, url: &str) -> NewStore {
    NewStore {
        name: name.to_owned(),
        connector: "neto".to_owned(),
        url: Url::parse(url).expect("the simulator's address"),
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: None,
    }
}

/// A key as an operator gives it.
pub fn key(secret: &str) -> PlainCredential {
    PlainCredential::new(Scheme::ApiKey, Secret::new(secret))
}
