//! The list in full detail: of an incremental run what was edited since the cursor, of a full run everything.
//!
//! It is read with seams ([`super::seam`]), so nothing that is there all along slips between two pages; what a full run holds and does
//! not find on it is missing, and asked for by ID before it is believed ([`super::removal`]).

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{debug, info};

use super::at_work::AtWork;
use super::commit::Commit;
use super::group::Groups;
use super::held::HeldAhead;
use super::listing::{Listing, Piece, Turn, UNORDERED};
use super::outcome::Stop;
use super::page::note_dates;
use super::reading::Reader;
use super::seam::LEAST;
use super::sweep::{missing_behind, note_missing};
use crate::connector::neto::Shape;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::run::{Counts, Listed, Phase, RunKind};
use crate::storage::{StorageError, findings};

impl AtWork<'_> {
    /// Since when edits are asked for, in the server's time; `None` = from the beginning.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        let edited = self.cursor.edited.filter(|_| self.kind == RunKind::Incremental)?;
        Some(edited - self.overlap())
    }

    /// By how much an incremental run looks back before its cursor.
    pub fn overlap(&self) -> TimeDelta {
        self.cursor.overlap.unwrap_or_default().max(self.syncer.config.fetch.overlap())
    }
}

/// Reads the list and stores it.
pub async fn detail(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let mut groups = Groups::default();
    let list = list(work, &mut groups).await;
    groups.end(work, list).await
}

async fn list(work: &mut AtWork<'_>, groups: &mut Groups) -> Result<(), Stop> {
    if work.kind == RunKind::Full && work.checkpoint.page_size < LEAST {
        return without_seams(work, "pages are too small for seams").await;
    }
    let shape = Shape::full_without(&work.checkpoint.given_up);
    let covered = work.checkpoint.listed.place.and_then(|place| place.covered);
    let ahead = || HeldAhead::behind(&work.syncer.db, work.store.id, covered);
    let held = (work.kind == RunKind::Full).then(ahead);
    let reader = Reader::new(work, true, held.clone());
    let mut listing = Listing::resume(work.full_seam(), shape, reader);
    loop {
        let (ask, read) = match listing.page(work, groups).await {
            Err(Stop::Remote(error)) if error.too_much && work.kind == RunKind::Full && work.try_less(&error) => {
                work.smaller_pages(LEAST as usize);
                return without_seams(work, "the store does not bear pages that are large enough for seams").await;
            }
            read => read?,
        };
        let (items, bytes) = (read.records, read.bytes);
        match listing.judge(ask, read) {
            Turn::Piece(piece) => {
                take_in(work, groups, &listing, piece, bytes / items.max(1), held.as_deref()).await?;
            }
            Turn::Again => continue,
            Turn::End(upto) => {
                groups.store(work).await?;
                return end(work, &listing, upto).await;
            }
            Turn::Unordered => {
                groups.store(work).await?;
                work.checkpoint.listed.unordered = true;
                work.checkpoint.listed.doubts = vec![UNORDERED.to_owned()];
                return walk_instead(work).await;
            }
        }
        debug!(page = ask.page, page.items = items, page.bytes = bytes, "page read");
        listing.store_when_due(work, groups).await?;
    }
}

/// Adds a piece of the list, whose records are of so many bytes each, to what is to be stored.
async fn take_in(
    work: &AtWork<'_>,
    groups: &mut Groups,
    listing: &Listing,
    piece: Piece,
    bytes: usize,
    held: Option<&HeldAhead>,
) -> Result<(), StorageError> {
    let held = match held.zip(piece.upto) {
        Some((held, upto)) => Some(held.take(piece.after, upto).await?),
        None => None,
    };
    if let Some(held) = &held {
        let listed = |id: i64| {
            piece.same.binary_search(&id).is_ok()
                || piece.products.binary_search_by_key(&id, |product| product.inventory_id).is_ok()
                || piece.quarantined.iter().any(|record| record.inventory_id == Some(id))
        };
        let missing = held.iter().filter(|held| !held.removed && !listed(held.inventory_id));
        groups
            .open
            .found
            .extend(missing.map(|held| Finding { inventory_id: held.inventory_id, kind: FindingKind::Missing }));
    }
    let checkpoint = groups.checkpoint(work);
    listing.note(&mut checkpoint.listed, piece.ids());
    note_dates(&mut checkpoint.newest, piece.current_time.as_deref(), &piece.products);
    let seen = piece.same.len() + piece.products.len() + piece.quarantined.len();
    groups.open.pages += u32::from(seen > 0);
    groups.open.seen += seen;
    groups.open.unchanged += piece.same.len();
    groups.open.quarantined.extend(piece.quarantined);
    // Of an incremental run that is not known before it is written.
    let is_held =
        |id| held.as_ref().is_none_or(|held| held.binary_search_by_key(&id, |held| held.inventory_id).is_ok());
    groups.open.add(work, piece.products, bytes, is_held);
    Ok(())
}

/// The end of the list. A full run has missed what is held behind it.
async fn end(work: &mut AtWork<'_>, listing: &Listing, upto: Option<i64>) -> Result<(), Stop> {
    let mut checkpoint = work.checkpoint.clone();
    listing.note(&mut checkpoint.listed, std::iter::empty());
    checkpoint.listed.whole = checkpoint.listed.doubts.is_empty();
    if work.kind == RunKind::Full {
        checkpoint.phase = Phase::Look;
        let missing = missing_behind(work, upto).await?;
        return note_missing(work, &missing, checkpoint).await;
    }
    checkpoint.phase = Phase::Over;
    work.commit(Commit::default(), checkpoint).await
}

/// A full run of a store that is read in pages too small for seams: a walk, and a list in little detail behind it.
async fn without_seams(work: &mut AtWork<'_>, why: &str) -> Result<(), Stop> {
    info!("{why}: the store is walked page by page, and listed once more");
    work.checkpoint.listed = Listed::default();
    walk_instead(work).await
}

/// What the list has shown is forgotten, and everything is read anew.
async fn walk_instead(work: &mut AtWork<'_>) -> Result<(), Stop> {
    findings::forget(&work.syncer.db, work.lease.run_id).await?;
    let Counts { pages, calls, inserted, updated, removed, .. } = work.counts;
    work.counts = Counts { pages, calls, inserted, updated, removed, ..Counts::default() };
    work.checkpoint.phase = Phase::Walk;
    Ok(())
}
