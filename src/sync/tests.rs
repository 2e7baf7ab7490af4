//! What becomes of a run that hangs or panics, and what its heartbeat brings: with the inside of the room at hand, because
//! the bound for a hang is minutes in the program.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::heartbeat::Heartbeat;
use super::{Patience, Progress, Syncer};
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::domain::budget::Budget;
use crate::domain::run::{Lease, Run, RunKind, RunState, Trigger};
use crate::domain::secret::Secret;
use crate::domain::store::Scheme;
use crate::simulator::{SimulatedStore, SimulatorConfig};
use crate::storage::crypter::{Crypter, MasterKey};
use crate::storage::runs::{self, Claim};
use crate::storage::stores::{self, Change, NewStore, StoreChanges};
use crate::storage::vault::{PlainCredential, Vault};
use crate::storage::{Database, schema};
use crate::transport::{Settings, StoreBudget, Transport};

/// A shop, a store, a worker with leases of five seconds.
struct Place {
    syncer: Syncer,
    clock: Arc<ManualClock>,
    shop: SimulatedStore,
    _folder: TempDir,
}

impl Place {
    async fn new(shop: SimulatorConfig) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new("2026-11-21T09:00:00Z".parse().expect("a time"));
        let url = Secret::new(&format!("sqlite://{}?mode=rwc", folder.path().join("t.db").display()));
        let db = Database::connect(&url, "netosync", clock.clone()).await.expect("it opens");
        schema::migrate(&db).await.expect("it is migrated");
        let shop = SimulatorConfig { clock: clock.clone(), ..shop };
        let shop = SimulatedStore::start("127.0.0.1:0".parse().expect("an address"), shop).await.expect("a free port");
        let new = NewStore {
            name: "shop".to_owned(),
            connector: "neto".to_owned(),
            url: shop.url().parse().expect("a URL"),
            timezone: None,
            schedule_full: None,
            schedule_incremental: None,
            schedule_sweep: None,
            calls_per_minute: None,
        };
        let store = stores::add_store(&db, &new).await.expect("it is added");
        let vault = Vault::new(Crypter::new(MasterKey::generate(), Vec::new()));
        let secret = Secret::new(shop.key());
        let plain = PlainCredential::new(Scheme::ApiKey, secret);
        vault.put(&db, store.id, plain).await.expect("it is sealed");
        let env = [
            ("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true"),
            ("NETOSYNC__BUDGET__CALLS_PER_MINUTE", "1000000"),
            ("NETOSYNC__WORKER__LEASE_SECS", "5"),
            ("NETOSYNC__FETCH__READ_TIMEOUT_SECS", "3600"),
            ("NETOSYNC__FETCH__TIMEOUT_SECS", "3600"),
        ];
        let env = BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let config = Arc::new(Config::from_parts(None, &env).expect("a configuration"));
        let syncer = Syncer {
            db,
            transport: Arc::new(Transport::new(Settings::from(&*config), clock.clone()).expect("an HTTP client")),
            vault: Arc::new(vault),
            config,
            clock: clock.clone(),
            owner: "tester".to_owned(),
            patience: Patience::Daemon,
            progress: Progress::default(),
            renews: true,
            connectors: Arc::default(),
        };
        Self { syncer, clock, shop, _folder: folder }
    }

    async fn claim(&self) -> Option<(Run, Lease)> {
        let (db, now, lease_for) = (&self.syncer.db, self.clock.now(), self.syncer.config.worker.lease());
        runs::enqueue(db, 1, RunKind::Full, Trigger::Manual, now).await.expect("a queue");
        let claim = Claim { owner: "tester", lease_for, only: None, limit: 1, now };
        runs::claim(db, &claim).await.expect("a queue").pop()
    }

    async fn run(&self, id: i64) -> Run {
        runs::get(&self.syncer.db, id).await.expect("readable").expect("it is there")
    }
}

fn answers_after_an_hour() -> SimulatorConfig {
    let faults = vec!["slow:ms=3600000".parse().expect("a fault")];
    SimulatorConfig { products: 3, faults, ..SimulatorConfig::default() }
}

