//! Several shops and several daemons on one PostgreSQL: real processes that can be killed, stopped and continued, in real
//! time. What happens next hangs on what has happened (calls, runs), never on a clock.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use netosync::clock::SystemClock;
use netosync::domain::run::{Run, RunKind, Trigger, Verdict};
use netosync::domain::secret::Secret;
use netosync::domain::store::Store;
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::crypter::MasterKey;
use netosync::storage::master_key::{self, Places};
use netosync::storage::vault::Vault;
use netosync::storage::{Database, runs, schema};
use serde_json::Value;
use tempfile::TempDir;

use super::mirrored::{self, texts};
use super::process::signal;
use super::world::{LOOPBACK, add_store};

/// Somebody who waits longer than this waits for ever.
const HANGS: Duration = Duration::from_mins(3);

/// Products of a shop, and on a page.
const PRODUCTS: usize = 96;
const PAGE: usize = 8;

/// What no operator has to set: the shops are here, and nothing is given up because it was killed often. The only schedule is
/// one that never comes: what is not asked for is the first run of a store.
const DEFAULTS: &[(&str, &str)] = &[
    ("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true"),
    ("NETOSYNC__WORKER__MAX_ATTEMPTS", "100"),
    ("NETOSYNC__SCHEDULE__FULL", "0 0 29 2 *"),
    ("NETOSYNC__SCHEDULE__INCREMENTAL", ""),
    ("NETOSYNC__SCHEDULE__SWEEP", ""),
];

/// Leases are as short as they may be.
const SETTINGS: &[(&str, &str)] = &[
    ("NETOSYNC__WORKER__LEASE_SECS", "5"),
    ("NETOSYNC__WORKER__SLICE_SECS", "2"),
    ("NETOSYNC__WORKER__SLOTS", "2"),
    ("NETOSYNC__SCHEDULE__TICK_SECS", "1"),
];

/// See the module.
pub struct Town {
    pub db: Database,
    pub shops: Vec<(Store, SimulatedStore)>,
    pub daemons: Vec<Daemon>,
    /// Most calls a minute a store may get.
    limit: u32,
    variables: Vec<(String, String)>,
    /// What the daemons say.
    log: File,
    _keys: TempDir,
}

/// A `netosync run`. Killed when dropped.
pub struct Daemon {
    process: Child,
    pub stopped: bool,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where that is what the test is about.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Daemon {
    fn signal(&self, name: &str) {
        signal(name, self.process.id());
    }

    /// Whether the lease of this run is this daemon's.
    pub fn holds(&self, run: &Run) -> bool {
        let name = format!(":{}:", self.process.id());
        run.lease_owner.as_ref().is_some_and(|owner| owner.contains(&name))
    }
}

impl Town {
    /// Shops with many small pages, whose daemons have the default settings.
    pub async fn slow(url: &str, seed: u64) -> Self {
        let shop = SimulatorConfig { products: 4000, page_cap: Some(PAGE), seed, ..SimulatorConfig::default() };
        Self::with(url, 4, shop, DEFAULTS, seed).await
    }

    /// So many shops that allow `limit` calls a minute, known to the database at `url`, without a daemon yet. What the daemons
    /// will say is in `target/tmp/town-<seed>.log`.
    pub async fn new(url: &str, shops: usize, limit: u32, seed: u64) -> Self {
        let calls_per_minute = limit.to_string();
        let settings = [SETTINGS, DEFAULTS, &[("NETOSYNC__BUDGET__CALLS_PER_MINUTE", &calls_per_minute)]].concat();
        let shop = SimulatorConfig {
            products: PRODUCTS,
            page_cap: Some(PAGE),
            seed: seed * 100,
            quirks: true,
            // Long enough that two callers would meet.
            faults: vec!["latency:ms=60".parse().expect("a fault")],
            // The shop answers 429 should it be one too many.
            calls_per_minute: Some(limit),
            ..SimulatorConfig::default()
        };
        Self { limit, ..Self::with(url, shops, shop, &settings, seed).await }
    }

