//! Products asked for by their IDs: what a sweep found new or different, and what it did not find.

use std::collections::HashSet;

use tracing::debug;

use super::at_work::AtWork;
use super::commit::Commit;
use super::outcome::Stop;
use super::page::{keep_last, normalize, note_dates};
use crate::connector::neto::{self, Page, Shape};
use crate::domain::error::ErrorClass;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::run::{Checkpoint, Phase, RunKind};
use crate::storage::findings;

/// A doubt about a store that answers something else than it was asked for.
pub const DEAF: &str = "asked for single products by ID, the store lists others";

/// What the store says about products it was asked for.
pub struct Answer {
    /// The records.
    pub page: Page,
    /// Which of them it has listed.
    pub listed: Vec<i64>,
    /// Which of them it has not: does not have, or has left out of an answer that it caps.
    pub absent: Vec<i64>,
    /// Whether it has listed products it was not asked for.
    pub deaf: bool,
    /// Whether all that it has listed can be read.
    pub readable: bool,
    /// The witnesses it does not have.
    pub silent: Vec<i64>,
}

/// Asks for products by ID, and for `witnesses` beside them: products that it has just listed.
pub async fn ask(work: &mut AtWork<'_>, ids: &[i64], witnesses: &[i64]) -> Result<Answer, Stop> {
    let mut shape = Shape::full_without(&work.checkpoint.given_up);
    let mut refused = false;
    let all: Vec<i64> = ids.iter().chain(witnesses.iter().filter(|id| !ids.contains(id))).copied().collect();
    let page = loop {
        let request = neto::fetch(&work.store.url, &work.credential, &shape, &all);
        match work.call(request, format!("{} products by ID", all.len())).await {
            Err(Stop::Remote(error))
                if error.class == ErrorClass::Rejected
                    && work.ask_otherwise(&mut shape, &mut refused, &error).await? => {}
            page => break page?,
        }
    };
    let (products, quarantined) = normalize(&page);
    let readable = products.iter().map(|product| product.inventory_id);
    let there: HashSet<i64> = readable.chain(quarantined.iter().filter_map(|record| record.inventory_id)).collect();
    let deaf = there.iter().any(|id| !all.contains(id));
    let unreadable = quarantined.iter().any(|record| record.inventory_id.is_none());
    drop((products, quarantined));
    let (listed, absent) = ids.iter().partition(|id| there.contains(id));
    let silent: Vec<i64> = witnesses.iter().copied().filter(|id| !there.contains(id)).collect();
    Ok(Answer { page, listed, absent, deaf, readable: !unreadable, silent })
}

/// Stores what the answer has listed, whose findings are dealt with, and writes down what was found.
pub async fn store(work: &mut AtWork<'_>, answer: &Answer, found: &[Finding]) -> Result<(), Stop> {
    let asked: HashSet<i64> = answer.listed.iter().copied().collect();
    let (mut products, mut quarantined) = normalize(&answer.page);
    keep_last(&mut products);
    products.retain(|product| asked.contains(&product.inventory_id));
    quarantined.retain(|record| record.inventory_id.is_some_and(|id| asked.contains(&id)));
    let mut checkpoint: Checkpoint = work.checkpoint.clone();
    note_dates(&mut checkpoint.newest, answer.page.current_time.as_deref(), &products);
    if let Some(cursor) = work.cursor.edited {
        let late = products.iter().filter_map(|product| Some((cursor - product.date_updated()?).num_seconds()));
        checkpoint.listed.late_secs = checkpoint.listed.late_secs.max(late.filter(|late| *late > 0).max());
    }
    let before = work.counts;
    let fetched = products.len();
    let seen = fetched + quarantined.len();
    let commit = Commit {
        products,
        quarantined: &quarantined,
        found,
        done: &answer.listed,
        pages: u32::from(seen > 0),
        seen,
        ..Commit::default()
    };
    work.commit(commit, checkpoint).await?;
    if work.kind == RunKind::Full {
        let now = work.counts;
        // Counted behind the commit: what is lost of it in a crash is a number, and the verdict stays "repaired" by the rest.
        work.checkpoint.listed.repaired += now.inserted + now.updated - before.inserted - before.updated;
    }
    debug!(products = fetched, "products fetched by ID");
    Ok(())
}

/// Fetches what was found new or different.
pub async fn look(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let run_id = work.lease.run_id;
    loop {
        let batch = u64::from(work.checkpoint.page_size);
        let ids = findings::next(&work.syncer.db, run_id, FindingKind::Look, None, batch).await?;
        if ids.is_empty() {
            work.checkpoint.phase = Phase::Confirm;
            return Ok(());
        }
        let answer = match ask(work, &ids, &[]).await {
            Err(Stop::Remote(error)) if error.too_much && work.smaller_pages(ids.len()) && work.try_less(&error) => {
                continue;
            }
            answer => answer?,
        };
        if answer.deaf {
            // Nothing that is missing can be confirmed at such a store either.
            work.doubt(DEAF);
        }
        // What the store has just listed and now does not have was deleted, or hidden by a mistake: asked for again. But an answer
        // that brings some of them may be capped, so the others are asked for anew.
        let missing = |inventory_id: &i64| Finding { inventory_id: *inventory_id, kind: FindingKind::Missing };
        let none = answer.listed.is_empty();
        let found: Vec<_> = answer.absent.iter().filter(|_| none).map(missing).collect();
        store(work, &answer, &found).await?;
        if let Some(stop) = work.pause().await? {
            return Err(stop);
        }
    }
}
