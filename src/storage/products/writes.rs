//! What a page changes: which of its products are new, which have changed, and what is to be written of both.

use std::collections::HashMap;

use super::packed::{Hashes, NewProducts, Step};
use crate::domain::change::Change;
use crate::domain::light;
use crate::domain::product::{AnswerHash, ContentHash, Product};
use crate::storage::page::{Rows, Transaction};

/// So many products are compared at a time with what is held of them: each takes the room of two meanwhile. Looking once more is a
/// statement for each of their tables, which on PostgreSQL is as many trips to the server.
const fn compared(tx: &Transaction) -> usize {
    match tx {
        Transaction::Postgres(_) => 256,
        Transaction::Sqlite(_) => 64,
    }
}

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

/// What is written of the new products of a page, and which of the others have to be written too.
pub(super) struct Plan<'p> {
    new: NewProducts,
    touched: Vec<Touched<'p>>,
    unhashed: Vec<Unhashed>,
}

/// A product that is held and changes.
struct Touched<'p> {
    product: Product<'p>,
    removed: bool,
    hashes: Hashes,
}

/// An unchanged product without the hashes that an early version did not have: its ID, and those.
pub(super) type Unhashed = (i64, ContentHash, Option<AnswerHash>);

impl<'p> Plan<'p> {
    /// Of `products` it is to be found out which are new, besides those that are known to be: each of them is let go as soon as it is
    /// packed.
    pub(super) fn new(new: NewProducts, products: Vec<Product<'p>>, known: &HashMap<i64, Known>) -> Self {
        let mut plan = Self { new, touched: Vec::new(), unhashed: Vec::new() };
        for product in products {
            let (id, content) = (product.inventory_id, product.content_hash());
            let hashes = || Hashes { content, light: light::hash(&product) };
            match known.get(&id) {
                None => plan.new.push(&product, &hashes()),
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

    /// With what changes of those that are held, looked up a few at a time: each of them is let go as soon as it is packed, and what is
    /// held with it.
    pub(super) async fn writes(self, tx: &mut Transaction, store_id: i64) -> sqlx::Result<Writes> {
        let Self { mut new, touched, unhashed } = self;
        let (mut updated, mut written_out) = (0, Vec::new());
        let mut touched = touched.into_iter();
        while !touched.as_slice().is_empty() {
            let some: Vec<_> = touched.by_ref().take(compared(tx)).collect();
            let ids: Vec<i64> = some.iter().map(|touched| touched.product.inventory_id).collect();
            let (old, left_out) = (tx.load(store_id, &ids).await?, tx.left_out(store_id, &ids).await?);
            for Touched { product, removed, hashes } in some {
                let Some(old) = old.get(&product.inventory_id) else {
                    // Deleted by hand since it was known.
                    new.push(&product, &hashes);
                    continue;
                };
                if let Some(seq) = left_out.get(&product.inventory_id) {
                    let mut fields = String::new();
                    Change::added(old, &mut fields);
                    written_out.push((*seq, fields));
                }
                new.tables.change(old, &product, &hashes, if removed { "restored" } else { "changed" });
                updated += 1;
            }
        }
        let (steps, feed) = new.tables.steps();
        Ok(Writes { added: new.added, updated, unhashed, steps, written_out, feed })
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
