//! An audit: is the copy what the store says? All IDs are listed and compared ([`list`]), a random sample is fetched and compared
//! field by field ([`sample`]); only when asked for, what is different is repaired, by the ways of a sweep ([`super::look`],
//! [`super::removal`]) and under its guard.
//!
//! Without that no product, no line of the feed and no cursor changes, and with it no cursor either: an audit looks at what the
//! syncs have done and never does their work.

mod list;
mod sample;

pub use self::list::list;
pub use self::sample::sample;
use super::at_work::AtWork;
use super::verdict::{doubts, too_many_bad};
use crate::domain::audit::{AuditFindings, Since};
use crate::domain::run::{Checkpoint, Phase, RunState, Verdict};
use crate::storage::runs::{End, Evidence};

/// What an audit has found up to the checkpoint.
fn found(checkpoint: &mut Checkpoint) -> &mut AuditFindings {
    &mut checkpoint.audit.get_or_insert_default().found
}

/// What the syncs must have brought into the copy: edits up to the cursor, less what incremental runs look back anyway.
fn since(work: &AtWork<'_>) -> Since {
    Since { known_upto: work.cursor.edited.map(|edited| edited - work.overlap()) }
}

/// Where an audit goes on when it has seen everything.
fn behind_the_sample(work: &AtWork<'_>) -> Phase {
    if work.audit.repair { Phase::Look } else { Phase::Over }
}

/// What the finished audit says.
pub fn verdict(work: &AtWork<'_>) -> End {
    if let Some(failed) = too_many_bad(work) {
        return failed;
    }
    let found = work.checkpoint.audit.as_ref().map(|audited| audited.found.clone()).unwrap_or_default();
    let mut doubts = doubts(work);
    if !found.clean() && !work.audit.repair {
        doubts.push(format!("{}; `netosync audit {} --repair` repairs that", differing(&found), work.store.name));
    }
    let written = work.counts.inserted + work.counts.updated + work.counts.removed;
    let verdict = match doubts.is_empty() {
        false => Verdict::Partial,
        true if written > 0 && !found.clean() => Verdict::Repaired,
        true => Verdict::Complete,
    };
    let listed = &work.checkpoint.listed;
    let evidence = Evidence {
        repaired: written,
        id_digest: Some(listed.digest).filter(|_| listed.whole),
        audit: Some(Box::new(found)),
        ..Evidence::default()
    };
    let error = (!doubts.is_empty()).then(|| doubts.join("; "));
    End { state: RunState::Succeeded, verdict: Some(verdict), error_class: None, error, evidence: Some(evidence) }
}

/// How the copy differs, in a few words.
fn differing(found: &AuditFindings) -> String {
    let AuditFindings { different, moved, ids, .. } = found;
    let mut said = Vec::new();
    if *different > 0 {
        said.push(format!("{different} of {} compared products are not what the store says", found.compared()));
    }
    if *moved > 0 {
        said.push(format!(
            "{moved} of them only in prices or stock, which move without a date: an audit right after a sweep tells whether they are wrong"
        ));
    }
    if ids.not_held.products > 0 {
        said.push(format!("{} products that the store lists are not held", ids.not_held.products));
    }
    if ids.whole && ids.not_listed.products > 0 {
        said.push(format!("{} products are held that the store does not list", ids.not_listed.products));
    }
    said.join("; ")
}
