//! What the database holds of a store, read with statements of its own: nothing of `storage::products` is in here, so
//! that a mistake there cannot hide itself.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime};
use netosync::domain::catalogue::{CHILDREN, Column, Kind, PRODUCT, TEXTS};
use netosync::domain::product::{Product, Row, Value};
use netosync::simulator::SimulatedStore;
use netosync::simulator::truth::{differences, expected};
use netosync::storage::{Database, Engine, Pools};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, Row as _};

/// One row of a query whose columns are all text.
pub type Texts = Vec<Option<String>>;

/// The rows of a query whose columns are all text.
pub async fn texts(db: &Database, sql: &str) -> Vec<Texts> {
    macro_rules! fetch {
        ($pool:expr) => {{
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all($pool).await.expect(sql);
            rows.iter().map(|row| (0..row.len()).map(|at| row.try_get(at).expect(sql)).collect()).collect()
        }};
    }
    match db.pools() {
        Pools::Sqlite(pool) => fetch!(pool),
        Pools::Postgres(pool) => fetch!(pool),
    }
}

/// Runs statements.
pub async fn execute(db: &Database, sql: &str) {
    match db.pools() {
        Pools::Sqlite(pool) => drop(sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect(sql)),
        Pools::Postgres(pool) => drop(sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect(sql)),
    }
}

/// How the database would go about a query.
pub async fn plan(db: &Database, sql: &str) -> String {
    match db.pools() {
        Pools::Sqlite(pool) => {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(explain).fetch_all(pool).await.expect(sql);
            rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
        }
        Pools::Postgres(_) => {
            let rows = texts(db, &format!("EXPLAIN {sql}")).await;
            rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
        }
    }
}

/// The store's products that are not removed, with all their rows, by key.
pub async fn products(db: &Database, store_id: i64) -> BTreeMap<i64, Product<'static>> {
    let mut products = BTreeMap::new();
    for (id, fields) in rows(db, store_id, "products", PRODUCT).await {
        products.insert(id, Product { fields, ..Product::empty(id) });
    }
    for (id, texts) in rows(db, store_id, "product_texts", TEXTS).await {
        products.get_mut(&id).expect("texts belong to a product").texts = texts;
    }
    for (place, table) in CHILDREN.iter().enumerate() {
        for (id, row) in rows(db, store_id, table.name, table.columns).await {
            products.get_mut(&id).expect("child rows belong to a product").children[place].push(row);
        }
    }
    products
}

/// Where the mirror differs from the shop, a line each; nothing means that it is exact, row for row.
pub async fn errors(db: &Database, store_id: i64, shop: &SimulatedStore) -> Vec<String> {
    let mut mirrored = products(db, store_id).await;
    let truth: Vec<_> = shop.with_catalogue(|catalogue| catalogue.products().collect());
    let mut found = Vec::new();
    for product in &truth {
        match mirrored.remove(&product.inventory_id) {
            Some(rows) => {
                let different = differences(&expected(product), &rows);
                found.extend(different.into_iter().map(|line| format!("{}: {line}", product.inventory_id)));
            }
            None => found.push(format!("{}: not mirrored", product.inventory_id)),
        }
    }
    found.extend(mirrored.keys().map(|id| format!("{id}: mirrored, but not in the shop")));
    found
}

async fn rows(db: &Database, store_id: i64, table: &str, columns: &[Column]) -> Vec<(i64, Row<'static>)> {
    let live = match table {
        "products" => " AND removed_at IS NULL".to_owned(),
        // What belongs to a product that was removed stays as it was.
        _ => format!(
            " AND inventory_id NOT IN \
             (SELECT inventory_id FROM products WHERE store_id = {store_id} AND removed_at IS NOT NULL)"
        ),
    };
    let names: Vec<_> = columns.iter().map(|column| as_text(db.engine(), column)).collect();
    // By every column: what is compared must not hang on where the engine put a row.
    let order: Vec<_> = (1..=names.len() + 1).map(|place| place.to_string()).collect();
    let sql = format!(
        "SELECT CAST(inventory_id AS TEXT), {} FROM \"{table}\" WHERE store_id = {store_id}{live} ORDER BY {}",
        names.join(", "),
        order.join(", ")
    );
    let rows = texts(db, &sql).await;
    rows.into_iter()
        .map(|row| {
            let mut cells = row.into_iter();
            let id = cells.next().flatten().expect("a key").parse().expect("a number");
            let values = columns.iter().zip(cells);
            (id, values.map(|(column, cell)| cell.map_or(Value::Null, |text| value(column, text))).collect())
        })
        .collect()
}

fn as_text(engine: Engine, column: &Column) -> String {
    match (engine, column.kind) {
        (Engine::Postgres, Kind::Time) => format!("CAST(\"{}\" AT TIME ZONE 'UTC' AS TEXT)", column.name),
        _ => format!("CAST(\"{}\" AS TEXT)", column.name),
    }
}

fn value(column: &Column, text: String) -> Value<'static> {
    let read = match column.kind {
        Kind::Text | Kind::Json => return Value::Text(text.into()),
        Kind::Int => text.parse().ok().map(Value::Int),
        Kind::Decimal => {
            Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text)).ok().map(Value::Decimal)
        }
        Kind::Bool => match text.as_str() {
            "1" | "true" => Some(Value::Bool(true)),
            "0" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Time => {
            let time = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc());
            time.or_else(|| Some(wall_clock(&text)?.and_utc())).map(Value::Time)
        }
        Kind::LocalTime => wall_clock(&text).map(Value::LocalTime),
        Kind::Date => text.parse().ok().map(Value::Date),
    };
    read.unwrap_or_else(|| panic!("{} holds {text:?}", column.name))
}

fn wall_clock(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(&text.replacen('T', " ", 1), "%Y-%m-%d %H:%M:%S%.f").ok()
}