    async fn with(url: &str, shops: usize, shop: SimulatorConfig, settings: &[(&str, &str)], seed: u64) -> Self {
        let keys = tempfile::tempdir().expect("a temporary folder");
        let key_file: PathBuf = keys.path().join("master.key");
        assert!(master_key::create(&key_file, &[MasterKey::generate()]).expect("writable"));
        let places = Places { key_file: Some(key_file.clone()), ..Places::default() };
        let vault = Vault::new(master_key::find(&places, &[]).expect("a key").crypter);
        let db = Database::connect(&Secret::new(url), "netosync", Arc::new(SystemClock)).await.expect("it opens");
        schema::migrate(&db).await.expect("migrated");
        let own = [
            ("NETOSYNC__DATABASE__URL", url),
            ("NETOSYNC__SECRETS__KEY_FILE", key_file.to_str().expect("a plain name")),
        ];
        let variables =
            own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("town-{seed}.log"));
        let log = File::create(log).expect("cargo's own folder");
        let mut town =
            Self { db, shops: Vec::new(), daemons: Vec::new(), limit: u32::MAX, variables, log, _keys: keys };
        for number in 0..shops {
            let config = SimulatorConfig { seed: shop.seed + number as u64, ..shop.clone() };
            let shop = SimulatedStore::start(LOOPBACK, config).await.expect("a free port");
            let store = add_store(&town.db, &vault, &format!("shop-{number}"), &shop).await;
            town.shops.push((store, shop));
        }
        town
    }

    /// One daemon more.
    pub fn start_daemon(&mut self) {
        let daemon = self.spawn();
        self.daemons.push(daemon);
    }

    fn spawn(&self) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netosync"));
        command.arg("run").env_clear().envs(self.variables.clone()).stdin(Stdio::null());
        command.stderr(self.log.try_clone().expect("an open file"));
        Daemon { process: command.spawn().expect("the program starts"), stopped: false }
    }

    /// Kills a daemon (`kill -9`) and starts another in its place. Gives the time of death.
    pub fn kill(&mut self, number: usize) -> DateTime<Utc> {
        drop(self.daemons.remove(number));
        let killed = self.db.clock().now();
        self.daemons.insert(number, self.spawn());
        killed
    }

    /// Stops a daemon (`SIGSTOP`).
    pub fn stop(&mut self, number: usize) {
        self.daemons[number].signal("STOP");
        self.daemons[number].stopped = true;
    }

    /// Lets a daemon go on (`SIGCONT`).
    pub fn go_on(&mut self, number: usize) {
        self.daemons[number].signal("CONT");
        self.daemons[number].stopped = false;
    }

    /// Ends every daemon in order; each must have lived until then.
    pub async fn end(&mut self) {
        for mut daemon in self.daemons.drain(..) {
            assert_eq!(daemon.process.try_wait().expect("it is ours"), None, "a daemon ended by itself");
            daemon.signal("TERM");
            let ended = tokio::task::spawn_blocking(move || daemon.process.wait()).await;
            assert_eq!(ended.expect("no panic").expect("it is ours").code(), Some(0));
        }
    }

    /// Something changes in every shop, and its run is in the queue.
    pub async fn edit_and_ask(&self, number: usize) -> i64 {
        let (store, shop) = &self.shops[number];
        let now = self.db.clock().now();
        shop.with_catalogue(|catalogue| {
            catalogue.edit_random(3, now);
            catalogue.add(1, now);
        });
        let queued = runs::enqueue(&self.db, store.id, RunKind::Full, Trigger::Manual, now).await;
        queued.expect("the database works").0.id
    }

    /// Calls made to all shops.
    pub fn calls(&self) -> u64 {
        self.shops.iter().map(|(_, shop)| shop.calls_made()).sum()
    }

    /// All runs of a shop.
    pub async fn runs(&self, number: usize) -> Vec<Run> {
        runs::newest(&self.db, Some(self.shops[number].0.id), 1000).await.expect("the database works")
    }

    /// The runs that are not over.
    pub async fn unfinished(&self) -> Vec<Run> {
        let runs = runs::newest(&self.db, None, 1000).await.expect("the database works");
        runs.into_iter().filter(|run| run.state.unfinished()).collect()
    }

    /// Everybody goes on, every queue empties, and one more run a shop says `complete`.
    pub async fn calm(&mut self) {
        for number in 0..self.daemons.len() {
            self.go_on(number);
        }
        until("the queue empties", async || self.unfinished().await.is_empty()).await;
        for number in 0..self.shops.len() {
            self.edit_and_ask(number).await;
        }
        until("the queue empties again", async || self.unfinished().await.is_empty()).await;
    }

    /// The promises of the design, as far as anybody could have broken them here.
    pub async fn assert_promises(&self) {
        for (number, (store, shop)) in self.shops.iter().enumerate() {
            let name = &store.name;
            assert_eq!(mirrored::errors(&self.db, store.id, shop).await, Vec::<String>::new(), "{name}");
            let runs = self.runs(number).await;
            assert_eq!(runs[0].verdict, Some(Verdict::Complete), "{name}: {:?}", runs[0]);
            assert_callers(name, shop, &runs, self.limit as usize);
            assert_feed(&self.db, store.id).await;
        }
    }
}

