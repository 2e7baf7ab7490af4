//! Daemons that share a PostgreSQL are killed, stopped and continued at random, and the server is stopped under them: the
//! mirrors are exact, no store was ever called by two at once or too often, and nobody had to do anything.
//!
//! `NETOSYNC_TEST_CHAOS_ROUNDS=20` for a long run of long rounds, `NETOSYNC_TEST_CHAOS_SEED=3` for other choices. What the
//! daemons said is in `target/tmp/town-<seed>.log`.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::support::postgres::{OwnServer, Scratch};
use crate::support::town::{Town, until};

/// What a round is like: how many things happen, and how many calls a minute a shop allows.
struct Round {
    steps: usize,
    limit: u32,
}

/// Half a minute.
const SHORT: Round = Round { steps: 12, limit: 150 };
/// Long enough that a rolling minute can be full.
const LONG: Round = Round { steps: 60, limit: 60 };

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_are_killed_stopped_and_continued_at_random_leave_exact_mirrors() {
    let seed = number("NETOSYNC_TEST_CHAOS_SEED", 1);
    let rounds = number("NETOSYNC_TEST_CHAOS_ROUNDS", 0);
    let like = if rounds == 0 { SHORT } else { LONG };
    for round in 0..rounds.max(1) {
        // Two that become three, one that becomes two, three that become four.
        let daemons = [2, 1, 3][usize::try_from(round % 3).expect("small")];
        println!("round {round}: {daemons} daemons and one more, seed {}", seed + round);
        chaos(&like, daemons, seed + round).await;
    }
}

async fn chaos(round: &Round, daemons: usize, seed: u64) {
    let scratch = Scratch::migrated().await;
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut town = Town::new(&scratch.url(), 3, round.limit, seed).await;
    for _ in 0..daemons {
        town.start_daemon();
    }
    for step in 0..round.steps {
        let shop = rng.random_range(0..town.shops.len());
        town.edit_and_ask(shop).await;
        let enough = town.calls() + rng.random_range(1..=8);
        // The run that was asked for may have been under way already, and end first.
        until("the shops are called", async || town.calls() >= enough || town.unfinished().await.is_empty()).await;
        if step == round.steps / 2 {
            town.start_daemon();
        }
        let one = rng.random_range(0..town.daemons.len());
        let awake = town.daemons.iter().filter(|daemon| !daemon.stopped).count();
        if town.daemons[one].stopped {
            town.go_on(one);
        } else if awake > 1 && rng.random_bool(0.5) {
            town.stop(one);
        } else {
            town.kill(one);
        }
    }
    town.calm().await;
    town.assert_promises().await;
    town.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_crashes_under_load_needs_nobody_and_costs_nothing() {
    let mut server = OwnServer::start().await;
    let mut town = Town::new(&server.url(), 3, SHORT.limit, 0).await;
    town.start_daemon();
    town.start_daemon();
    for mode in ["fast", "immediate", "fast"] {
        for shop in 0..town.shops.len() {
            town.edit_and_ask(shop).await;
        }
        let enough = town.calls() + 5;
        until("the shops are called", async || town.calls() >= enough).await;
        tokio::task::block_in_place(|| {
            server.stop(mode);
            server.start_again();
        });
    }
    town.calm().await;
    town.assert_promises().await;
    town.end().await;
}
