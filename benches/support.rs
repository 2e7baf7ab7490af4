//! What the benchmarks share: a simulated store, fresh databases, and a store ready to be synced.

use std::sync::Arc;

use netosync::clock::SystemClock;
use netosync::config::Config;
use netosync::domain::catalogue::{Child, Kind, PRODUCT, TEXTS};
use netosync::domain::lifecycle;
use netosync::domain::product::{Product, Row, Value};
use netosync::domain::run::{Lease, Run, RunKind, Trigger};
use netosync::domain::secret::Secret;
use netosync::domain::store::{Credential, Scheme, Store};
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::crypter::{Crypter, MasterKey};
use netosync::storage::runs::{self, Claim};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::{PlainCredential, Vault};
use netosync::storage::{Database, schema};
use netosync::sync::{Patience, Progress, Syncer};
use netosync::transport::{Settings, Transport};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

#[path = "../tests/it/support/postgres.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod postgres;

/// The database a benchmark runs on.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// What is removed when the benchmark is over.
pub enum Place {
    Folder { _folder: TempDir },
    Server { _scratch: postgres::Scratch },
}

/// A database with one store, whose simulated counterpart listens on loopback.
pub struct World {
    pub syncer: Syncer,
    pub store: Store,
    _place: Place,
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A simulated store whose products are rendered once and kept, so that it costs the benchmark little.
pub async fn simulated(products: usize) -> SimulatedStore {
    let config = SimulatorConfig { products, cache_bytes: 1 << 30, ..SimulatorConfig::default() };
    SimulatedStore::start(([127, 0, 0, 1], 0).into(), config).await.expect("a simulated store")
}

/// Settings without a budget that would be felt.
pub fn config(in_flight: u32) -> Config {
    let set = |key: &str, value: &str| (format!("NETOSYNC__{key}"), value.to_owned());
    let env = [
        set("TRANSPORT__ALLOW_LOOPBACK", "true"),
        set("BUDGET__CALLS_PER_MINUTE", "1000000"),
        set("FETCH__IN_FLIGHT", &in_flight.to_string()),
    ];
    Config::from_parts(None, &env.into()).expect("valid settings")
}

impl World {
    pub async fn new(engine: Engine, simulated: &SimulatedStore, config: Config) -> Self {
        let (url, place) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let url = format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display());
                (url, Place::Folder { _folder: folder })
            }
            Engine::Postgres => {
                let scratch = postgres::Scratch::empty().await;
                (scratch.url(), Place::Server { _scratch: scratch })
            }
        };
        let clock = Arc::new(SystemClock);
        let db = Database::connect(&Secret::new(&url), "netosync", clock.clone()).await.expect("a database");
        schema::migrate(&db).await.expect("tables");
        let new = NewStore {
            name: "bench".into(),
            connector: "neto".into(),
            url: simulated.url().parse().expect("a URL"),
            timezone: None,
            schedule_full: None,
            schedule_incremental: None,
            schedule_sweep: None,
            calls_per_minute: None,
        };
        let store = stores::add_store(&db, &new).await.expect("a store");
        let vault = Vault::new(Crypter::new(MasterKey::generate(), Vec::new()));
        let secret = Secret::new(simulated.key());
        let plain = PlainCredential::new(Scheme::ApiKey, secret);
        vault.put(&db, store.id, plain).await.expect("a credential");
        let transport = Transport::new(Settings::from(&config), clock.clone()).expect("a transport");
        let syncer = Syncer {
            db,
            transport: Arc::new(transport),
            vault: Arc::new(vault),
            config: Arc::new(config),
            clock,
            owner: "bench".into(),
            patience: Patience::Foreground,
            progress: Progress::default(),
            renews: true,
            connectors: Arc::default(),
        };
        Self { syncer, store, _place: place }
    }

    /// A run of the store, claimed.
    pub async fn claimed(&self) -> (Run, Lease) {
        let Syncer { db, clock, config, owner, .. } = &self.syncer;
        let now = clock.now();
        let (run, _) = runs::enqueue(db, self.store.id, RunKind::Full, Trigger::Manual, now).await.expect("a run");
        let claim = Claim { owner, lease_for: config.worker.lease(), only: Some(run.id), limit: 1, now };
        runs::claim(db, &claim).await.expect("a claim").pop().expect("the run is due")
    }

    /// One sync from claim to outcome.
    pub async fn sync(&self) -> Run {
        let (run, lease) = self.claimed().await;
        let id = run.id;
        self.syncer.execute(run, lease, &CancellationToken::new()).await.expect("a run");
        runs::get(&self.syncer.db, id).await.expect("the run").expect("is there")
    }
}

/// A credential for building requests.
pub fn credential(simulated: &SimulatedStore) -> Credential {
    Credential {
        store_id: 1,
        scheme: Scheme::ApiKey,
        username: None,
        client_id: None,
        secret: Secret::new(simulated.key()),
        refresh: None,
        client_secret: None,
        token_url: None,
        scopes: None,
        renewed_at: None,
        expires_at: None,
        fingerprint: String::new(),
        standing: lifecycle::Standing::working(chrono::DateTime::UNIX_EPOCH),
        failing: false,
    }
}

/// Products of the usual size: 62 columns, three texts and 14 child rows, about 3.8 KB as the store sends them.
pub fn usual_products(count: usize) -> Vec<Product<'static>> {
    let columns: Vec<usize> = (0..PRODUCT.len() - 2).filter(|column| column % 7 != 3).take(59).collect();
    let number = |id: i64, digits: u32| Value::Decimal(rust_decimal::Decimal::new(id % 1_000_000, digits));
    let at = |id: i64| chrono::DateTime::from_timestamp(1_600_000_000 + id, 0).expect("a time");
    let value = |kind: Kind, id: i64, name: &str| match kind {
        Kind::Text => Value::Text(format!("{name} {id}").into()),
        Kind::Int => Value::Int(id % 100),
        Kind::Decimal => number(id, 2),
        Kind::Bool => Value::Bool(id % 2 == 0),
        Kind::Time => Value::Time(at(id)),
        Kind::LocalTime => Value::LocalTime(at(id).naive_utc()),
        Kind::Date => Value::Date(at(id).date_naive()),
        Kind::Json => Value::Null,
    };
    let product = |id: i64| {
        let mut product = Product::empty(id);
        for &column in &columns {
            product.fields[column] = value(PRODUCT[column].kind, id, PRODUCT[column].name);
        }
        for (column, length) in [(0, 600), (1, 80), (12, 40)] {
            let words = format!("<p>{} of product {id}</p> ", TEXTS[column].name);
            product.texts[column] = Value::Text(words.repeat(length / words.len() + 1).into());
        }
        for (child, rows) in [
            (Child::Images, 3),
            (Child::Categories, 2),
            (Child::PriceGroups, 3),
            (Child::Stock, 2),
            (Child::Specifics, 4),
        ] {
            let columns = child.table().columns;
            let row = |place: i64| -> Row<'static> {
                let key = std::iter::once(Value::Int(place));
                key.chain(columns[1..].iter().map(|column| value(column.kind, id + place, column.name))).collect()
            };
            product.children[child as usize] = (0..rows).map(row).collect();
        }
        product
    };
    (1..=count as i64).map(product).collect()
}
