//! One sync of one store: its states, lease, checkpoint, counts and verdict.
//!
//! ```text
//!            insert            claim                        finish
//!  (none) ----------> queued ---------> running ------------------> succeeded
//!                        ^                 | retry (counted, later)
//!                        |                 | snooze (not counted, later)
//!                        |                 | yielded to others that wait (not counted, now)
//!                        +-----------------+ interrupted by a stop (not counted, now)
//!                        ^                 |---> failed      attempts used up, or not worth retrying
//!                        | taken over      |---> cancelled   operator, key revoked
//!                        +--- lease expired (counted by the next claim)
//! ```
//! The scheduler or the `sync` command inserts; a worker claims and is the only one that moves a running run,
//! with the epoch of its lease in hand; a lease that ran out is claimed by another worker.
//!
//! An operator who cancels a running run raises its epoch, so its worker writes nothing more from that moment on. The run
//! stays `running`, marked, until that worker confirms that it has stopped calling the store, or its lease has run out:
//! as long as that, no other run of the store may begin, because two callers would share a minute's budget.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::audit::{AuditFindings, AuditRequest, Audited};
use super::cursor::Newest;
use super::digest::IdDigest;
use super::error::ErrorClass;
use super::page_size::PageSize;
use super::text_enum::text_enum;

text_enum! {
    /// What a run does. The heaviest first: each does what those after it do, but for the last, which is by itself.
    RunKind {
        /// Reads the whole catalogue in full detail.
        Full = "full",
        /// Walks the whole catalogue in little detail, and fetches what is new or different.
        Sweep = "sweep",
        /// Walks what was edited since the cursor.
        Incremental = "incremental",
        /// Compares a sample and all IDs with the copy ([`super::audit`]); only when a person asks for it.
        Audit = "audit",
    }
}

impl RunKind {
    /// Those that bring the copy up to date, and have schedules. The heaviest first.
    pub const SYNCS: [Self; 3] = [Self::Full, Self::Sweep, Self::Incremental];

    /// Whether a run of this kind does what one of the other kind does, and so counts as one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        (self == Self::Audit) == (other == Self::Audit) && self as u8 <= other as u8
    }
}

text_enum! {
    /// Who asked for a run.
    Trigger {
        /// The store's schedule.
        Schedule = "schedule",
        /// A person or a script, through `netosync sync`.
        Manual = "manual",
    }
}

text_enum! {
    /// Where a run stands, see the diagram of this module.
    RunState {
        /// Waits for a worker.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        /// Ended, with a verdict.
        Succeeded = "succeeded",
        /// Ended by an error.
        Failed = "failed",
        /// Ended by a person or by a revoked key.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Whether the run still has to be worked on. One unfinished run a store is all there can be.
    #[must_use]
    pub fn unfinished(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

text_enum! {
    /// What a finished run knows about the copy.
    Verdict {
        /// Every product that existed during the whole run was seen and stored.
        Complete = "complete",
        /// Some had slipped between pages and were fetched.
        Repaired = "repaired",
        /// Something is missing or unsure; the reason is in `runs.error`.
        Partial = "partial",
    }
}

impl Verdict {
    /// Whether nothing is missing or unsure.
    #[must_use]
    pub fn is_sure(self) -> bool {
        matches!(self, Self::Complete | Self::Repaired)
    }
}

/// The right to write for one run: compared inside every transaction of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run_id: i64,
    /// Its store.
    pub store_id: i64,
    /// Who holds it.
    pub owner: String,
    /// Grows with every claim of the run; a lower one has lost.
    pub epoch: i64,
}

/// What a run has done so far. Committed with every page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Pages stored.
    pub pages: i64,
    /// API calls made, repeats included.
    pub calls: i64,
    /// Records the store gave us: those stored, new or not, and those in quarantine.
    pub seen: i64,
    /// Products that were new.
    pub inserted: i64,
    /// Products that had changed.
    pub updated: i64,
    /// Products that were the same; not written.
    pub unchanged: i64,
    /// Products marked removed.
    pub removed: i64,
    /// Records that could not be normalised.
    pub quarantined: i64,
}

/// Where a walk goes on after an interruption. Commits with the rows of the page before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The next page, from 0.
    pub page: u32,
    /// Records a page; where it changes, `page` does so with it.
    pub page_size: u32,
    /// Parts of the request that the store refused and that are no longer asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<String>,
    /// Whether the run began without what had been learned of the store, to find it out anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubts_learned: bool,
    /// Calls the budget still had, see [`super::budget`].
    #[serde(default)]
    pub budget: Option<super::budget::BudgetState>,
    /// What the pages before have shown.
    #[serde(default)]
    pub list: ListSoFar,
    /// What the run is doing.
    #[serde(default)]
    pub phase: Phase,
    /// What the list that is read with seams has shown.
    #[serde(default)]
    pub listed: Listed,
    /// The newest edit met.
    #[serde(default)]
    pub newest: Newest,
    /// What an audit has found so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Box<Audited>>,
    /// How far a run of a described connector is with its streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Box<Streams>>,
}

