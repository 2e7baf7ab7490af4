//! What a page changes: which of its products have to be written, and their rows, table by table.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::catalogue::CHILDREN;
use crate::domain::change::Change;
use crate::domain::light;
use crate::domain::product::{AnswerHash, ContentHash, Product};
use crate::storage::page::{Cell, Rows};

/// Stands for the hash of the answer where no single record tells all of the product, which no record has.
const TOLD_BY_SEVERAL: &[u8] = &[];

/// What the database knows of a product before its page is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) hash: ContentHash,
    /// Whether the hash of the light part is there too, which products stored by an early version lack.
    pub(super) light: bool,
    /// Whether it is known which record told it, or that several did; an early version did not ask.
    pub(super) told: bool,
    pub(super) removed: bool,
}

/// Which products of a page have to be written, as places in the page.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) inserted: Vec<usize>,
    pub(super) updated: Vec<usize>,
    /// Unchanged, but without the hashes that an early version did not have.
    pub(super) unhashed: Vec<usize>,
    pub(super) hashes: Vec<ContentHash>,
    /// Hashes of the light parts, of products that are written.
    pub(super) lights: Vec<ContentHash>,
}

impl Plan {
    pub(super) fn new(products: &[Product<'_>], known: &HashMap<i64, Known>) -> Self {
        let mut plan = Self { hashes: products.iter().map(Product::content_hash).collect(), ..Self::default() };
        for (index, (product, hash)) in products.iter().zip(&plan.hashes).enumerate() {
            match known.get(&product.inventory_id) {
                None => plan.inserted.push(index),
                Some(known) if known.hash != *hash || known.removed => plan.updated.push(index),
                Some(known) if !known.light || !known.told && product.answer.is_some() => plan.unhashed.push(index),
                Some(_) => {}
            }
        }
        plan.lights = vec![ContentHash::default(); products.len()];
        for index in plan.inserted.iter().chain(&plan.updated).chain(&plan.unhashed) {
            plan.lights[*index] = light::hash(&products[*index]);
        }
        plan
    }

    pub(super) fn missing_hashes(&self, products: &[Product<'_>]) -> Vec<(i64, ContentHash, Option<AnswerHash>)> {
        let hashes = |index: &usize| (products[*index].inventory_id, self.lights[*index], products[*index].answer);
        self.unhashed.iter().map(hashes).collect()
    }
}

/// One line of the change feed, without its number.
pub(super) struct Feed<'a> {
    pub(super) product: &'a Product<'a>,
    pub(super) kind: &'static str,
    /// Field to old and new value. Of a product that is new it is all it has, which is written when it is sent ([`Feed::fields`]):
    /// it is larger than everything else that is written of a product.
    pub(super) fields: Option<String>,
}

impl Feed<'_> {
    pub(super) fn fields(&self) -> Cow<'_, str> {
        match &self.fields {
            Some(fields) => fields.into(),
            None => Change::added(self.product).into(),
        }
    }
}

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) store_id: i64,
    /// The run that brought them, if it was one.
    pub(super) run_id: Option<i64>,
    /// When they are written.
    pub(super) now: DateTime<Utc>,
}

/// The rows of a page, table by table.
pub(super) struct Writes<'a> {
    pub(super) source: Source,
    /// Products that are new.
    pub(super) added: Vec<i64>,
    /// Their rows.
    pub(super) new_products: Rows<'a>,
    pub(super) new_texts: Rows<'a>,
    /// Rows of products that are there.
    pub(super) products: Rows<'a>,
    pub(super) texts: Rows<'a>,
    pub(super) children: Vec<Rows<'a>>,
    /// Products whose rows of a child table are replaced, for each child table.
    pub(super) replaced: Vec<Vec<i64>>,
    pub(super) feed: Vec<Feed<'a>>,
}

impl<'a> Writes<'a> {
    pub(super) fn new(
        source: Source,
        page: &'a [Product<'a>],
        plan: &'a Plan,
        known: &HashMap<i64, Known>,
        old: &HashMap<i64, Product<'static>>,
    ) -> Self {
        let mut writes = Self {
            source,
            added: Vec::with_capacity(plan.inserted.len()),
            new_products: Rows::new_products(),
            new_texts: Rows::new_texts(),
            products: Rows::products(),
            texts: Rows::texts(),
            children: CHILDREN.iter().map(Rows::children).collect(),
            replaced: vec![Vec::new(); CHILDREN.len()],
            feed: Vec::with_capacity(plan.inserted.len() + plan.updated.len()),
        };
        for &index in &plan.inserted {
            let product = &page[index];
            writes.added.push(product.inventory_id);
            writes.new_products.push(&writes.own(product, &plan.hashes[index], &plan.lights[index]), &product.fields);
            writes.new_texts.push(&writes.keys(product), &product.texts);
            for child in 0..CHILDREN.len() {
                writes.child(product, child);
            }
            writes.feed.push(Feed { product, kind: "added", fields: None });
        }
        for &index in &plan.updated {
            let product = &page[index];
            let id = product.inventory_id;
            let change = Change::between(&old[&id], product);
            writes.products.push(&writes.own(product, &plan.hashes[index], &plan.lights[index]), &product.fields);
            if change.texts {
                writes.texts.push(&writes.keys(product), &product.texts);
            }
            for child in (0..CHILDREN.len()).filter(|child| change.children[*child]) {
                writes.replaced[child].push(id);
                writes.child(product, child);
            }
            let kind = if known[&id].removed { "restored" } else { "changed" };
            let fields = Some(serde_json::Value::from(change.fields).to_string());
            writes.feed.push(Feed { product, kind, fields });
        }
        writes
    }

    fn own(&self, product: &'a Product<'_>, hash: &'a ContentHash, light: &'a ContentHash) -> [Cell<'a>; 8] {
        let now = Cell::Time(self.source.now);
        let [store, id] = self.keys(product);
        let answer = Cell::Bytes(product.answer.as_ref().map_or(TOLD_BY_SEVERAL, |hash| hash));
        [store, id, Cell::Bytes(hash), now, now, Cell::Null, Cell::Bytes(light), answer]
    }

    fn child(&mut self, product: &'a Product<'a>, child: usize) {
        let keys = self.keys(product);
        for row in &product.children[child] {
            self.children[child].push(&keys, row);
        }
    }

    fn keys(&self, product: &Product<'_>) -> [Cell<'a>; 2] {
        [Cell::Int(self.source.store_id), Cell::Int(product.inventory_id)]
    }
}
