//! Products as rows of their tables, packed table by table.

use chrono::{DateTime, Utc};

use crate::domain::catalogue::CHILDREN;
use crate::domain::change::Change;
use crate::domain::light;
use crate::domain::product::{ContentHash, Product};
use crate::domain::run::Lease;
use crate::storage::page::{Cell, Rows};

/// Stands for the hash of the answer where no single record tells all of the product, which no record has.
const TOLD_BY_SEVERAL: &[u8] = &[];

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) store_id: i64,
    /// The run that brought them, if it was one.
    pub(super) run_id: Option<i64>,
    /// When they are written.
    pub(super) now: DateTime<Utc>,
}

/// New products on their way into the mirror: hashed, and packed as rows of their tables, in a third of the room.
#[derive(Debug)]
pub struct NewProducts {
    pub(super) added: Vec<i64>,
    pub(super) tables: Tables,
}

impl NewProducts {
    /// None yet of those that the run with this lease brings; they are first seen `now`.
    #[must_use]
    pub fn of_run(lease: &Lease, now: DateTime<Utc>) -> Self {
        Self::new(Source { store_id: lease.store_id, run_id: Some(lease.run_id), now })
    }

    pub(super) fn new(source: Source) -> Self {
        Self { added: Vec::new(), tables: Tables::new(source) }
    }

    /// Adds one that the mirror does not hold. What is done with all of it is done while it is in the processor's cache.
    pub fn add(&mut self, product: &Product<'_>) {
        self.push(product, &Hashes { content: product.content_hash(), light: light::hash(product) });
    }

    pub(super) fn push(&mut self, product: &Product<'_>, hashes: &Hashes) {
        self.added.push(product.inventory_id);
        self.tables.add(product, hashes);
    }

    /// Their IDs.
    #[must_use]
    pub fn ids(&self) -> &[i64] {
        &self.added
    }
}

/// Hashes of the content and of its light part.
pub(super) struct Hashes {
    pub(super) content: ContentHash,
    pub(super) light: ContentHash,
}

/// One step of a write.
pub(super) enum Step {
    /// The rows of these products are taken out of a table, for others to take their place.
    Clear(&'static str, Vec<i64>),
    Insert(Rows),
}

/// The rows of a page, table by table.
#[derive(Debug)]
pub(super) struct Tables {
    source: Source,
    /// Rows of products that are new.
    new_products: Rows,
    new_texts: Rows,
    /// Rows of products that are there.
    products: Rows,
    texts: Rows,
    children: Vec<Rows>,
    /// Products whose rows of a child table are replaced, for each child table.
    replaced: Vec<Vec<i64>>,
    feed: Rows,
}

impl Tables {
    fn new(source: Source) -> Self {
        Self {
            source,
            new_products: Rows::new_products(),
            new_texts: Rows::new_texts(),
            products: Rows::products(),
            texts: Rows::texts(),
            children: CHILDREN.iter().map(Rows::children).collect(),
            replaced: vec![Vec::new(); CHILDREN.len()],
            feed: Rows::changes(),
        }
    }

    /// A product that is new.
    fn add(&mut self, product: &Product<'_>, hashes: &Hashes) {
        let keys = self.keys(product);
        self.new_products.push(&own(keys, self.source.now, product, hashes), &product.fields);
        self.new_texts.push(&keys, &product.texts);
        for child in 0..CHILDREN.len() {
            self.child(product, child);
        }
        self.tell(product, "added", None);
    }

    /// A product that is held and changes.
    pub(super) fn change(&mut self, old: &Product<'_>, product: &Product<'_>, hashes: &Hashes, kind: &'static str) {
        let change = Change::between(old, product);
        let keys = self.keys(product);
        self.products.push(&own(keys, self.source.now, product, hashes), &product.fields);
        if change.texts {
            self.texts.push(&keys, &product.texts);
        }
        for child in (0..CHILDREN.len()).filter(|child| change.children[*child]) {
            self.replaced[child].push(product.inventory_id);
            self.child(product, child);
        }
        self.tell(product, kind, Some(&serde_json::Value::from(change.fields).to_string()));
    }

    fn child(&mut self, product: &Product<'_>, child: usize) {
        let keys = self.keys(product);
        for row in &product.children[child] {
            self.children[child].push(&keys, row);
        }
    }

    fn keys(&self, product: &Product<'_>) -> [Cell<'static>; 2] {
        [Cell::Int(self.source.store_id), Cell::Int(product.inventory_id)]
    }

    /// A line of the feed; `fields` is which columns it is about, each with its old and new value, unless it leaves that out.
    fn tell(&mut self, product: &Product<'_>, kind: &'static str, fields: Option<&str>) {
        let Source { store_id, run_id, now } = self.source;
        let line = [
            Cell::Int(store_id),
            Cell::Numbered(self.feed.len() as i64),
            Cell::Int(product.inventory_id),
            product.sku().map_or(Cell::Null, Cell::Text),
            Cell::Text(kind),
            fields.map_or(Cell::Null, Cell::Text),
            run_id.map_or(Cell::Null, Cell::Int),
            Cell::Time(now),
        ];
        self.feed.push(&line, &[]);
    }

    /// What is done, and the lines of the feed.
    pub(super) fn steps(self) -> (Vec<Step>, Rows) {
        let Self { new_products, new_texts, products, texts, children, replaced, feed, .. } = self;
        let insert = |rows: Rows| (rows.len() > 0).then_some(Step::Insert(rows));
        let clear = |(child, ids): (usize, Vec<i64>)| (!ids.is_empty()).then(|| Step::Clear(CHILDREN[child].name, ids));
        let own = [new_products, new_texts, products, texts].into_iter().filter_map(insert);
        let replaced = replaced.into_iter().enumerate().filter_map(clear);
        (own.chain(replaced).chain(children.into_iter().filter_map(insert)).collect(), feed)
    }
}

/// What is ours in a row of `products`.
fn own<'c>(keys: [Cell<'c>; 2], now: DateTime<Utc>, product: &'c Product<'_>, hashes: &'c Hashes) -> [Cell<'c>; 8] {
    let [store, id] = keys;
    let now = Cell::Time(now);
    let answer = Cell::Bytes(product.answer.as_ref().map_or(TOLD_BY_SEVERAL, |hash| hash));
    [store, id, Cell::Bytes(&hashes.content), now, now, Cell::Null, Cell::Bytes(&hashes.light), answer]
}
