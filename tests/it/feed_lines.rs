//! Lines of the feed that leave out what the rows of an added product say: nobody who reads the feed notices it.

use netosync::domain::product::{Product, Value};
use netosync::domain::run::{Counts, Lease};
use netosync::storage::changes::{self, ChangeLine};
use netosync::storage::{Database, schema};
use serde_json::{Value as Json, json};

use crate::support::group::{products, world, write};
use crate::support::mirrored::{execute, plan, texts};
use crate::support::retold::parsed;
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    sql_reads_what_the_program_reads,
    a_line_is_written_out_before_the_rows_of_its_product_change,
    a_line_that_was_forgotten_is_not_written_out,
    a_line_whose_rows_were_deleted_by_hand_says_nothing_and_those_that_come_back_have_a_new_one,
    lines_are_written_out_when_the_migration_is_taken_back,
    the_line_of_a_product_is_found_by_an_index,
);

const STORE: i64 = 1;

async fn read(db: &Database) -> Vec<ChangeLine> {
    changes::after(db, STORE, None, 1000).await.expect("readable")
}

/// Number and fields of each line, as SQL reads it.
async fn by_sql(db: &Database) -> Vec<(i64, Json)> {
    let sql = "SELECT CAST(seq AS text), CAST(fields AS text) FROM product_changes ORDER BY product_changes.seq";
    let rows = texts(db, sql).await.into_iter();
    let json = |text: String| comparable(serde_json::from_str(&text).expect("JSON"));
    rows.map(|row| (row[0].as_ref().unwrap().parse().unwrap(), row[1].clone().map_or(Json::Null, json))).collect()
}

async fn by_program(db: &Database) -> Vec<(i64, Json)> {
    read(db).await.into_iter().map(|line| (line.seq, comparable(line.fields.unwrap_or_default()))).collect()
}

/// JSON in texts as JSON: PostgreSQL has a spelling of its own.
fn comparable(fields: Json) -> Json {
    let Json::Object(fields) = fields else { return fields };
    let both = |(name, change): (String, Json)| {
        let sides = change.as_array().expect("old and new").iter();
        let sides = sides.map(|side| parsed([(name.clone(), side.clone())].into_iter().collect()).remove(&name));
        (name.clone(), sides.collect::<Option<Json>>().expect("both"))
    };
    fields.into_iter().map(both).collect()
}

/// Says which field of which line differs.
fn assert_same(one: &[(i64, Json)], other: &[(i64, Json)]) {
    let numbers = |lines: &[(i64, Json)]| lines.iter().map(|(seq, _)| *seq).collect::<Vec<_>>();
    assert_eq!(numbers(one), numbers(other));
    for ((seq, one), (_, other)) in one.iter().zip(other) {
        let names = |fields: &Json| fields.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        assert_eq!(names(one), names(other), "line {seq}");
        for name in names(one).into_iter().flatten() {
            assert_eq!(one[&name], other[&name], "{name} of line {seq}");
        }
    }
}

/// Numbers of the lines that leave out what they are about.
async fn left_out(db: &Database) -> Vec<String> {
    let sql = "SELECT CAST(seq AS text) FROM product_change_lines WHERE fields IS NULL AND kind = 'added' ORDER BY 1";
    texts(db, sql).await.into_iter().map(|row| row[0].clone().expect("a number")).collect()
}

