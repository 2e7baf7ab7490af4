//! The mirror: a page of products and its checkpoint in one transaction, with a few statements a table.
//!
//! [`commit_page`], [`mark_removed`] and [`replay`] are all that writes product tables. What it costs grows with what changed: a page
//! of unchanged products is one read, one update of the run and a commit.

mod copy;
mod known;
mod removal;
mod replay;
mod sweep;
mod transaction;

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

pub(super) use self::copy::copy_light;
pub use self::removal::{Removal, mark_removed};
pub use self::replay::{Replay, Replayed, replay};
pub use self::sweep::{Held, held_between, held_ids, held_next, load, newest_edit, witnesses};
pub use super::page::Quarantined;
use super::page::{Cell, Rows, Transaction};
use super::{Database, StorageError};
use crate::domain::catalogue::CHILDREN;
use crate::domain::change::Change;
use crate::domain::finding::Finding;
use crate::domain::light;
use crate::domain::product::{AnswerHash, ContentHash, Product};
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::entity::products;

/// A page ready to be written.
#[derive(Debug)]
pub struct PageWrite<'a> {
    /// The right to write.
    pub lease: &'a Lease,
    /// How long the lease holds from now; committing a page renews it.
    pub lease_for: TimeDelta,
    /// Normalised products, each `inventory_id` once.
    pub products: &'a [Product<'a>],
    /// Whether what is stored of them is known to be wrong, whatever its hashes say.
    pub afresh: bool,
    /// Records of the page that are no products.
    pub quarantined: &'a [Quarantined<'a>],
    /// Where the walk goes on after this page.
    pub checkpoint: &'a Checkpoint,
    /// What a sweep has found on it and leaves for later.
    pub found: &'a [Finding],
    /// Findings that are dealt with by this page.
    pub done: &'a [i64],
    /// Counts of the run without this page's `inserted`, `updated`, `unchanged` and `quarantined`.
    pub counts: Counts,
    /// Time of the commit.
    pub now: DateTime<Utc>,
}

/// Writes the changed products of a page, the change feed, the quarantine and the checkpoint in one transaction that
/// compares the lease's epoch.
///
/// Returns the counts of the run with this page in them. [`StorageError::LeaseLost`] means that nothing was written
/// and the run is somebody else's now.
pub async fn commit_page(db: &Database, page: PageWrite<'_>) -> Result<Counts, StorageError> {
    let run_id = page.lease.run_id;
    let written = write_page(db, &page).await.map_err(StorageError::sql("write a page of products"))?;
    written.ok_or(StorageError::LeaseLost { run_id })
}

/// [`commit_page`]; `None` when the lease is lost.
async fn write_page(db: &Database, page: &PageWrite<'_>) -> sqlx::Result<Option<Counts>> {
    let mut tx = Transaction::begin(db).await?;
    let store_id = page.lease.store_id;
    let ids: Vec<i64> = page.products.iter().map(|product| product.inventory_id).collect();
    let mut known = tx.known(store_id, &ids).await?;
    if page.afresh {
        for known in known.values_mut() {
            known.hash = ContentHash::default();
        }
    }
    let plan = Plan::new(page.products, &known);

    let mut counts = page.counts;
    counts.inserted += plan.inserted.len() as i64;
    counts.updated += plan.updated.len() as i64;
    counts.unchanged += (page.products.len() - plan.inserted.len() - plan.updated.len()) as i64;
    counts.quarantined += page.quarantined.len() as i64;
    if !tx.checkpoint(page.lease, page.checkpoint, &counts, page.now + page.lease_for).await? {
        return Ok(None);
    }

    let touched: Vec<i64> = plan.updated.iter().map(|&index| ids[index]).collect();
    let old = tx.load(store_id, &touched).await?;
    let source = Source { store_id, run_id: Some(page.lease.run_id), now: page.now };
    let writes = Writes::new(source, page.products, &plan, &known, &old);
    tx.write(&writes).await?;
    tx.hash(store_id, &plan.missing_hashes(page.products)).await?;
    tx.quarantine(page.lease, page.quarantined, page.now).await?;
    tx.found(page.lease.run_id, page.found).await?;
    tx.done(page.lease.run_id, page.done).await?;
    tx.commit().await?;
    Ok(Some(counts))
}

/// Stands for the hash of the answer where no single record tells all of the product, which no record has.
const TOLD_BY_SEVERAL: &[u8] = &[];

/// What the database knows of a product before its page is written.
#[derive(Clone, Copy, Debug)]
struct Known {
    hash: ContentHash,
    /// Whether the hash of the light part is there too, which products stored by an early version lack.
    light: bool,
    /// Whether it is known which record told it, or that several did; an early version did not ask.
    told: bool,
    removed: bool,
}

/// Which products of a page have to be written, as places in the page.
#[derive(Debug, Default)]
struct Plan {
    inserted: Vec<usize>,
    updated: Vec<usize>,
    /// Unchanged, but without the hashes that an early version did not have.
    unhashed: Vec<usize>,
    hashes: Vec<ContentHash>,
    /// Hashes of the light parts, of products that are written.
    lights: Vec<ContentHash>,
}

impl Plan {
    fn new(products: &[Product<'_>], known: &HashMap<i64, Known>) -> Self {
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

    fn missing_hashes(&self, products: &[Product<'_>]) -> Vec<(i64, ContentHash, Option<AnswerHash>)> {
        let hashes = |index: &usize| (products[*index].inventory_id, self.lights[*index], products[*index].answer);
        self.unhashed.iter().map(hashes).collect()
    }
}

/// One line of the change feed, without its number.
struct Feed<'a> {
    product: &'a Product<'a>,
    kind: &'static str,
    /// Field to old and new value. Of a product that is new it is all it has, which is written when it is sent ([`Feed::fields`]):
    /// it is larger than everything else that is written of a product.
    fields: Option<String>,
}

impl Feed<'_> {
    fn fields(&self) -> Cow<'_, str> {
        match &self.fields {
            Some(fields) => fields.into(),
            None => Change::added(self.product).into(),
        }
    }
}

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
struct Source {
    store_id: i64,
    /// The run that brought them, if it was one.
    run_id: Option<i64>,
    /// When they are written.
    now: DateTime<Utc>,
}

/// The rows of a page, table by table.
struct Writes<'a> {
    source: Source,
    /// Products that are new.
    added: Vec<i64>,
    /// Their rows.
    new_products: Rows<'a>,
    new_texts: Rows<'a>,
    /// Rows of products that are there.
    products: Rows<'a>,
    texts: Rows<'a>,
    children: Vec<Rows<'a>>,
    /// Products whose rows of a child table are replaced, for each child table.
    replaced: Vec<Vec<i64>>,
    feed: Vec<Feed<'a>>,
}

impl<'a> Writes<'a> {
    fn new(
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

/// How many products of the store are there, removed ones not counted.
pub async fn count(db: &Database, store_id: i64) -> Result<u64, StorageError> {
    products::Entity::find()
        .filter(products::Column::StoreId.eq(store_id))
        .filter(products::Column::RemovedAt.is_null())
        .count(db.orm())
        .await
        .map_err(StorageError::query("count the products"))
}