#[tokio::test]
async fn a_run_that_hangs_is_let_go_its_attempt_counts_and_when_its_lease_has_run_out_anybody_takes_it_over() {
    let place = Place::new(answers_after_an_hour()).await;
    let (run, lease) = place.claim().await.expect("it is due");
    let (id, epoch) = (run.id, run.lease_epoch);
    // A call that the time-outs do not end, in a run whose steps may take a tenth of a second.
    let heartbeat = Heartbeat::with_bound(&place.syncer, &run, &lease, Duration::from_millis(100));
    let (live, progress) = (heartbeat.live.clone(), place.syncer.progress.clone());

    place.syncer.work(run, &lease, heartbeat, &CancellationToken::new()).await.expect("the others go on");

    assert!(!live.holds(), "no call is made any more");
    // It is not under way any more, once the call it has let go is looked at.
    while progress.stalled().is_some() {
        tokio::task::yield_now().await;
    }
    let run = place.run(id).await;
    assert_eq!((run.state, run.attempt, run.lease_epoch), (RunState::Running, 1, epoch));
    assert!(run.error.is_some_and(|error| error.contains("made no progress")));
    assert!(place.claim().await.is_none(), "its lease holds still");
    place.clock.advance(place.syncer.config.worker.lease() + TimeDelta::seconds(1));
    place.shop.set_faults(Vec::new());
    let (again, lease) = place.claim().await.expect("its lease has run out");
    assert_eq!((again.id, again.attempt), (id, 2));
    place.syncer.execute(again, lease, &CancellationToken::new()).await.expect("the database works");
    assert_eq!(place.run(id).await.state, RunState::Succeeded);
}

#[tokio::test]
async fn nothing_of_a_run_survives_its_panic() {
    let place = Place::new(answers_after_an_hour()).await;
    let (run, lease) = place.claim().await.expect("it is due");
    let heartbeat = Heartbeat::start(&place.syncer, &run, &lease);
    let (live, pulse) = (Arc::downgrade(&heartbeat.live), Arc::downgrade(&heartbeat.pulse));
    let syncer = place.syncer.clone();
    let panics = tokio::spawn(async move {
        let stop = CancellationToken::new();
        let work = syncer.work(run, &lease, heartbeat, &stop);
        tokio::select! {
            worked = work => worked,
            // A bug beside a call that is under way.
            () = async { while live.strong_count() < 3 { tokio::task::yield_now().await } } => panic!("a bug"),
        }
    });

    assert!(panics.await.expect_err("it panics").is_panic());

    // The heartbeat and the call under way hold these; an aborted task ends when it is next looked at.
    while pulse.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_changed_budget_and_a_silence_reach_a_run_under_way_with_the_next_renewal() {
    let place = Place::new(SimulatorConfig::default()).await;
    let (run, lease) = place.claim().await.expect("it is due");
    let heartbeat = Heartbeat::start(&place.syncer, &run, &lease);
    let budget = StoreBudget::new(Budget::empty(1, place.clock.now()), place.clock.clone());
    heartbeat.govern(budget.clone(), None);
    let renewed = async || {
        place.clock.advance(TimeDelta::seconds(10));
        assert!(heartbeat.live.held().await, "nobody has taken the run over");
    };
    let changes = StoreChanges { calls_per_minute: Change::Set(600), ..StoreChanges::default() };
    stores::change_store(&place.syncer.db, "shop", &changes).await.expect("changed");
    renewed().await;
    // Ten seconds at one call a minute are no call; at 600 a minute they are a full burst.
    place.clock.advance(TimeDelta::seconds(3));
    assert!(budget.take("shop").is_ok_and(|wait| wait.is_none()));

    let until = place.clock.now() + TimeDelta::seconds(90);
    crate::storage::store_calls::keep_silent(&place.syncer.db, 1, until).await.expect("written");
    renewed().await;
    assert!(budget.take("shop").is_err());
    assert!(heartbeat.silence().is_some());
}