/// How far a run of a described connector is with its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Those that are dealt with.
    #[serde(default)]
    pub done: Vec<String>,
    /// The one that is being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<StreamPlace>,
    /// Those that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<StreamFailed>,
    /// The highest value of each stream's cursor, as the connector writes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<String, Json>,
}

/// Where in a stream a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPlace {
    /// The stream.
    pub stream: String,
    /// Which of its lists is being read; the first is 1.
    pub list: u32,
    /// The next page, as the connector writes it.
    pub position: Json,
}

/// A stream that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFailed {
    /// The stream.
    pub stream: String,
    /// Class of the error.
    pub class: ErrorClass,
    /// What went wrong.
    pub said: String,
}

/// What a run is doing, in the order in which it is done. A kind leaves out what it does not need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading the list in full detail with seams.
    Detail,
    /// Reading all pages in full detail, one after the other, where seams are not to be had.
    #[default]
    Walk,
    /// Reading the list with seams, so that nothing slips between two pages.
    List,
    /// Comparing a sample.
    Sample,
    /// Fetching what was found new or different.
    Look,
    /// Asking by ID for what the list did not have.
    Confirm,
    /// All is done but the verdict.
    Over,
}

/// Where a list that is read with seams goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Every product up to this ID has been read; `None` at the beginning.
    pub covered: Option<i64>,
    /// Records that are believed to lie up to there.
    pub position: u64,
    /// Records a page, as many as the store has shown to bear; what pages overlap may come on top ([`PageSize`]).
    pub limit: u32,
}

/// What the list that is read with seams has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Where it goes on; `None` = it has not been begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Pages stored.
    #[serde(default)]
    pub pages: u32,
    /// The product with the lowest ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// Digest of all products listed.
    #[serde(default)]
    pub digest: IdDigest,
    /// Whether the store lists its products in no order, so that seams prove nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// Whether it was read to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Products that were stored anew after the list had shown that the copy lacks or misrepresents them.
    #[serde(default)]
    pub repaired: i64,
    /// Records a page that were too much for the store, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_many: Option<u32>,
    /// Whether what is missing has passed the removal guard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_remove: bool,
    /// Seconds by which the oldest edit that incremental runs had missed lies before their cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_secs: Option<i64>,
    /// Doubts about it, each a sentence of the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

impl Listed {
    /// The page to ask for: no larger than wished for where the store has not borne one in this run.
    #[must_use]
    pub fn borne(&self, page: PageSize) -> PageSize {
        if self.too_many.is_none() { page } else { PageSize::fixed(page.new) }
    }
}

/// What the pages of a walk have shown up to its checkpoint: enough for the next attempt to count and to judge as if it
/// had met them itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSoFar {
    /// Records of the last page that was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// Records of the largest page before that one: a server may cap what was asked.
    #[serde(default)]
    pub largest: usize,
    /// The highest product id met. In a list ordered by id, whatever is not above it was met before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest_id: Option<i64>,
    /// Whether a page has brought a new product with an id below those of the pages before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// Doubts about the list, each a sentence of the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// A run as the program reads it back.
#[derive(Clone, Debug)]
pub struct Run {
    /// Key of the run.
    pub id: i64,
    /// Its store.
    pub store_id: i64,
    /// What it does.
    pub kind: RunKind,
    /// Who asked for it.
    pub trigger: Trigger,
    /// Where it stands.
    pub state: RunState,
    /// Not before.
    pub scheduled_at: DateTime<Utc>,
    /// How often it was claimed, stops and snoozes not counted.
    pub attempt: i32,
    /// Who holds or held the lease.
    pub lease_owner: Option<String>,
    /// Epoch of the lease.
    pub lease_epoch: i64,
    /// Until when the lease holds.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Where it goes on.
    pub checkpoint: Option<Checkpoint>,
    /// What it has done.
    pub counts: Counts,
    /// What it knows about the copy, once succeeded.
    pub verdict: Option<Verdict>,
    /// Class of the error that ended it.
    pub error_class: Option<ErrorClass>,
    /// The sentence that goes with it, or the reason of a `partial` verdict.
    pub error: Option<String>,
    /// First claim.
    pub started_at: Option<DateTime<Utc>>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// When a person asked for its end while a worker was on it.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Whether a person has approved all removals of this run.
    pub approve_removals: bool,
    /// Of an audit: what it is to do.
    pub audit_request: Option<AuditRequest>,
    /// Of an audit that came to its end: what it has found.
    pub audit_findings: Option<Box<AuditFindings>>,
}

impl Run {
    /// Whether somebody may claim it now: it waits and its time has come, or its worker's lease has run out.
    #[must_use]
    pub fn is_claimable(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            RunState::Queued => self.scheduled_at <= now,
            RunState::Running => self.lease_expires_at.is_some_and(|until| until <= now),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_is_no_sync_and_no_sync_an_audit() {
        use RunKind::{Audit, Full, Incremental, Sweep};
        assert!(Full.covers(Sweep) && Sweep.covers(Incremental) && !Sweep.covers(Full) && Audit.covers(Audit));
        for sync in RunKind::SYNCS {
            assert!(!sync.covers(Audit) && !Audit.covers(sync));
        }
    }
}
