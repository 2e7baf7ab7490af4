//! What a consumer has who replays the change feed of a store from its first line.

use std::collections::{BTreeMap, BTreeSet};

use netosync::domain::change::Change;
use netosync::domain::product::Product;
use netosync::storage::changes::{self, ChangeLine, Subject};
use serde_json::{Map, Value as Json, json};

use super::{TestDb, mirrored};

/// The products as the feed tells them.
#[derive(Default)]
pub struct Retold {
    /// Column or table to value, and whether the product is there.
    products: BTreeMap<i64, (Map<String, Json>, bool)>,
    /// Number of the last line.
    pub seq: i64,
    /// Kinds of lines so far.
    pub kinds: BTreeSet<String>,
}

impl Retold {
    /// Reads on to the last line. Each must be the next and fit what went before.
    pub async fn read_on(&mut self, db: &TestDb, store_id: i64) {
        loop {
            let lines = changes::after(db, store_id, Some(self.seq), 37).await.expect("readable");
            if lines.is_empty() {
                return;
            }
            for line in lines {
                self.apply(line);
            }
        }
    }

    fn apply(&mut self, line: ChangeLine) {
        assert_eq!(line.seq, self.seq + 1, "{line:?}");
        self.seq = line.seq;
        let fields = line.fields.as_ref().and_then(Json::as_object).cloned().unwrap_or_default();
        let Subject::Product { inventory_id, .. } = line.subject else { panic!("a product: {line:?}") };
        let known = self.products.contains_key(&inventory_id);
        assert_eq!(known, line.kind != "added", "{line:?}");
        let (values, there) = self.products.entry(inventory_id).or_default();
        for (name, change) in fields {
            let held = values.get(&name).cloned().unwrap_or(empty(&change[0]));
            assert_eq!(held, change[0], "{name} of {line:?}");
            values.insert(name, change[1].clone());
        }
        *there = line.kind != "removed";
        self.kinds.insert(line.kind);
    }

    /// The same products are in the tables, with the same values.
    pub async fn assert_is_the_mirror(&self, db: &TestDb, store_id: i64) {
        let there = self.products.iter().filter(|(_, (_, there))| *there).map(|(id, (values, _))| {
            let held = values.iter().filter(|(_, value)| **value != empty(value));
            (*id, parsed(held.map(|(name, value)| (name.clone(), value.clone())).collect()))
        });
        let mut mirror = mirrored::products(db, store_id).await;
        mirror.values_mut().for_each(Product::order_children);
        let (retold, mirror) = (there.collect::<BTreeMap<_, _>>(), told(mirror));
        assert!(retold.keys().eq(mirror.keys()), "{:?} {:?}", retold.keys(), mirror.keys());
        for (id, fields) in mirror {
            for name in fields.keys().chain(retold[&id].keys()) {
                assert_eq!(retold[&id].get(name), fields.get(name), "{name} of {id}");
            }
        }
    }
}

/// What a column or table without a value counts as.
fn empty(like: &Json) -> Json {
    if like.is_array() { json!([]) } else { Json::Null }
}

/// JSON columns as JSON: PostgreSQL writes their text in its own way.
pub fn parsed(fields: Map<String, Json>) -> Map<String, Json> {
    let parse = |(name, value): (String, Json)| match value {
        Json::String(text) if matches!(name.as_str(), "misc" | "extra") => {
            (name, serde_json::from_str(&text).expect("JSON"))
        }
        Json::Array(rows) => {
            let row = |row| if let Json::Object(cells) = row { parsed(cells).into() } else { row };
            (name, rows.into_iter().map(row).collect())
        }
        value => (name, value),
    };
    fields.into_iter().map(parse).collect()
}

/// The mirrored products in the words of the feed.
fn told(products: BTreeMap<i64, Product<'static>>) -> BTreeMap<i64, Map<String, Json>> {
    let tell = |(id, product)| {
        let fields = Change::between(&Product::empty(id), &product).fields;
        (id, parsed(fields.into_iter().map(|(name, change)| (name, change[1].clone())).collect()))
    };
    products.into_iter().map(tell).collect()
}
