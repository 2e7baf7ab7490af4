//! Products made by hand, written as a page of a run.

use std::sync::LazyLock;

use netosync::domain::catalogue::{CHILDREN, Column, Kind, PRODUCT, TEXTS};
use netosync::domain::product::{Product, Row, Value};
use netosync::domain::run::{Checkpoint, Counts, Lease};
use netosync::simulator::SimulatorConfig;
use netosync::storage::StorageError;
use netosync::storage::products::{PageWrite, commit_page};

use super::TestDb;
use super::world::World;

/// Products with every column and rows in every child table, unlike from product to product.
pub fn products(ids: std::ops::RangeInclusive<i64>) -> Vec<Product<'static>> {
    const DECIMALS: [&str; 11] = [
        "0",
        "0.00",
        "-0.00",
        "0.0005",
        "-12.50",
        "10000.0001",
        "99999999.9999",
        "120000000000000",
        "79228162514264337593543950335",
        "-7.9228162514264337593543950335",
        "0.0000000000000000000000000001",
    ];
    let value = |column: &Column, seed: i64| {
        let place = usize::try_from(seed).unwrap();
        let time =
            chrono::DateTime::from_timestamp(seed * 86_399 - 86_400, 123_456_000 * u32::try_from(seed % 2).unwrap())
                .unwrap();
        match column.kind {
            _ if seed % 5 == 4 => Value::Null,
            Kind::Text => Value::Text(["plain", "ü \"\\ \n\t'", "", "0"][place % 4].into()),
            Kind::Json => Value::Text(format!("{{\"A\":\"{seed}\"}}").into()),
            Kind::Int => Value::Int([0, -1, i64::MAX, seed][place % 4]),
            Kind::Decimal => Value::Decimal(DECIMALS[place % DECIMALS.len()].parse().unwrap()),
            Kind::Bool => Value::Bool(seed % 2 == 0),
            Kind::Time => Value::Time(time),
            Kind::LocalTime => Value::LocalTime(time.naive_utc()),
            Kind::Date => Value::Date(time.date_naive()),
        }
    };
    let row = |columns: &[Column], seed: i64| -> Row<'static> {
        (seed..).zip(columns).map(|(seed, column)| value(column, seed)).collect()
    };
    let product = |id: i64| {
        let mut product = Product { fields: row(PRODUCT, id), texts: row(TEXTS, id), ..Product::empty(id) };
        for (list, table) in product.children.iter_mut().zip(CHILDREN) {
            for number in 0..id % 4 {
                let mut row = row(table.columns, id + number);
                for (place, column) in table.columns[..table.key].iter().enumerate() {
                    row[place] = match column.kind {
                        Kind::Text => Value::Text(format!("key {number}").into()),
                        _ => Value::Int(number),
                    };
                }
                list.push(row);
            }
        }
        product
    };
    ids.map(product).collect()
}

static BEGIN: LazyLock<Checkpoint> = LazyLock::new(Checkpoint::default);

/// A world without products, and a run of its store.
pub async fn world(db: TestDb) -> (World, Lease) {
    let world = World::new(db, SimulatorConfig { products: 0, ..SimulatorConfig::default() }).await;
    world.enqueue(&world.store).await;
    let (_, lease) = world.claim("worker-1").await.expect("it is due");
    (world, lease)
}

/// Commits these products as a page of the run.
pub async fn write(world: &World, lease: &Lease, products: &[Product<'_>]) -> Result<Counts, StorageError> {
    Box::pin(commit_page(&world.db, page(world, lease, products), Counts::default())).await
}

/// A page of the run with these products.
pub fn page<'a>(world: &World, lease: &'a Lease, products: &[Product<'a>]) -> PageWrite<'a> {
    PageWrite {
        new: None,
        found: &[],
        done: &[],
        lease,
        lease_for: world.syncer.config.worker.lease(),
        products: products.to_vec(),
        afresh: false,
        quarantined: &[],
        checkpoint: &BEGIN,
        now: world.syncer.clock.now(),
    }
}
