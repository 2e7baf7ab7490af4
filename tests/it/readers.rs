//! Whoever reads a product and its rows in one statement while they are rewritten sees one version of it, never two.

use chrono::TimeDelta;
use netosync::clock::Clock;
use netosync::domain::run::Verdict;
use netosync::simulator::{Member, SimProduct, SimValue, SimulatorConfig};

use crate::support::mirrored::{Texts, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(readers_never_see_a_torn_product_during_a_thousand_rewrites);

const PRODUCTS: usize = 20;
const ROUNDS: i64 = 50;

/// Of each product: its version by its own row, by its price groups (lowest, highest and number), its stock and its images.
const SQL: &str = "\
    SELECT p.name, \
      (SELECT CAST(CAST(MIN(g.price) AS INTEGER) AS TEXT) FROM product_price_groups g \
        WHERE g.store_id = p.store_id AND g.inventory_id = p.inventory_id), \
      (SELECT CAST(CAST(MAX(g.price) AS INTEGER) AS TEXT) FROM product_price_groups g \
        WHERE g.store_id = p.store_id AND g.inventory_id = p.inventory_id), \
      (SELECT CAST(COUNT(*) AS TEXT) FROM product_price_groups g \
        WHERE g.store_id = p.store_id AND g.inventory_id = p.inventory_id), \
      (SELECT CAST(CAST(SUM(s.quantity) AS INTEGER) AS TEXT) FROM product_stock s \
        WHERE s.store_id = p.store_id AND s.inventory_id = p.inventory_id), \
      (SELECT MAX(t.description) FROM product_texts t \
        WHERE t.store_id = p.store_id AND t.inventory_id = p.inventory_id) \
    FROM products p";

/// Makes a product all of one version.
fn set(product: &mut SimProduct, version: i64) {
    let group = |id: i64| Member::new(vec![("GroupID", SimValue::Int(id)), ("Price", SimValue::cents(version * 100))]);
    product.set("Name", SimValue::text(version.to_string()));
    product.set("Description", SimValue::text(version.to_string()));
    product.price_groups = (1..=groups(version)).map(group).collect();
    let quantity = ("Quantity", SimValue::Int(version));
    product.stock = vec![Member::new(vec![("WarehouseID", SimValue::Int(1)), quantity])];
}

/// So many price groups has a version.
fn groups(version: i64) -> i64 {
    1 + version % 4
}

fn assert_one_version(row: &Texts) -> i64 {
    let values: Vec<i64> =
        row.iter().map(|text| text.as_deref().expect("all are set").parse().expect("a number")).collect();
    let version = values[0];
    assert_eq!(values, [version, version, version, groups(version), version, version], "torn");
    version
}

async fn readers_never_see_a_torn_product_during_a_thousand_rewrites(db: TestDb) {
    let reader = db.opened_again().await;
    let world = World::new(db, SimulatorConfig { products: PRODUCTS, ..SimulatorConfig::default() }).await;
    let rewrite = async |version: i64| {
        world.db.clock.advance(TimeDelta::minutes(1));
        let now = world.db.clock.now();
        world.shop.with_catalogue(|catalogue| {
            let ids: Vec<_> = catalogue.ids().collect();
            assert!(ids.into_iter().all(|id| catalogue.change(id, now, |product| set(product, version))));
        });
        let run = world.sync().await;
        assert_eq!((run.verdict, run.counts.inserted + run.counts.updated), (Some(Verdict::Complete), PRODUCTS as i64));
    };
    rewrite(1).await;
    let writing = async {
        for version in 2..=ROUNDS + 1 {
            rewrite(version).await;
        }
    };
    let reading = async {
        let mut looks = 0;
        loop {
            let rows = texts(&reader, SQL).await;
            assert_eq!(rows.len(), PRODUCTS);
            let oldest = rows.iter().map(assert_one_version).min();
            looks += 1;
            if oldest == Some(ROUNDS + 1) {
                return looks;
            }
        }
    };
    let ((), looks) = tokio::join!(writing, reading);
    println!("{looks} looks");
    assert!(looks > ROUNDS, "{looks} looks are too few to see anything between");
}
