//! Money and measures come back digit for digit: random decimals of up to 15 significant digits, on both engines.
//!
//! 20,000 of them by default; `NETOSYNC_TEST_DECIMALS=10000000` is the long run. They go through the mirror in pages, so
//! memory and disk stay small however many there are.

use netosync::domain::catalogue::{Kind, PRODUCT};
use netosync::domain::product::{Product, Value};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::support::group::{world, write};
use crate::support::mirrored::{execute, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(every_decimal_of_fifteen_digits_comes_back_exactly);

const PRODUCTS_A_PAGE: i64 = 200;

fn how_many() -> usize {
    let wanted = std::env::var("NETOSYNC_TEST_DECIMALS");
    wanted.map_or(20_000, |text| text.parse().expect("NETOSYNC_TEST_DECIMALS is a number"))
}

/// The places of the decimal columns.
fn places() -> Vec<usize> {
    (0..PRODUCT.len()).filter(|place| PRODUCT[*place].kind == Kind::Decimal).collect()
}

/// Up to 15 digits, of which up to 9 stand behind the point; every length and both signs, zero and the edges included.
fn decimal(rng: &mut SmallRng) -> Decimal {
    let digits = rng.random_range(0..=15);
    let scale = rng.random_range(0..=9);
    let mantissa = match (digits, rng.random_range(0..20)) {
        (0, _) => 0,
        (_, 0) => 10_i64.pow(digits) - 1,
        (_, 1) => 10_i64.pow(digits - 1),
        _ => rng.random_range(10_i64.pow(digits - 1)..10_i64.pow(digits)),
    };
    Decimal::new(if rng.random() { mantissa } else { -mantissa }, scale)
}

fn page(rng: &mut SmallRng, places: &[usize]) -> Vec<Product<'static>> {
    let product = |id| {
        let mut product = Product::empty(id);
        for place in places {
            product.fields[*place] = Value::Decimal(decimal(rng));
        }
        product
    };
    (1..=PRODUCTS_A_PAGE).map(product).collect()
}

/// The decimal columns as the database spells them, in the order of the products.
async fn stored(world: &World, places: &[usize]) -> Vec<Vec<Decimal>> {
    let names: Vec<_> = places.iter().map(|place| format!("CAST({} AS TEXT)", PRODUCT[*place].name)).collect();
    let sql = format!("SELECT {} FROM products ORDER BY inventory_id", names.join(", "));
    let number = |text: Option<String>| {
        let text = text.expect("not NULL");
        Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text)).expect(&text)
    };
    texts(&world.db, &sql).await.into_iter().map(|row| row.into_iter().map(number).collect()).collect()
}

fn decimals(products: &[Product<'_>], places: &[usize]) -> Vec<Vec<Decimal>> {
    let number = |value: &Value<'_>| match value {
        Value::Decimal(number) => *number,
        other => panic!("{other:?}"),
    };
    products.iter().map(|product| places.iter().map(|place| number(&product.fields[*place])).collect()).collect()
}

/// The feed is written from what the storage itself reads back: its old values are those of the page before.
async fn assert_feed_knows(world: &World, before: &[Vec<Decimal>], places: &[usize]) {
    let sql = "SELECT CAST(fields AS TEXT) FROM product_changes WHERE kind = 'changed' ORDER BY inventory_id";
    for (line, before) in texts(&world.db, sql).await.iter().zip(before) {
        let fields: Json = serde_json::from_str(line[0].as_ref().expect("fields")).expect("JSON");
        for (place, before) in places.iter().zip(before) {
            let Some(told) = fields.get(PRODUCT[*place].name) else { continue };
            assert_eq!(told[0].as_str().expect("text").parse::<Decimal>().expect("a decimal"), *before);
        }
    }
    execute(&world.db, "DELETE FROM product_changes").await;
}

async fn every_decimal_of_fifteen_digits_comes_back_exactly(db: TestDb) {
    let (world, lease) = world(db).await;
    let places = places();
    assert!(places.len() > 10);
    let mut rng = SmallRng::seed_from_u64(15);
    let mut before = Vec::new();
    let mut left = how_many();
    while left > 0 {
        let products = page(&mut rng, &places);
        let wanted = decimals(&products, &places);
        write(&world, &lease, &products).await.expect("written");
        assert!(
            stored(&world, &places).await == wanted,
            "{}",
            first_difference(&stored(&world, &places).await, &wanted)
        );
        assert_feed_knows(&world, &before, &places).await;
        before = wanted;
        left = left.saturating_sub(products.len() * places.len());
    }
}

fn first_difference(stored: &[Vec<Decimal>], wanted: &[Vec<Decimal>]) -> String {
    let pairs = stored.iter().flatten().zip(wanted.iter().flatten());
    pairs
        .filter(|(stored, wanted)| stored != wanted)
        .map(|(stored, wanted)| format!("{wanted} came back as {stored}"))
        .next()
        .unwrap_or_default()
}
