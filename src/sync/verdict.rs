//! What a finished run says about the copy: `complete`, `repaired`, or `partial` with every reason there is.

use super::at_work::AtWork;
use super::outcome::{Stop, failed};
use crate::connector::neto::Shape;
use crate::domain::cursor::adapt;
use crate::domain::error::ErrorClass;
use crate::domain::learned::Learned;
use crate::domain::run::{Checkpoint, Counts, RunKind, RunState, Verdict};
use crate::storage::runs::{End, Evidence};
use crate::storage::{StorageError, products};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// So many bad records never fail a run by themselves.
const FEW: i64 = 10;

/// What the finished run says about the copy.
pub async fn verdict(work: &AtWork<'_>) -> Result<End, Stop> {
    if let Some(failed) = too_many_bad(work) {
        return Ok(failed);
    }
    let listed = &work.checkpoint.listed;
    let mut doubts = doubts(work);
    if listed.unordered && work.kind != RunKind::Incremental {
        let (seen, held) = (work.counts.seen, products::count(&work.syncer.db, work.store.id).await?);
        if seen.unsigned_abs() < held {
            doubts.push(format!(
                "the store listed {seen} products where the mirror holds {held}; the others are kept as they were"
            ));
        }
    }
    let verdict = match doubts.is_empty() {
        true if listed.repaired > 0 => Verdict::Repaired,
        true => Verdict::Complete,
        false => Verdict::Partial,
    };
    let error = (!doubts.is_empty()).then(|| doubts.join("; "));
    let evidence = Some(evidence(work).await?);
    Ok(End { state: RunState::Succeeded, verdict: Some(verdict), error_class: None, error, evidence })
}

/// The end of a run that could not read too many records, if it is one.
pub fn too_many_bad(work: &AtWork<'_>) -> Option<End> {
    let Counts { seen, quarantined, .. } = work.counts;
    let max_share = work.syncer.config.quarantine.max_share;
    (quarantined > FEW && quarantined as f64 > max_share * seen as f64).then(|| {
        let error = format!(
            "{quarantined} of {seen} records could not be read, more than quarantine.max_share = {max_share} allows; \
             see `netosync quarantine list {}`",
            work.store.name
        );
        failed(ErrorClass::Data, error)
    })
}

/// What makes a run of any kind unsure.
pub fn doubts(work: &AtWork<'_>) -> Vec<String> {
    let (list, listed) = (&work.checkpoint.list, &work.checkpoint.listed);
    let mut doubts = listed.doubts.clone();
    if listed.unordered {
        doubts.extend(list.doubts.iter().cloned());
    }
    doubts.extend(in_quarantine(work));
    let shape = Shape::full_without(&work.checkpoint.given_up);
    let mut refused: Vec<_> = shape.refused().collect();
    refused.sort_unstable();
    if !refused.is_empty() {
        doubts.push(format!("the store refuses the selectors {}", refused.join(", ")));
    }
    doubts
}

/// The doubt about records that could not be read, if there are any.
pub fn in_quarantine(work: &AtWork<'_>) -> Option<String> {
    let (quarantined, name) = (work.counts.quarantined, &work.store.name);
    (quarantined > 0).then(|| format!("{quarantined} records are in quarantine, see `netosync quarantine list {name}`"))
}

async fn evidence(work: &AtWork<'_>) -> Result<Evidence, StorageError> {
    let listed = &work.checkpoint.listed;
    let swept = work.kind != RunKind::Incremental;
    let mut newest = work.checkpoint.newest;
    if swept && listed.whole && work.cursor.edited.is_none() && work.counts.unchanged > 0 {
        // Products that came as they are held were not looked at for their date.
        let edited = products::newest_edit(&work.syncer.db, work.store.id, newest.latest_believable()).await?;
        if let Some(edited) = edited {
            newest.saw(edited);
        }
    }
    let least = work.syncer.config.fetch.overlap();
    // Bad records and refused selectors are no reason to list the same edits again.
    let cursor = newest.cursor(work.cursor.edited).filter(|_| listed.whole);
    let adapted = adapt(work.overlap(), least, listed.late_secs.map(TimeDelta::seconds));
    Ok(Evidence {
        repaired: listed.repaired,
        id_digest: Some(listed.digest).filter(|_| listed.whole && swept),
        cursor,
        audit: None,
        streams: BTreeMap::new(),
        overlap_secs: (swept && work.cursor.edited.is_some()).then(|| adapted.num_seconds()),
        learned: Some(learned(work)).filter(|learned| *learned != work.store.learned),
    })
}

/// What the answers have taught, on top of what the run began with.
fn learned(work: &AtWork<'_>) -> Learned {
    let Checkpoint { page_size, listed, given_up, doubts_learned, .. } = &work.checkpoint;
    let began = work.began_with();
    let listed = listed.place.filter(|_| listed.too_many.is_some()).map(|place| place.limit);
    let configured = work.syncer.config.fetch.page_size;
    let mut learned = Learned {
        refused: given_up.clone(),
        page_size: Some(*page_size).filter(|page_size| *page_size < configured),
        sweep_page_size: began.sweep_page_size,
        since: None,
    };
    match work.kind {
        // They list in full detail.
        RunKind::Incremental | RunKind::Full => learned.page_size = listed.or(learned.page_size),
        RunKind::Sweep | RunKind::Audit => learned.sweep_page_size = listed.or(learned.sweep_page_size),
    }
    learned.dated(&work.store.learned, *doubts_learned, work.syncer.clock.now())
}