/// Other texts, and other rows in one list.
fn edited(products: &[Product<'static>]) -> Vec<Product<'static>> {
    let mut products = products.to_vec();
    for product in &mut products {
        product.fields[0] = Value::Text(format!("edited {}", product.inventory_id).into());
        product.children[0].clear();
    }
    products
}

async fn written(db: TestDb, products: &[Product<'static>]) -> (World, Lease) {
    let (world, lease) = world(db).await;
    assert_eq!(world.store.id, STORE);
    write(&world, &lease, products).await.expect("written");
    (world, lease)
}

async fn sql_reads_what_the_program_reads(db: TestDb) {
    let mut products = products(1..=120);
    products.push(Product::empty(121));
    let (world, _lease) = written(db, &products).await;

    let (sql, program) = (by_sql(&world.db).await, by_program(&world.db).await);

    assert_eq!((sql.len(), left_out(&world.db).await.len()), (121, 121));
    assert_eq!(sql[120].1, json!({}));
    assert_same(&sql, &program);
}

async fn a_line_is_written_out_before_the_rows_of_its_product_change(db: TestDb) {
    let before = products(1..=60);
    let (world, lease) = written(db, &before).await;
    let told = by_program(&world.db).await;

    let counts = write(&world, &lease, &edited(&before[..20])).await.expect("written");

    assert_eq!(counts, Counts { updated: 20, ..Counts::default() });
    assert_eq!(left_out(&world.db).await.len(), 40);
    assert_same(&by_program(&world.db).await[..60], &told);
    assert_same(&by_sql(&world.db).await, &by_program(&world.db).await);
    write(&world, &lease, &before).await.expect("written again");
    assert_eq!(left_out(&world.db).await.len(), 40);
    assert_same(&by_program(&world.db).await[..60], &told);
}

async fn a_line_that_was_forgotten_is_not_written_out(db: TestDb) {
    let before = products(1..=3);
    let (world, lease) = written(db, &before).await;
    execute(&world.db, "DELETE FROM product_changes WHERE seq = 1").await;
    assert_eq!(left_out(&world.db).await, ["2", "3"]);

    write(&world, &lease, &edited(&before)).await.expect("written");

    let numbers: Vec<_> = read(&world.db).await.iter().map(|line| line.seq).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6]);
    assert_eq!(left_out(&world.db).await, [""; 0]);
}

async fn a_line_whose_rows_were_deleted_by_hand_says_nothing_and_those_that_come_back_have_a_new_one(db: TestDb) {
    let before = products(1..=3);
    let (world, lease) = written(db, &before).await;
    execute(&world.db, "DELETE FROM products WHERE inventory_id < 3").await;
    let told = by_program(&world.db).await;
    assert_eq!((&told[0].1, &told[1].1), (&Json::Null, &Json::Null));
    assert_same(&by_sql(&world.db).await, &told);

    write(&world, &lease, &edited(&before)).await.expect("written");

    let told = by_program(&world.db).await;
    assert_eq!((&told[0].1, &told[1].1), (&json!({}), &json!({})));
    let skus: Vec<_> = told[3..].iter().map(|(_, fields)| fields["sku"][1].clone()).collect();
    assert_eq!(skus, ["edited 1", "edited 2", "edited 3"]);
    assert_same(&by_sql(&world.db).await, &told);
}

async fn lines_are_written_out_when_the_migration_is_taken_back(db: TestDb) {
    let (world, _lease) = written(db, &products(1..=40)).await;
    let told = by_program(&world.db).await;

    schema::revert(&world.db, Some(1)).await.expect("taken back");

    assert_same(&by_sql(&world.db).await, &told);
    schema::migrate(&world.db).await.expect("up again");
    assert_same(&by_program(&world.db).await, &told);
    assert_eq!(left_out(&world.db).await, [""; 0]);
}

async fn the_line_of_a_product_is_found_by_an_index(db: TestDb) {
    let (world, _lease) = written(db, &products(1..=3)).await;
    let many = "WITH RECURSIVE numbers (n) AS (SELECT 4 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) \
         INSERT INTO product_change_lines (store_id, seq, inventory_id, kind, at) \
         SELECT 1, n, n, 'added', (SELECT MIN(at) FROM product_change_lines) FROM numbers";
    execute(&world.db, many).await;
    execute(&world.db, "ANALYZE").await;

    let lookup = "SELECT seq FROM product_change_lines \
         WHERE store_id = 1 AND inventory_id IN (7, 8) AND kind = 'added' AND fields IS NULL";
    let plan = plan(&world.db, lookup).await;
    assert!(plan.contains("product_change_lines_left_out"), "{plan}");
}
