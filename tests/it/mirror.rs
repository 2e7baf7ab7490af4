//! What the mirror holds is what the shop has: row for row, after a first load and after changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use netosync::domain::run::{Run, RunState, Verdict};
use netosync::simulator::{Catalogue, Member, SimProduct, SimValue, SimulatorConfig};
use netosync::storage::Database;
use serde_json::{Value as Json, json};

use crate::support::mirrored::{self, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines, start_of_time, watch};

on_both_engines!(
    a_hostile_shop_of_3000_products_is_mirrored_row_for_row,
    a_second_sync_of_the_same_shop_writes_no_row,
    edits_arrive_exactly_and_the_feed_names_the_edited_columns_only,
    any_page_size_gives_the_same_rows,
);

/// A hostile shop of so many products.
async fn hostile(db: TestDb, products: usize) -> World {
    World::new(db, SimulatorConfig { products, quirks: true, ..SimulatorConfig::default() }).await
}

fn assert_complete(run: &Run) {
    assert_eq!(
        (run.state, run.verdict, run.error.as_deref()),
        (RunState::Succeeded, Some(Verdict::Complete), None),
        "{run:?}"
    );
}

async fn a_hostile_shop_of_3000_products_is_mirrored_row_for_row(db: TestDb) {
    let world = hostile(db, 3000).await;

    let run = world.sync().await;

    assert_complete(&run);
    assert_eq!((run.counts.seen, run.counts.inserted, run.counts.quarantined), (3000, 3000, 0));
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn a_second_sync_of_the_same_shop_writes_no_row(db: TestDb) {
    let world = hostile(db, 300).await;
    assert_complete(&world.sync().await);
    let times = "SELECT CAST(inventory_id AS TEXT), CAST(changed_at AS TEXT), CAST(first_seen_at AS TEXT) \
         FROM products ORDER BY 1";
    let before = texts(&world.db, times).await;
    watch::begin(&world.db).await;
    world.db.clock.advance(Duration::hours(1));

    let run = world.sync().await;

    assert_complete(&run);
    let counts = run.counts;
    assert_eq!((counts.seen, counts.inserted, counts.updated, counts.unchanged), (300, 0, 0, 300));
    assert_eq!(watch::written(&world.db).await, Vec::<String>::new());
    assert_eq!(texts(&world.db, times).await, before);
}

/// A way to edit a product, and the columns and tables that the feed has to name.
type Edit = (fn(&SimProduct) -> bool, fn(&mut SimProduct), &'static [&'static str]);

const EDITS: &[Edit] = &[
    (always, |p| p.set("DefaultPrice", SimValue::Decimal("123456.789".into())), &["default_price"]),
    (always, |p| p.set("Name", SimValue::text("Neu & \"anders\" – 銀")), &["name"]),
    (always, |p| p.set("SKU", SimValue::text("RENAMED-1")), &["sku"]),
    (always, |p| p.set("Brand", SimValue::None), &["brand"]),
    (always, |p| p.set("Description", SimValue::text("<p>another</p>")), &["description"]),
    (always, |p| p.set("SEOPageTitle", SimValue::None), &["seo_page_title"]),
    (always, |p| p.set("Misc07", SimValue::text("seven")), &["misc"]),
    (|p| p.is_active(), |p| p.set("IsActive", SimValue::Bool(false)), &["is_active"]),
    (|p| p.images.len() > 1, |p| drop(p.images.remove(0)), &["product_images"]),
    (|p| !p.categories.is_empty(), |p| p.categories.clear(), &["product_categories"]),
    (|p| p.price_groups.iter().any(|g| !g.bands.is_empty()), drop_bands, &["product_price_bands"]),
    (|p| p.stock.len() > 1, |p| drop(p.stock.pop()), &["product_stock"]),
    (|p| !p.kit_components.is_empty(), |p| drop(p.kit_components.pop()), &["product_kit_components"]),
    (|p| p.upsells.len() > 1, |p| p.upsells.reverse(), &["product_relations"]),
    (always, |p| p.specifics.push(specific()), &["product_specifics"]),
];

fn always(_: &SimProduct) -> bool {
    true
}

fn drop_bands(product: &mut SimProduct) {
    product.price_groups.iter_mut().for_each(|group| group.bands.clear());
}

fn specific() -> Member {
    Member::new(vec![("Name", SimValue::text("Colour")), ("Value", SimValue::text("Café au lait"))])
}

