//! What a finished run of a described connector says about the copy.

use super::so_far;
use crate::domain::run::{RunState, Verdict};
use crate::storage::runs::{End, Evidence};
use crate::sync::api::Described;
use crate::sync::at_work::AtWork;
use crate::sync::outcome::{Stop, failed};
use crate::sync::verdict::{in_quarantine, too_many_bad};

/// `complete`, `repaired`, or `partial` with every reason there is; an error where no stream could be read at all.
pub fn verdict(work: &mut AtWork<'_>, api: Described<'_>) -> Result<End, Stop> {
    if let Some(failed) = too_many_bad(work) {
        return Ok(failed);
    }
    let streams = so_far(work).clone();
    if let Some(first) = streams.failed.first().filter(|_| streams.failed.len() == api.description.streams.len()) {
        return Ok(failed(first.class, format!("stream {}: {}", first.stream, first.said)));
    }
    let mut doubts = work.checkpoint.listed.doubts.clone();
    doubts.extend(streams.failed.iter().map(|one| format!("stream {}: {}", one.stream, one.said)));
    doubts.extend(in_quarantine(work));
    let repaired = work.checkpoint.listed.repaired;
    let verdict = match doubts.is_empty() {
        true if repaired > 0 => Verdict::Repaired,
        true => Verdict::Complete,
        false => Verdict::Partial,
    };
    // What a run that is not sure has not seen may be dated before what it has.
    let marks = if verdict == Verdict::Partial { Default::default() } else { streams.marks };
    let evidence = Evidence { repaired, streams: marks, ..Evidence::default() };
    let error = (!doubts.is_empty()).then(|| doubts.join("; "));
    Ok(End { state: RunState::Succeeded, verdict: Some(verdict), error_class: None, error, evidence: Some(evidence) })
}
