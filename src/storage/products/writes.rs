//! What a page changes: which of its products have to be written, and their rows, table by table.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

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
    /// With the lines of the feed of the products that are new: what is done with all of a product is done while it is in the
    /// processor's cache.
    pub(super) fn new<'a>(products: &'a [Product<'a>], known: &HashMap<i64, Known>) -> (Self, Feed<'a>) {
        let (mut plan, mut feed) = (Self::default(), Feed::default());
        for (index, product) in products.iter().enumerate() {
            let hash = product.content_hash();
            let place = match known.get(&product.inventory_id) {
                None => {
                    feed.push(product, "added", |text| Change::added(product, text));
                    Some(&mut plan.inserted)
                }
                Some(known) if known.hash != hash || known.removed => Some(&mut plan.updated),
                Some(known) if !known.light || !known.told && product.answer.is_some() => Some(&mut plan.unhashed),
                Some(_) => None,
            };
            let light = place.map(|places| {
                places.push(index);
                light::hash(product)
            });
            plan.lights.push(light.unwrap_or_default());
            plan.hashes.push(hash);
        }
        (plan, feed)
    }

    pub(super) fn missing_hashes(&self, products: &[Product<'_>]) -> Vec<(i64, ContentHash, Option<AnswerHash>)> {
        let hashes = |index: &usize| (products[*index].inventory_id, self.lights[*index], products[*index].answer);
        self.unhashed.iter().map(hashes).collect()
    }
}

/// Lines of the change feed, without their numbers.
#[derive(Default)]
pub(super) struct Feed<'a> {
    lines: Vec<Line<'a>>,
    /// What the lines say, one behind the other: of a first load it is most of what is written, so nothing is copied here.
    text: String,
}

/// One line of the change feed.
pub(super) struct Line<'a> {
    pub(super) product: &'a Product<'a>,
    pub(super) kind: &'static str,
    fields: Range<usize>,
}

impl<'a> Feed<'a> {
    fn push(&mut self, product: &'a Product<'a>, kind: &'static str, fields: impl FnOnce(&mut String)) {
        let start = self.text.len();
        fields(&mut self.text);
        self.lines.push(Line { product, kind, fields: start..self.text.len() });
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The lines, each with its fields: each to its old and new value; of a product that is new they are all it has.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&Line<'a>, &str)> {
        self.lines.iter().map(|line| (line, &self.text[line.fields.clone()]))
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

/// What is written of a page.
pub(super) struct Writes<'a> {
    /// Products that are new.
    pub(super) added: Vec<i64>,
    /// What is done to the tables of products, in this order.
    pub(super) steps: Vec<Step<'a>>,
    /// Lines of the change feed, in this order.
    pub(super) feed: Feed<'a>,
}

/// One step of a write.
pub(super) enum Step<'a> {
    /// The rows of these products are taken out of a table, for others to take their place.
    Clear(&'static str, Vec<i64>),
    Insert(Rows<'a>),
}

impl<'a> Writes<'a> {
    pub(super) fn new(
        source: Source,
        page: &'a [Product<'a>],
        (plan, mut feed): (&'a Plan, Feed<'a>),
        known: &HashMap<i64, Known>,
        old: &HashMap<i64, Product<'static>>,
    ) -> Self {
        let mut tables = Tables::new(source);
        for &index in &plan.inserted {
            let product = &page[index];
            let own = tables.own(product, &plan.hashes[index], &plan.lights[index]);
            tables.new_products.push(&own, &product.fields);
            tables.new_texts.push(&tables.keys(product), &product.texts);
            for child in 0..CHILDREN.len() {
                tables.child(product, child);
            }
        }
        for &index in &plan.updated {
            let product = &page[index];
            let id = product.inventory_id;
            let change = Change::between(&old[&id], product);
            let own = tables.own(product, &plan.hashes[index], &plan.lights[index]);
            tables.products.push(&own, &product.fields);
            if change.texts {
                tables.texts.push(&tables.keys(product), &product.texts);
            }
            for child in (0..CHILDREN.len()).filter(|child| change.children[*child]) {
                tables.replaced[child].push(id);
                tables.child(product, child);
            }
            let kind = if known[&id].removed { "restored" } else { "changed" };
            let fields = serde_json::Value::from(change.fields);
            feed.push(product, kind, |text| write!(text, "{fields}").expect("a String takes every write"));
        }
        let added = plan.inserted.iter().map(|index| page[*index].inventory_id).collect();
        Self { added, steps: tables.steps(), feed }
    }
}

/// The rows of a page, table by table.
struct Tables<'a> {
    source: Source,
    /// Rows of products that are new.
    new_products: Rows<'a>,
    new_texts: Rows<'a>,
    /// Rows of products that are there.
    products: Rows<'a>,
    texts: Rows<'a>,
    children: Vec<Rows<'a>>,
    /// Products whose rows of a child table are replaced, for each child table.
    replaced: Vec<Vec<i64>>,
}

impl<'a> Tables<'a> {
    fn new(source: Source) -> Self {
        Self {
            source,
            new_products: Rows::new_products(),
            new_texts: Rows::new_texts(),
            products: Rows::products(),
            texts: Rows::texts(),
            children: CHILDREN.iter().map(Rows::children).collect(),
            replaced: vec![Vec::new(); CHILDREN.len()],
        }
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

    fn steps(self) -> Vec<Step<'a>> {
        let Self { new_products, new_texts, products, texts, children, replaced, .. } = self;
        let insert = |rows: Rows<'a>| (rows.len() > 0).then_some(Step::Insert(rows));
        let clear = |(child, ids): (usize, Vec<i64>)| (!ids.is_empty()).then(|| Step::Clear(CHILDREN[child].name, ids));
        let own = [new_products, new_texts, products, texts].into_iter().filter_map(insert);
        let replaced = replaced.into_iter().enumerate().filter_map(clear);
        own.chain(replaced).chain(children.into_iter().filter_map(insert)).collect()
    }
}
