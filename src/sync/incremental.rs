//! An incremental run: what was edited since the cursor, in full detail.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::debug;

use super::at_work::{AtWork, Commit};
use super::listing::{Listing, Turn, UNORDERED};
use super::outcome::Stop;
use super::page::note_dates;
use crate::connector::neto::Shape;
use crate::domain::run::{Phase, RunKind};

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

/// Lists what was edited and stores it.
pub async fn incremental(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let shape = Shape::full_without(&work.checkpoint.given_up);
    let mut listing = Listing::resume(&work.checkpoint.listed, shape, work.checkpoint.page_size);
    loop {
        let (ask, page) = listing.page(work).await?;
        let piece = match listing.judge(ask, &page) {
            Turn::Piece(piece) => piece,
            Turn::Again => continue,
            Turn::End(_) => {
                let mut checkpoint = listing.checkpoint(work, std::iter::empty());
                checkpoint.listed.whole = checkpoint.listed.doubts.is_empty();
                checkpoint.phase = Phase::Over;
                note_dates(&mut checkpoint.newest, &page, &[]);
                return work.commit(Commit::default(), checkpoint).await;
            }
            Turn::Unordered => {
                work.checkpoint.listed.unordered = true;
                work.checkpoint.listed.doubts = vec![UNORDERED.to_owned()];
                work.checkpoint.phase = Phase::Walk;
                return Ok(());
            }
        };
        let ids = piece.products.iter().map(|product| product.inventory_id);
        let mut checkpoint = listing.checkpoint(work, ids);
        note_dates(&mut checkpoint.newest, &page, &piece.products);
        let commit = Commit {
            products: &piece.products,
            quarantined: &piece.quarantined,
            seen: piece.products.len() + piece.quarantined.len(),
            ..Commit::default()
        };
        work.commit(commit, checkpoint).await?;
        debug!(page = ask.page, page.items = page.records().len(), page.bytes = page.bytes(), "page stored");
        Listing::bounded(work)?;
        if let Some(stop) = work.pause().await? {
            return Err(stop);
        }
    }
}
