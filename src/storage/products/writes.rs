//! What a page changes: which of its products have to be written, their rows, table by table, and the lines of the feed.

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

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) store_id: i64,
    /// The run that brought them, if it was one.
    pub(super) run_id: Option<i64>,
    /// When they are written.
    pub(super) now: DateTime<Utc>,
}

/// What is written of the new products of a page, and which of the others have to be written too.
pub(super) struct Plan<'p> {
    /// Products that are new.
    added: Vec<i64>,
    touched: Vec<Touched<'p>>,
    unhashed: Vec<Unhashed>,
    tables: Tables,
}

/// A product that is held and changes.
struct Touched<'p> {
    product: Product<'p>,
    removed: bool,
    hashes: Hashes,
}

/// Hashes of the content and of its light part.
struct Hashes {
    content: ContentHash,
    light: ContentHash,
}

/// An unchanged product without the hashes that an early version did not have: its ID, and those.
pub(super) type Unhashed = (i64, ContentHash, Option<AnswerHash>);

impl<'p> Plan<'p> {
    /// What is done with all of a new product is done while it is in the processor's cache: it is hashed, its rows are packed, and it is let
    /// go.
    pub(super) fn new(source: Source, products: Vec<Product<'p>>, known: &HashMap<i64, Known>) -> Self {
        let (added, touched, unhashed) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { added, touched, unhashed, tables: Tables::new(source) };
        for product in products {
            let (id, content) = (product.inventory_id, product.content_hash());
            let hashes = || Hashes { content, light: light::hash(&product) };
            match known.get(&id) {
                None => {
                    plan.added.push(id);
                    plan.tables.add(&product, &hashes());
                }
                Some(known) if known.hash != content || known.removed => {
                    let hashes = hashes();
                    plan.touched.push(Touched { product, removed: known.removed, hashes });
                }
                Some(known) if !known.light || !known.told && product.answer.is_some() => {
                    plan.unhashed.push((id, hashes().light, product.answer));
                }
                Some(_) => {}
            }
        }
        plan
    }

    /// Products that are held and change: [`Plan::writes`] wants to see what is held.
    pub(super) fn touched(&self) -> Vec<i64> {
        self.touched.iter().map(|touched| touched.product.inventory_id).collect()
    }

    /// With what changes of those that are held; of these `old` is what is held, and `left_out` the numbers of the lines that are told
    /// by that.
    pub(super) fn writes(self, old: &HashMap<i64, Product<'static>>, left_out: &HashMap<i64, i64>) -> Writes {
        let Self { added, touched, unhashed, mut tables } = self;
        let mut written_out = Vec::with_capacity(left_out.len());
        for Touched { product, removed, hashes } in &touched {
            let (old, kind) = (&old[&product.inventory_id], if *removed { "restored" } else { "changed" });
            if let Some(seq) = left_out.get(&product.inventory_id) {
                let mut fields = String::new();
                Change::added(old, &mut fields);
                written_out.push((*seq, fields));
            }
            tables.change(old, product, hashes, kind);
        }
        let (steps, feed) = tables.steps();
        Writes { added, updated: touched.len(), unhashed, steps, written_out, feed }
    }
}

/// What is written of a page.
pub(super) struct Writes {
    /// Products that are new.
    pub(super) added: Vec<i64>,
    /// How many that are held change.
    pub(super) updated: usize,
    pub(super) unhashed: Vec<Unhashed>,
    /// What is done to the tables of products, in this order.
    pub(super) steps: Vec<Step>,
    /// Lines of the change feed that have left out what changes now: their numbers, and that.
    pub(super) written_out: Vec<(i64, String)>,
    /// New lines of the change feed.
    pub(super) feed: Rows,
}

/// One step of a write.
pub(super) enum Step {
    /// The rows of these products are taken out of a table, for others to take their place.
    Clear(&'static str, Vec<i64>),
    Insert(Rows),
}

/// The rows of a page, table by table.
struct Tables {
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
    fn change(&mut self, old: &Product<'_>, product: &Product<'_>, hashes: &Hashes, kind: &'static str) {
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
    fn steps(self) -> (Vec<Step>, Rows) {
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
