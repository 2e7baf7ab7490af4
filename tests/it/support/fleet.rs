//! Many stores, each a shop of its own, served by the real scheduler, queue and notifier while simulated time passes.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use netosync::domain::incident::{Incident, IncidentKind};
use netosync::domain::run::{Run, RunState};
use netosync::domain::store::{CredentialState, Store};
use netosync::notify::Notifier;
use netosync::scheduler::Scheduler;
use netosync::simulator::{Fault, SimulatedStore, SimulatorConfig};
use netosync::storage::credentials::{SealedCredential, load_credential};
use netosync::storage::runs::{self, Claim};
use tokio_util::sync::CancellationToken;

use super::world::{self, LOOPBACK, World};
use super::{TestDb, mirrored};

/// How often the daemon looks what is due, as by default; while days pass, it is enough to look now and then.
const TICK: TimeDelta = TimeDelta::seconds(15);
const SELDOM: TimeDelta = TimeDelta::minutes(5);

/// The canaries' waits and the rest as in production; everything is scheduled often.
const SETTINGS: &[(&str, &str)] = &[
    ("NETOSYNC__AUTH__CANARY_INITIAL_MS", "8000"),
    ("NETOSYNC__AUTH__CANARY_MAX_MS", "32000"),
    ("NETOSYNC__RETRY__ATTEMPTS", "2"),
    ("NETOSYNC__SCHEDULE__INCREMENTAL", ""),
    ("NETOSYNC__SCHEDULE__SWEEP", ""),
];

/// See the module.
pub struct Fleet {
    pub world: World,
    pub stores: Vec<Store>,
    pub shops: Vec<SimulatedStore>,
    pub notifier: Notifier,
    scheduler: Scheduler,
    /// How many runs are worked on at once.
    slots: u32,
    tick: TimeDelta,
    next_tick: DateTime<Utc>,
    /// The most keys that were flagged at any moment.
    pub most_revoked: usize,
}

impl Fleet {
    /// So many stores with three products each, `schedule` for all, never synced.
    pub async fn new(db: TestDb, count: usize, schedule: &str, more: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = SETTINGS
            .iter()
            .copied()
            .chain([("NETOSYNC__SCHEDULE__FULL", schedule)])
            .chain(more.iter().copied())
            .collect();
        let world = World::with(db, shop(0, None), &settings).await;
        let (mut stores, mut shops) = (Vec::new(), Vec::new());
        for number in 0..count {
            let config = shop(number, Some(&world));
            let shop = SimulatedStore::start(LOOPBACK, config).await.expect("a free port");
            let name = format!("store-{number:02}");
            stores.push(world::add_store(&world.db, &world.syncer.vault, &name, &shop).await);
            shops.push(shop);
        }
        // The world's own store is not one of the fleet.
        netosync::storage::store_removal::remove_store(&world.db, &world.store.name).await.expect("it is there");
        let (db, config, clock) = ((*world.db).clone(), world.syncer.config.clone(), world.syncer.clock.clone());
        let notifier = Notifier::new(db.clone(), config.clone().into(), clock.clone()).expect("an HTTP client");
        let next_tick = clock.now();
        let scheduler = Scheduler::new(db, config.into(), clock);
        Self { world, stores, shops, notifier, scheduler, slots: 4, tick: TICK, next_tick, most_revoked: 0 }
    }

    /// A fleet whose stores have all been mirrored.
    pub async fn mirrored(db: TestDb, count: usize, schedule: &str) -> Self {
        let mut fleet = Self::new(db, count, schedule, &[]).await;
        for store in &fleet.stores {
            fleet.world.enqueue(store).await;
        }
        fleet.pass(TimeDelta::minutes(1)).await;
        fleet.assert_mirrored(0..count).await;
        fleet
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.world.syncer.clock.now()
    }

    /// Lets so much time pass while the daemon is at work.
    pub async fn pass(&mut self, time: TimeDelta) {
        let end = self.now() + time;
        self.tick = if time > TimeDelta::hours(1) { SELDOM } else { TICK };
        loop {
            self.serve().await;
            let next = self.next_run().await.unwrap_or(end).min(self.next_tick).min(end);
            if self.now() >= end {
                return;
            }
            self.world.db.clock.advance(next.max(self.now() + TimeDelta::milliseconds(1)) - self.now());
        }
    }