/// The store was never called by two at once, and never too often.
fn assert_callers(name: &str, shop: &SimulatedStore, runs: &[Run], limit: usize) {
    let calls = shop.calls();
    // One that was stopped between its look at the lease and its call makes that call when it is continued.
    let handovers: i64 = runs.iter().map(|run| run.lease_epoch - 1).sum();
    let beside = calls.iter().filter(|call| call.beside > 0).count() as i64;
    assert!(beside <= handovers, "{name}: {beside} calls beside others, {handovers} handovers");
    assert!(calls.iter().all(|call| call.beside <= 1), "{name}: three callers");
    // Whoever loses a run loses one page at the most. Two that walk at once would fetch every page twice. Behind the last
    // page it may be looked more than once, without rows.
    let fetched = calls.iter().filter(|call| !call.ok || call.rows > 0).count() as i64;
    let pages: i64 = runs.iter().map(|run| run.counts.pages).sum();
    // The closing sweep's pages, of which some are asked for again until they come together without a gap.
    let listed = |run: &Run| run.checkpoint.as_ref().map_or(0, |at| i64::from(at.listed.pages));
    let swept: i64 = runs.iter().map(listed).sum();
    let most = pages + 3 * swept + handovers;
    let seen: Vec<_> = calls.iter().map(|call| (call.number, call.at, call.page, call.rows, call.status)).collect();
    assert!(fetched <= most, "{name}: {fetched} calls for {pages} pages, {handovers} handovers: {seen:#?}\n{runs:#?}");
    let refused = calls.iter().filter(|call| call.status == Some(429)).count();
    assert_eq!(refused, 0, "{name}: answered 429");
    let times: Vec<_> = calls.iter().map(|call| call.at).collect();
    let minute = busiest(&times, TimeDelta::minutes(1));
    println!("{name}: {} calls, {handovers} handovers, {minute} calls in the busiest minute of {limit}", calls.len());
    assert!(minute <= limit, "{name}: {minute} calls in a minute");
    // A minute is long for a test, so the bucket behind it is looked at too: a thirtieth of the limit at once, the rest evenly
    // spaced, and one call that may have been on its way.
    let most = limit / 30 + limit / 6 + 1;
    let found = busiest(&times, TimeDelta::seconds(10));
    assert!(found <= most, "{name}: {found} calls in 10 seconds, {most} are the most");
}

/// The most calls in any window of that length.
fn busiest(times: &[DateTime<Utc>], length: TimeDelta) -> usize {
    let within = |from: usize| times[from..].iter().take_while(|at| **at - times[from] <= length).count();
    (0..times.len()).map(within).max().unwrap_or_default()
}

/// The feed has no gap, no double, and tells one story: every product is added once, and every change begins where the one
/// before it ended.
async fn assert_feed(db: &Database, store_id: i64) {
    let sql = format!(
        "SELECT CAST(seq AS TEXT), CAST(inventory_id AS TEXT), kind, CAST(fields AS TEXT) FROM product_changes \
         WHERE store_id = {store_id} ORDER BY product_changes.seq"
    );
    let rows = texts(db, &sql).await;
    let mut known: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        let [seq, id, kind, fields] = <&[Option<String>; 4]>::try_from(row.as_slice()).expect("four columns");
        assert_eq!(*seq, Some((place + 1).to_string()), "store {store_id}: a gap or a double");
        let id = id.clone().expect("a product");
        match kind.as_deref() {
            Some("added") => assert!(known.insert(id, BTreeMap::new()).is_none(), "store {store_id}: added twice"),
            Some("changed") => {
                let story = known.get_mut(&id).expect("added before it was changed");
                let fields: BTreeMap<String, [Value; 2]> =
                    serde_json::from_str(fields.as_deref().expect("what has changed")).expect("pairs");
                for (field, [old, new]) in fields {
                    assert_ne!(old, new, "store {store_id}, product {id}: {field}");
                    let before = story.insert(field.clone(), new);
                    assert!(before.is_none_or(|before| before == old), "store {store_id}, product {id}: {field}");
                }
            }
            other => panic!("store {store_id}: nothing was removed here, but: {other:?}"),
        }
    }
    let last = texts(db, &format!("SELECT CAST(change_seq AS TEXT) FROM stores WHERE id = {store_id}")).await;
    assert_eq!(last[0][0], Some(rows.len().to_string()), "store {store_id}: the number that was given out last");
}

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(HANGS, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
