//! The program is killed at random moments (`kill -9`) while its shop changes: whatever it had stored is a version the product
//! had, with that version's rows; the feed has no gap and tells the same; and it ends with an exact mirror.
//!
//! `NETOSYNC_TEST_KILLS` sets the number of kills a database (the published figures are of 1,000), `NETOSYNC_TEST_KILLS_SEED`
//! makes other choices.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use chrono::TimeDelta;
use netosync::clock::Clock;
use netosync::simulator::truth::{differences, expected};
use netosync::simulator::{Catalogue, SimProduct};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;

use crate::support::mirrored::{self, execute, texts};
use crate::support::process::{Desk, HANGS};
use crate::support::retold::Retold;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(killed_at_any_moment_it_loses_doubles_and_tears_nothing);

/// Products a shop begins with.
const PRODUCTS: usize = 60;
/// Calls that one process may make before it is killed, about as many as a full run makes.
const CALLS: u64 = 25;
/// Milliseconds that it may live on after that: longer than it takes to store a page.
const LIVES_ON: u64 = 20;

/// All versions that the products had.
type Versions = BTreeMap<i64, Vec<SimProduct>>;

async fn killed_at_any_moment_it_loses_doubles_and_tears_nothing(db: TestDb) {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let kills = number("NETOSYNC_TEST_KILLS", 12);
    let mut rng = SmallRng::seed_from_u64(number("NETOSYNC_TEST_KILLS_SEED", 1));
    let settings = [
        ("NETOSYNC__FETCH__PAGE_SIZE", "8"),
        ("NETOSYNC__FETCH__SWEEP_PAGE_SIZE", "8"),
        ("NETOSYNC__REMOVAL__MAX_SHARE", "1"),
    ];
    let desk = Desk::new(db, PRODUCTS, &settings).await;
    let (mut versions, mut retold, mut moments) = (Versions::new(), Retold::default(), BTreeMap::new());
    note(&desk, &mut versions);
    let (mut killed, mut ended) = (0, 0);
    while killed < kills {
        if let Some(moment) = sync_and_kill(&desk, &mut rng).await {
            killed += 1;
            *moments.entry(moment).or_insert(0) += 1;
        } else {
            ended += 1;
        }
        assert_whole(&desk, &versions, &mut retold).await;
        change(&desk, &mut rng);
        note(&desk, &mut versions);
    }
    // The run that is under way, and one that sees all that has changed since it began.
    desk.sync_to_the_end().await;
    let output = desk.sync_to_the_end().await;

    println!("{killed} kills, {ended} runs ended before; killed while: {moments:?}");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(desk.world.errors().await, Vec::<String>::new());
    assert_whole(&desk, &versions, &mut retold).await;
}

/// Starts a run of any kind, or goes on with the one under way, and kills the process at some moment. Gives what the run was doing
/// then by its checkpoint; `None` when it ended before that.
async fn sync_and_kill(desk: &Desk, rng: &mut SmallRng) -> Option<String> {
    let calls = rng.random_range(0..=CALLS);
    let lives_on = Duration::from_millis(rng.random_range(0..=LIVES_ON));
    let kind = ["full", "sweep", "incremental"].choose(rng).expect("three");
    let number = desk.world.shop.calls_made() + calls;
    let (tell, told) = oneshot::channel();
    // Before its first call it may be killed too.
    let told = if calls == 0 {
        tell.send(()).expect("somebody listens");
        told
    } else {
        desk.world.shop.before_call(number, |_| _ = tell.send(()));
        told
    };
    let mut command = tokio::process::Command::from(desk.sync());
    let mut process = command
        .args(["--kind", kind])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let alive = tokio::select! {
        ended = tokio::time::timeout(HANGS, process.wait()) => {
            ended.expect("it ends").expect("it is ours");
            desk.world.shop.before_call(number, |_| {});
            false
        }
        _ = told => {
            // Not waited for anything: the moment is to be a random one.
            tokio::time::sleep(lives_on).await;
            process.kill().await.is_ok()
        }
    };
    let running = "SELECT CAST(checkpoint AS TEXT) FROM runs WHERE state = 'running'";
    let doing = texts(&desk.world.db, running).await.pop().map(|row| {
        let checkpoint = row[0].as_deref().map(|text| serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
        checkpoint.map_or("begin".to_owned(), |at| at["phase"].as_str().expect("a phase").to_owned())
    });
    // What its lease would do by itself in a few seconds.
    execute(&desk.world.db, "UPDATE runs SET lease_expires_at = started_at WHERE state = 'running'").await;
    alive.then(|| doing.unwrap_or_else(|| "no run".to_owned()))
}

/// Adds, edits, deletes a few.
fn change(desk: &Desk, rng: &mut SmallRng) {
    desk.world.db.clock.advance(TimeDelta::minutes(1));
    let now = desk.world.db.clock.now();
    desk.world.shop.with_catalogue(|catalogue| {
        catalogue.edit_random(rng.random_range(0..12), now);
        for _ in 0..rng.random_range(0..4) {
            let Some(id) = catalogue.ids().choose(rng) else { return };
            match rng.random_range(0..4) {
                0 => drop(catalogue.delete(id)),
                1 => drop(catalogue.add(1, now)),
                2 => drop(catalogue.edit_price(id, now)),
                _ => drop(catalogue.move_stock(id)),
            }
        }
    });
}

fn note(desk: &Desk, versions: &mut Versions) {
    let products: Vec<_> = desk.world.shop.with_catalogue(|catalogue: &mut Catalogue| catalogue.products().collect());
    for product in products {
        let of_product = versions.entry(product.inventory_id).or_default();
        if of_product.last() != Some(&product) {
            of_product.push(product);
        }
    }
}

/// Each product held is one of its versions with that version's rows, and the feed tells of the same products.
async fn assert_whole(desk: &Desk, versions: &Versions, retold: &mut Retold) {
    let (db, store_id) = (&desk.world.db, desk.world.store.id);
    for (id, rows) in mirrored::products(db, store_id).await {
        let is = |version: &SimProduct| differences(&expected(version), &rows).is_empty();
        assert!(versions[&id].iter().rev().any(is), "product {id} is none of its versions");
    }
    retold.read_on(db, store_id).await;
    retold.assert_is_the_mirror(db, store_id).await;
}