    /// Lets time pass while nobody is at work.
    pub fn sleep(&self, time: TimeDelta) {
        self.world.db.clock.advance(time);
    }

    /// Does what is due now.
    pub async fn serve(&mut self) {
        let tick = self.now() >= self.next_tick;
        if tick {
            self.scheduler.enqueue_due().await.expect("the database works");
            self.next_tick = self.now() + self.tick;
        }
        loop {
            let syncer = &self.world.syncer;
            let claim = Claim {
                owner: &syncer.owner,
                lease_for: syncer.config.worker.lease(),
                only: None,
                limit: self.slots,
                now: self.now(),
            };
            let claimed = runs::claim(&self.world.db, &claim).await.expect("the database works");
            if claimed.is_empty() {
                break;
            }
            let stop = CancellationToken::new();
            let work = claimed.into_iter().map(|(run, lease)| syncer.execute(run, lease, &stop));
            for worked in join_all(work).await {
                worked.expect("the database works");
            }
            self.most_revoked = self.most_revoked.max(self.in_state(CredentialState::Revoked).await.len());
        }
        if tick {
            self.notifier.tick().await.expect("the database works");
        }
    }

    /// When the next run that waits is due.
    async fn next_run(&self) -> Option<DateTime<Utc>> {
        let waiting = self.runs().await.into_iter().filter(|run| run.state == RunState::Queued);
        waiting.map(|run| run.scheduled_at).min()
    }

    pub async fn runs(&self) -> Vec<Run> {
        runs::newest(&self.world.db, None, 500).await.expect("the database works")
    }

    /// The shop of that number goes wrong like this from now on.
    pub fn script(&self, number: usize, faults: &[&str]) {
        self.shops[number].set_faults(faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect());
    }

    /// Something changes in every shop, so that only a sync makes the mirrors exact.
    pub fn edit_all(&self) {
        for shop in &self.shops {
            shop.with_catalogue(|catalogue| catalogue.edit_random(2, self.now()).len());
        }
    }

    pub async fn credential(&self, number: usize) -> SealedCredential {
        let found = load_credential(&self.world.db, self.stores[number].id).await.expect("the database works");
        found.expect("it has one")
    }

    /// The stores whose key is in that state.
    pub async fn in_state(&self, state: CredentialState) -> Vec<usize> {
        let all = netosync::storage::credentials::list_credentials(&self.world.db).await.expect("the database works");
        let in_state = all.iter().filter(|found| found.state == state);
        in_state.filter_map(|found| self.stores.iter().position(|store| store.id == found.store_id)).collect()
    }

    /// How often a store was called.
    pub fn calls(&self, number: usize) -> u64 {
        self.shops[number].calls_made()
    }

    /// All incidents of a kind, open or over.
    pub async fn incidents(&self, kind: IncidentKind) -> Vec<[Option<String>; 2]> {
        let sql = format!(
            "SELECT CAST(store_id AS TEXT), CAST(closed_at AS TEXT) FROM incidents WHERE kind = '{kind}' ORDER BY id"
        );
        let rows = mirrored::texts(&self.world.db, &sql).await;
        rows.into_iter().map(|row| <[Option<String>; 2]>::try_from(row).expect("two columns")).collect()
    }

    /// The incidents that are open now.
    pub async fn open_incidents(&self) -> Vec<Incident> {
        netosync::storage::incidents::open(&self.world.db, None).await.expect("the database works")
    }

    /// These stores are mirrored exactly.
    pub async fn assert_mirrored(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            let errors = mirrored::errors(&self.world.db, self.stores[number].id, &self.shops[number]).await;
            assert_eq!(errors, Vec::<String>::new(), "store {number}");
        }
    }
}

fn shop(number: usize, world: Option<&World>) -> SimulatorConfig {
    let config = SimulatorConfig { products: 3, seed: number as u64 + 1, ..SimulatorConfig::default() };
    match world {
        Some(world) => SimulatorConfig { clock: world.db.clock.clone(), ..config },
        None => config,
    }
}