/// Does every edit to a product of its own; what the feed has to say about each.
fn edit_all(catalogue: &mut Catalogue) -> BTreeMap<i64, Option<BTreeSet<&'static str>>> {
    let now = start_of_time() + Duration::minutes(30);
    let mut expected = BTreeMap::new();
    for (fits, edit, named) in EDITS {
        let changes = |product: &SimProduct| {
            let mut edited = product.clone();
            edit(&mut edited);
            edited != *product
        };
        let fitting = catalogue
            .products()
            .find(|product| fits(product) && changes(product) && !expected.contains_key(&product.inventory_id));
        let id = fitting.unwrap_or_else(|| panic!("no product fits {named:?}")).inventory_id;
        catalogue.change(id, now, edit);
        let named = named.iter().copied().chain(["date_updated", "date_updated_local"]).collect();
        expected.insert(id, Some(named));
    }
    expected.extend(catalogue.add(3, now).into_iter().map(|id| (id, None)));
    expected
}

async fn edits_arrive_exactly_and_the_feed_names_the_edited_columns_only(db: TestDb) {
    let world = hostile(db, 400).await;
    assert_complete(&world.sync().await);
    let expected = world.shop.with_catalogue(edit_all);
    let price =
        *expected.iter().find(|(_, named)| named.as_ref().is_some_and(|n| n.contains("default_price"))).unwrap().0;
    let old_price = world.mirror().await[&price].clone();
    world.db.clock.advance(Duration::hours(1));

    let run = world.sync().await;

    assert_complete(&run);
    assert_eq!((run.counts.inserted, run.counts.updated), (3, EDITS.len() as i64));
    assert_eq!(world.errors().await, Vec::<String>::new());
    let feed = feed(&world.db).await;
    let numbers: Vec<_> = feed.iter().map(|line| line.seq).collect();
    assert_eq!(numbers, (1..=feed.len() as i64).collect::<Vec<_>>(), "gapless");
    let told: BTreeMap<_, _> = feed[400..].iter().map(|line| (line.id, line.named())).collect();
    let wanted: BTreeMap<_, _> = expected
        .iter()
        .map(|(id, named)| (*id, named.as_ref().map(|n| n.iter().map(|n| (*n).to_owned()).collect())))
        .collect();
    assert_eq!(told, wanted);
    let line = feed.iter().rfind(|line| line.id == price).expect("told");
    let place = netosync::domain::catalogue::PRODUCT.iter().position(|column| column.name == "default_price").unwrap();
    let netosync::domain::product::Value::Decimal(old) = &old_price.fields[place] else { panic!("{old_price:?}") };
    assert_eq!(line.fields.as_ref().unwrap()["default_price"], json!([old.normalize().to_string(), "123456.789"]));
}

/// A line of the change feed.
struct Line {
    seq: i64,
    id: i64,
    fields: Option<Json>,
}

impl Line {
    /// The columns and tables it names; `None` for a new product.
    fn named(&self) -> Option<BTreeSet<String>> {
        let fields = self.fields.as_ref()?.as_object().expect("an object");
        Some(fields.keys().cloned().collect())
    }
}

async fn feed(db: &Database) -> Vec<Line> {
    let sql = "SELECT CAST(seq AS TEXT), CAST(inventory_id AS TEXT), kind, CAST(fields AS TEXT) \
         FROM product_changes ORDER BY product_changes.seq";
    let lines = texts(db, sql).await.into_iter().map(|row| {
        let [Some(seq), Some(id), Some(kind), fields] = <[_; 4]>::try_from(row).expect("four columns") else {
            panic!("a line without number, product or kind");
        };
        let fields = fields.map(|fields| serde_json::from_str(&fields).expect("JSON"));
        let fields = fields.filter(|_| kind != "added");
        assert_eq!(kind, if fields.is_none() { "added" } else { "changed" });
        Line { seq: seq.parse().expect("a number"), id: id.parse().expect("a number"), fields }
    });
    lines.collect()
}

async fn any_page_size_gives_the_same_rows(db: TestDb) {
    let world = hostile(db, 60).await;
    let mut mirrors = Vec::new();
    for size in ["1", "7", "200"] {
        let store = world.another_store(&format!("shop-{size}")).await;
        let worker = world.worker(&[("NETOSYNC__FETCH__PAGE_SIZE", size)]);
        assert_complete(&world.sync_store(&worker, &store).await);
        mirrors.push(mirrored::products(&world.db, store.id).await);
        assert_eq!(mirrored::errors(&world.db, store.id, &world.shop).await, Vec::<String>::new());
    }
    assert!(mirrors.iter().all(|mirror| *mirror == mirrors[0]));
}
