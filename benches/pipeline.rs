//! How fast the stages of a sync are, and the whole: `cargo bench`. Figures and machine: `docs/performance.md`.
//!
//! The simulated store, the client and the database share the machine. `items` are products.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use netosync::connector::neto::{self, Shape};
use netosync::domain::budget::Budget;
use netosync::domain::catalogue::Child;
use netosync::domain::product::{Product, Value};
use netosync::domain::run::{Checkpoint, Counts};
use netosync::storage::products::{PageWrite, commit_page};
use netosync::transport::{CallContext, Settings, StoreBudget, Transport};
use tokio_util::sync::CancellationToken;

mod support;
use support::{Engine, World, config, credential, runtime, simulated, usual_products};

const PAGE: u32 = 200;
/// Products of a group of pages that is written at once.
const GROUP: usize = 2_000;
/// Products of the whole-sync benchmarks.
const CATALOGUE: usize = 10_000;

fn main() {
    divan::main();
}

/// The body of a page of [`PAGE`] products in full detail.
fn body() -> String {
    runtime().block_on(async {
        let store = simulated(PAGE as usize).await;
        let config = config(1);
        let clock = std::sync::Arc::new(netosync::clock::SystemClock);
        let transport = Transport::new(Settings::from(&config), clock.clone()).expect("a transport");
        let now = netosync::clock::Clock::now(&netosync::clock::SystemClock);
        let budget = StoreBudget::new(Budget::new(1_000_000, now), clock);
        let context = CallContext::new("bench", budget, CancellationToken::new());
        let url = store.url().parse().expect("a URL");
        let request = neto::walk(&url, &credential(&store), &Shape::full(), 0, PAGE, None);
        transport.call(&context, &request, |answer| Ok(answer.body)).await.expect("a page")
    })
}

#[divan::bench]
fn decode(bencher: Bencher) {
    let body = body();
    bencher
        .counter(ItemsCount::new(PAGE))
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| body.clone())
        .bench_values(|body| neto::decode(body, false).expect("a page"));
}

#[divan::bench]
fn normalise(bencher: Bencher) {
    let page = neto::decode(body(), false).expect("a page");
    bencher.counter(ItemsCount::new(PAGE)).bench(|| {
        page.records().map(|record| neto::normalize(record, false).expect("a product").fields.len()).sum::<usize>()
    });
}

#[divan::bench]
fn hash(bencher: Bencher) {
    let page = neto::decode(body(), false).expect("a page");
    let products: Vec<Product<'_>> = page.records().map(|record| neto::normalize(record, false).expect("ok")).collect();
    bencher
        .counter(ItemsCount::new(PAGE))
        .bench(|| products.iter().map(|product| product.content_hash()[0]).fold(0, u8::wrapping_add));
}

/// One page of new products into the tables, checkpoint included; each sample into other keys of the same database.
#[divan::bench(args = [Engine::Sqlite, Engine::Postgres], sample_count = 20, sample_size = 1)]
fn write_new_page(bencher: Bencher, engine: Engine) {
    write(bencher, engine, shifted);
}

/// Products that are not there yet.
fn shifted(products: &mut Vec<Product<'_>>, round: i64) {
    let shift = 1_000_000 * (round + 1);
    for product in products {
        product.inventory_id += shift;
    }
}

/// A group of pages of new products in one commit.
#[divan::bench(args = [Engine::Sqlite, Engine::Postgres], sample_count = 12, sample_size = 1)]
fn write_new_group(bencher: Bencher, engine: Engine) {
    write_products(bencher, engine, &usual_products(GROUP), shifted);
}

/// The same products, each with another name, price and stock.
#[divan::bench(args = [Engine::Sqlite, Engine::Postgres], sample_count = 12, sample_size = 1)]
fn write_changed_group(bencher: Bencher, engine: Engine) {
    write_products(bencher, engine, &usual_products(GROUP), |products, round| {
        for product in products {
            product.fields[2] = Value::Text(format!("A name of round {round}").into());
            product.fields[37] = Value::Decimal(round.into());
            product.children[Child::Stock as usize][0][1] = Value::Decimal(round.into());
        }
    });
}

/// One page of products that are there and unchanged.
#[divan::bench(args = [Engine::Sqlite, Engine::Postgres], sample_count = 20, sample_size = 1)]
fn write_unchanged_page(bencher: Bencher, engine: Engine) {
    write(bencher, engine, |_, _| {});
}

fn write(bencher: Bencher, engine: Engine, prepare: impl Fn(&mut Vec<Product<'_>>, i64)) {
    let page = neto::decode(body(), false).expect("a page");
    let products: Vec<Product<'_>> = page.records().map(|record| neto::normalize(record, false).expect("ok")).collect();
    write_products(bencher, engine, &products, prepare);
}

fn write_products<'a>(
    bencher: Bencher,
    engine: Engine,
    products: &[Product<'a>],
    prepare: impl Fn(&mut Vec<Product<'a>>, i64),
) {
    let runtime = runtime();
    let (world, lease) = runtime.block_on(async {
        let world = World::new(engine, &simulated(1).await, config(1)).await;
        let (_, lease) = world.claimed().await;
        (world, lease)
    });
    let commit = |products: Vec<Product<'_>>| {
        let write = PageWrite {
            new: None,
            found: &[],
            done: &[],
            lease: &lease,
            lease_for: chrono::TimeDelta::hours(1),
            products,
            afresh: false,
            quarantined: &[],
            checkpoint: &Checkpoint::default(),
            now: world.syncer.clock.now(),
        };
        runtime.block_on(commit_page(&world.syncer.db, write, Counts::default())).expect("a commit")
    };
    commit(products.to_vec());
    let round = std::cell::Cell::new(0);
    bencher
        .counter(ItemsCount::new(products.len()))
        .with_inputs(|| {
            let mut changed = products.to_vec();
            prepare(&mut changed, round.replace(round.get() + 1));
            changed
        })
        .bench_local_values(commit);
}

/// First load of a catalogue: fetch, decode, normalise, write.
#[divan::bench(args = [(Engine::Sqlite, 1), (Engine::Sqlite, 4), (Engine::Postgres, 1), (Engine::Postgres, 4)], sample_count = 3, sample_size = 1)]
fn first_load(bencher: Bencher, (engine, in_flight): (Engine, u32)) {
    whole(bencher, engine, in_flight, false);
}

/// The same catalogue again, nothing changed.
#[divan::bench(args = [(Engine::Sqlite, 1), (Engine::Postgres, 1)], sample_count = 3, sample_size = 1)]
fn quiet_resync(bencher: Bencher, (engine, in_flight): (Engine, u32)) {
    whole(bencher, engine, in_flight, true);
}

fn whole(bencher: Bencher, engine: Engine, in_flight: u32, again: bool) {
    let runtime = runtime();
    let store = runtime.block_on(async {
        let store = simulated(CATALOGUE).await;
        // Everything is rendered before anything is measured.
        World::new(Engine::Sqlite, &store, config(4)).await.sync().await;
        store
    });
    bencher
        .counter(ItemsCount::new(CATALOGUE))
        .with_inputs(|| {
            runtime.block_on(async {
                let world = World::new(engine, &store, config(in_flight)).await;
                if again {
                    world.sync().await;
                }
                world
            })
        })
        .bench_local_values(|world| {
            let run = runtime.block_on(world.sync());
            assert_eq!(run.counts.seen, CATALOGUE as i64, "{run:?}");
            world
        });
}
