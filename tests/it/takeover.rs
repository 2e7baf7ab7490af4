//! How long work rests when the daemon that did it is killed, with default settings. A measurement, so it is run by hand:
//! `cargo test --test it takeover -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use netosync::domain::run::RunState;

use crate::support::postgres::Scratch;
use crate::support::town::{Town, until};

/// Towns side by side, kills in each.
const TOWNS: usize = 3;
const KILLS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes four minutes and measures time"]
async fn the_work_of_a_killed_daemon_goes_on_within_twenty_seconds() {
    let towns = (100..).take(TOWNS).map(town);
    let mut rests = futures::future::join_all(towns).await.concat();
    rests.sort_unstable();
    let at = |share: usize| rests[(rests.len() * share).div_ceil(100).max(1) - 1].num_milliseconds();
    let [p50, p99, most] = [at(50), at(99), at(100)];
    println!("{} kills, {} runs: p50 {p50} ms, p99 {p99} ms, most {most} ms", TOWNS * KILLS, rests.len());
    assert!(p99 <= 20_000);
}

/// From each kill to the first call to each shop whose run was interrupted by it.
async fn town(seed: u64) -> Vec<TimeDelta> {
    let scratch = Scratch::migrated().await;
    let mut town = Town::slow(&scratch.url(), seed).await;
    town.start_daemon();
    town.start_daemon();
    let mut rests = Vec::new();
    for kill in 0..KILLS {
        for shop in 0..town.shops.len() {
            town.edit_and_ask(shop).await;
        }
        // Every shop is called, and then some time goes by, so that a lease is of any age.
        let before = calls(&town);
        until("every shop is called", async || calls(&town).iter().all(|(shop, made)| made > &before[shop])).await;
        let pause = rand::random_range(0..5000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let one = kill % 2;
        let runs = town.unfinished().await;
        let held = runs.iter().filter(|run| run.state == RunState::Running && town.daemons[one].holds(run));
        let held: Vec<_> = held.map(|run| run.store_id).collect();
        let killed = town.kill(one);
        for store in held {
            let shop = town.shops.iter().position(|(known, _)| known.id == store).expect("one of ours");
            let first =
                || town.shops[shop].1.calls().into_iter().map(|call| call.at).find(|at: &DateTime<Utc>| *at > killed);
            until("the work goes on", async || first().is_some()).await;
            rests.push(first().expect("just seen") - killed);
        }
    }
    rests
}

fn calls(town: &Town) -> BTreeMap<i64, u64> {
    town.shops.iter().map(|(store, shop)| (store.id, shop.calls_made())).collect()
}
