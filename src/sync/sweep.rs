//! The sweep: the light part of everything the store has, compared with what is held.
//!
//! Prices and stock that moved are taken over as they are. What is new or was edited is left to be fetched
//! ([`super::look`]), and what is held and not listed to be asked for by ID ([`super::removal`]): both are written down as
//! findings with the page that showed them, so an interruption loses none.

use std::collections::{HashMap, HashSet};

use tracing::debug;

use super::at_work::AtWork;
use super::commit::Commit;
use super::group::Groups;
use super::held::HeldAhead;
use super::listing::{Listing, Piece, Turn, UNORDERED};
use super::outcome::Stop;
use super::page::note_dates;
use super::reading::Reader;
use crate::connector::neto::Shape;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::light::{self, Difference};
use crate::domain::product::Product;
use crate::domain::run::{Checkpoint, Phase, RunKind};
use crate::storage::products::{self, Held, Quarantined};
use crate::storage::{StorageError, quarantine};

/// Missing products written down in one transaction.
const MISSING_AT_ONCE: usize = 5000;

/// Lists everything and compares it.
pub async fn sweep(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let mut groups = Groups::default();
    let list = list(work, &mut groups).await;
    groups.end(work, list).await
}

async fn list(work: &mut AtWork<'_>, groups: &mut Groups) -> Result<(), Stop> {
    let shape = Shape::light_without(&work.checkpoint.given_up);
    let covered = work.checkpoint.listed.place.and_then(|place| place.covered);
    let held = HeldAhead::behind(&work.syncer.db, work.store.id, covered);
    let reader = Reader::new(work, false, Some(held.clone()));
    let mut listing = Listing::resume(work.light_seam(), shape, reader);
    // Of a full run, the bad records are known from its walk.
    let known_bad = quarantine::products_of_run(&work.syncer.db, work.lease.run_id).await?;
    loop {
        let (ask, read) = listing.page(work, groups).await?;
        let (items, bytes) = (read.records, read.bytes);
        let piece = match listing.judge(ask, read) {
            Turn::Piece(piece) => piece,
            Turn::Again => continue,
            Turn::End(upto) => {
                groups.store(work).await?;
                return end(work, &listing, upto).await;
            }
            Turn::Unordered => {
                groups.store(work).await?;
                unordered(work);
                return Ok(());
            }
        };
        let checkpoint = groups.checkpoint(work);
        listing.note(&mut checkpoint.listed, piece.ids());
        note_dates(&mut checkpoint.newest, piece.current_time.as_deref(), &piece.products);
        let mut compared = compare(work, &held, piece, &known_bad, listing.refuses()).await?;
        if work.kind == RunKind::Full {
            groups.checkpoint(work).listed.repaired += compared.moved.len() as i64;
            // The walk has counted them.
            compared.unchanged = 0;
        }
        let seen = compared.moved.len() + compared.bad.len() + compared.unchanged;
        groups.open.pages += u32::from(seen > 0);
        groups.open.seen += seen;
        groups.open.unchanged += compared.unchanged;
        groups.open.products.extend(compared.moved);
        groups.open.quarantined.extend(compared.bad);
        groups.open.found.extend(compared.found);
        debug!(page = ask.page, page.items = items, page.bytes = bytes, "page compared");
        listing.store_when_due(work, groups).await?;
    }
}

/// What a page says about what is held.
struct Compared {
    /// Products of which prices or stock moved, as they are now.
    moved: Vec<Product<'static>>,
    found: Vec<Finding>,
    unchanged: usize,
    /// Records that are no products and cannot be fetched by ID.
    bad: Vec<Quarantined<'static>>,
}

