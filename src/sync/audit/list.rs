//! All IDs: what the store lists and what is held, with digests of both.

use std::collections::{BTreeMap, BTreeSet};

use tracing::debug;

use super::super::at_work::AtWork;
use super::super::commit::Commit;
use super::super::group::Groups;
use super::super::listing::{Listing, Piece, Turn, UNORDERED};
use super::super::outcome::Stop;
use super::super::reading::Reader;
use super::super::sweep::note_missing;
use super::{found, since};
use crate::connector::neto::Shape;
use crate::domain::audit::Ids;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::run::Phase;
use crate::storage::{StorageError, findings, products};

/// Lists everything and compares the IDs.
pub async fn list(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let shape = Shape::light_without(&work.checkpoint.given_up);
    // Every product is looked at for its date, so none is known by its bytes alone.
    let reader = Reader::new(work, false, None);
    let mut listing = Listing::resume(work.light_seam(), shape, reader);
    loop {
        let (ask, read) = listing.page(work, &mut Groups::default()).await?;
        let (items, bytes) = (read.records, read.bytes);
        let piece = match listing.judge(ask, read) {
            Turn::Piece(piece) => piece,
            Turn::Again => continue,
            Turn::End(upto) => return end(work, &listing, upto).await,
            Turn::Unordered => return unordered(work).await,
        };
        let listed = listed(&piece);
        let seen = compare(work, &piece, &listed).await?;
        let mut checkpoint = work.checkpoint.clone();
        listing.note(&mut checkpoint.listed, listed.into_iter());
        let ids = &mut found(&mut checkpoint).ids;
        let both = seen.look.iter().chain(&seen.missing).filter(|_| work.audit.repair);
        let left: Vec<_> = both.copied().collect();
        seen.add_to(ids);
        work.commit(Commit { found: &left, ..Commit::default() }, checkpoint).await?;
        debug!(page = ask.page, page.items = items, page.bytes = bytes, "page compared");
        Listing::bounded(work.checkpoint.listed.pages, work)?;
        if let Some(stop) = work.pause().await? {
            return Err(stop);
        }
    }
}

/// The products of a piece of the list, those whose records are bad included.
fn listed(piece: &Piece) -> BTreeSet<i64> {
    piece.ids().chain(piece.quarantined.iter().filter_map(|record| record.inventory_id)).collect()
}

/// What a piece of the list says about what is held.
#[derive(Default)]
struct Seen {
    at_store: u64,
    held: Vec<i64>,
    /// Listed and not held; among them are those of `new`.
    look: Vec<Finding>,
    new: BTreeSet<i64>,
    missing: Vec<Finding>,
}

impl Seen {
    fn add_to(self, ids: &mut Ids) {
        ids.at_store += self.at_store;
        ids.held += self.held.len() as u64;
        ids.held_digest.extend(self.held);
        ids.not_held.extend(self.look.iter().map(|found| found.inventory_id).filter(|id| !self.new.contains(id)));
        ids.new.extend(self.new);
        ids.not_listed.extend(self.missing.iter().map(|found| found.inventory_id));
    }
}

async fn compare(work: &AtWork<'_>, piece: &Piece, listed: &BTreeSet<i64>) -> Result<Seen, StorageError> {
    let mut seen = Seen { at_store: listed.len() as u64, ..Seen::default() };
    if piece.upto.is_some() {
        let held = products::held_between(&work.syncer.db, work.store.id, piece.after, piece.upto).await?;
        seen.held = held.into_iter().filter(|held| !held.removed).map(|held| held.inventory_id).collect();
    }
    let held: BTreeSet<i64> = seen.held.iter().copied().collect();
    let readable: BTreeMap<_, _> = piece.products.iter().map(|product| (product.inventory_id, product)).collect();
    for id in listed.difference(&held) {
        seen.look.push(Finding { inventory_id: *id, kind: FindingKind::Look });
        if readable.get(id).is_some_and(|product| since(work).edited(None, product)) {
            seen.new.insert(*id);
        }
    }
    seen.missing = missing(held.difference(listed));
    Ok(seen)
}

fn missing<'i>(ids: impl Iterator<Item = &'i i64>) -> Vec<Finding> {
    ids.map(|id| Finding { inventory_id: *id, kind: FindingKind::Missing }).collect()
}

/// The end of the list: what is held behind it is not listed.
async fn end(work: &mut AtWork<'_>, listing: &Listing, upto: Option<i64>) -> Result<(), Stop> {
    let behind = products::held_between(&work.syncer.db, work.store.id, upto, None).await?;
    let held: Vec<_> = behind.iter().filter(|held| !held.removed).map(|held| held.inventory_id).collect();
    let behind = Seen { missing: missing(held.iter()), held, ..Seen::default() };
    let mut checkpoint = work.checkpoint.clone();
    listing.note(&mut checkpoint.listed, std::iter::empty());
    checkpoint.listed.whole = checkpoint.listed.doubts.is_empty();
    checkpoint.phase = Phase::Sample;
    let (whole, store_digest) = (checkpoint.listed.whole, checkpoint.listed.digest);
    let ids = &mut found(&mut checkpoint).ids;
    let left = if work.audit.repair { behind.missing.clone() } else { Vec::new() };
    behind.add_to(ids);
    (ids.whole, ids.store_digest) = (whole, store_digest);
    note_missing(work, &left, checkpoint).await
}

/// Seams prove nothing about this list, so nothing is said about the IDs.
async fn unordered(work: &mut AtWork<'_>) -> Result<(), Stop> {
    findings::forget(&work.syncer.db, work.lease.run_id).await?;
    let mut checkpoint = work.checkpoint.clone();
    checkpoint.listed.unordered = true;
    checkpoint.listed.doubts = vec![UNORDERED.to_owned()];
    checkpoint.phase = Phase::Sample;
    found(&mut checkpoint).ids = Ids::default();
    work.commit(Commit::default(), checkpoint).await
}