async fn compare(
    work: &AtWork<'_>,
    held: &HeldAhead,
    piece: Piece,
    known_bad: &HashSet<i64>,
    lacks_parts: bool,
) -> Result<Compared, StorageError> {
    let (db, store_id) = (&work.syncer.db, work.store.id);
    let held = match piece.upto {
        Some(upto) => held.take(piece.after, upto).await?,
        None => Vec::new(),
    };
    let by_id: HashMap<i64, &Held> = held.iter().map(|held| (held.inventory_id, held)).collect();
    let same = piece.same.iter().filter(|id| !known_bad.contains(id)).count();
    let mut compared = Compared { moved: Vec::new(), found: Vec::new(), unchanged: same, bad: Vec::new() };
    let mut look = |inventory_id| compared.found.push(Finding { inventory_id, kind: FindingKind::Look });
    let mut different = Vec::new();
    for product in &piece.products {
        let id = product.inventory_id;
        match by_id.get(&id) {
            // It is in quarantine and counted.
            _ if known_bad.contains(&id) => {}
            Some(held) if held.removed => look(id),
            Some(held) if held.light == Some(light::hash(product)) => compared.unchanged += 1,
            Some(held) if held.light.is_some() => different.push(product),
            _ => look(id),
        }
    }
    let listed_bad: HashSet<i64> = piece.quarantined.iter().filter_map(|record| record.inventory_id).collect();
    listed_bad.difference(known_bad).for_each(|id| look(*id));
    let ids: Vec<i64> = different.iter().map(|product| product.inventory_id).collect();
    let mut whole = if ids.is_empty() { HashMap::new() } else { products::load(db, store_id, &ids).await? };
    for product in different {
        let id = product.inventory_id;
        let held = whole.remove(&id);
        match held.as_ref().map(|held| light::difference(held, product)) {
            Some(Difference::Amounts) if lacks_parts => compared.unchanged += 1,
            Some(Difference::Amounts) => {
                let mut moved = held.expect("it was just looked at");
                light::take_over(&mut moved, product);
                compared.moved.push(moved);
            }
            Some(Difference::Edited) | None => {
                compared.found.push(Finding { inventory_id: id, kind: FindingKind::Look });
            }
        }
    }
    let listed: HashSet<i64> = piece.ids().collect();
    let missing = held.iter().filter(|held| !held.removed && !listed.contains(&held.inventory_id));
    let missing = missing.filter(|held| !listed_bad.contains(&held.inventory_id)).map(|held| held.inventory_id);
    compared.found.extend(missing.map(|inventory_id| Finding { inventory_id, kind: FindingKind::Missing }));
    if work.kind != RunKind::Full {
        compared.bad = piece.quarantined.into_iter().filter(|record| record.inventory_id.is_none()).collect();
    }
    Ok(compared)
}

/// The end of the list: what is held behind it is missing.
async fn end(work: &mut AtWork<'_>, listing: &Listing, upto: Option<i64>) -> Result<(), Stop> {
    let missing = missing_behind(work, upto).await?;
    let mut checkpoint = work.checkpoint.clone();
    listing.note(&mut checkpoint.listed, std::iter::empty());
    checkpoint.listed.whole = checkpoint.listed.doubts.is_empty();
    checkpoint.phase = Phase::Look;
    note_missing(work, &missing, checkpoint).await
}

/// What is held behind the end of the list.
pub async fn missing_behind(work: &AtWork<'_>, upto: Option<i64>) -> Result<Vec<Finding>, StorageError> {
    let behind = products::held_between(&work.syncer.db, work.store.id, upto, None).await?;
    let missing = behind.iter().filter(|held| !held.removed);
    Ok(missing.map(|held| Finding { inventory_id: held.inventory_id, kind: FindingKind::Missing }).collect())
}

/// Writes down what is missing behind the end of the list, and moves the checkpoint behind it.
pub async fn note_missing(work: &mut AtWork<'_>, missing: &[Finding], checkpoint: Checkpoint) -> Result<(), Stop> {
    let mut chunks = missing.chunks(MISSING_AT_ONCE).peekable();
    while let Some(found) = chunks.next_if(|chunk| chunk.len() == MISSING_AT_ONCE) {
        // Not at its end yet: whoever goes on here sees the end again, and the same are missing.
        let checkpoint = work.checkpoint.clone();
        work.commit(Commit { found, ..Commit::default() }, checkpoint).await?;
    }
    let found = chunks.next().unwrap_or_default();
    work.commit(Commit { found, ..Commit::default() }, checkpoint).await
}

/// Seams prove nothing about this list. A full run has walked it already; a sweep walks it in full detail instead.
fn unordered(work: &mut AtWork<'_>) {
    let listed = &mut work.checkpoint.listed;
    listed.unordered = true;
    listed.doubts = vec![UNORDERED.to_owned()];
    work.checkpoint.phase = if work.kind == RunKind::Full { Phase::Over } else { Phase::Walk };
}
