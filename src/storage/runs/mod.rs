//! Runs: the queue, the lease and the history. Every change of a run's state is one function here, as drawn in
//! [`crate::domain::run`].
//!
//! | file | what of a run |
//! |---|---|
//! | `trigger` | its beginning: it is put into the queue, found there, or hurried on |
//! | `claim` | who may work on it, and from when on |
//! | this one | what its holder does with it: end it, give it back ([`super::lease`] renews it) |
//! | `cancel` | a person's wish that it ends |
//! | `history` | reading |
//!
//! Whatever makes a run claimable wakes the daemons, see [`super::wake`].

mod cancel;
mod claim;
mod history;
mod trigger;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, Value};

pub use self::cancel::{Cancelled, cancel, confirm_cancelled};
pub use self::claim::{Ahead, Claim, claim, next_due, silent};
pub use self::history::{get, get_all, newest, newest_each};
pub use self::trigger::{approve_removals, enqueue, enqueue_audit, hurry, unfinished};
use super::{Database, StorageError, cursors, wake};
use crate::domain::audit::AuditFindings;
use crate::domain::digest::IdDigest;
use crate::domain::error::ErrorClass;
use crate::domain::learned::Learned;
use crate::domain::run::{Checkpoint, Counts, Lease, Run, RunKind, RunState, Trigger, Verdict};
use crate::entity::runs;

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// `succeeded`, `failed` or `cancelled`.
    pub state: RunState,
    /// For a succeeded run: what it knows about the copy.
    pub verdict: Option<Verdict>,
    /// For one that did not succeed: why.
    pub error_class: Option<ErrorClass>,
    /// The sentence that goes with it, or the reason of a partial verdict.
    pub error: Option<String>,
    /// What a run that came to its end has shown.
    pub evidence: Option<Evidence>,
}

/// What a verdict rests on, and what the next run begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Products stored anew after the list had shown that the copy lacked or misrepresented them.
    pub repaired: i64,
    /// Digest of all products the store listed, if they were listed.
    pub id_digest: Option<IdDigest>,
    /// Where the next incremental run begins, in the server's time; `None` = where the last one did.
    pub cursor: Option<DateTime<Utc>>,
    /// The overlap of the next incremental run, seconds; `None` = as it was.
    pub overlap_secs: Option<i64>,
    /// What the store's answers have taught, where that is not what was known before.
    pub learned: Option<Learned>,
    /// What an audit has found.
    pub audit: Option<Box<AuditFindings>>,
    /// Where the next incremental run of each stream of a described connector begins.
    pub streams: BTreeMap<String, serde_json::Value>,
}

/// Ends a run, with its evidence. With a verdict that vouches for the copy, the store's `as_of` moves to the start of the run,
/// in the same transaction; an audit vouches for nothing but its sample. [`StorageError::LeaseLost`] when the run is somebody else's.
pub async fn finish(
    db: &Database,
    lease: &Lease,
    end: &End,
    counts: &Counts,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let doing = "finish a run";
    let tx = db.begin_write().await?;
    let update = counted(held(lease), counts)
        .col_expr(runs::Column::State, end.state.as_str().into())
        .col_expr(runs::Column::Verdict, end.verdict.map(Verdict::as_str).into())
        .col_expr(runs::Column::ErrorClass, end.error_class.map(ErrorClass::as_str).into())
        .col_expr(runs::Column::Error, end.error.clone().into())
        .col_expr(runs::Column::LeaseExpiresAt, None::<DateTime<Utc>>.into())
        .col_expr(runs::Column::FinishedAt, now.into());
    let update = match &end.evidence {
        Some(evidence) => update
            .col_expr(runs::Column::Repaired, evidence.repaired.into())
            .col_expr(runs::Column::IdDigest, evidence.id_digest.map(|digest| digest.to_string()).into())
            .col_expr(runs::Column::AuditFindings, evidence.audit.as_ref().map(to_json).into()),
        None => update,
    };
    if update.exec(&tx).await.map_err(StorageError::query(doing))?.rows_affected != 1 {
        return Err(StorageError::LeaseLost { run_id: lease.run_id });
    }
    if end.verdict.is_some_and(Verdict::is_sure) {
        let sql = "/* finish */ UPDATE stores SET as_of = (SELECT started_at FROM runs WHERE id = $1) \
                   WHERE id = $2 AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND kind <> 'audit')";
        let values: [Value; 2] = [lease.run_id.into(), lease.store_id.into()];
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
        tx.execute_raw(statement).await.map_err(StorageError::query(doing))?;
    }
    if let Some(evidence) = &end.evidence {
        cursors::write(&tx, lease.store_id, evidence, now).await?;
    }
    tx.commit().await.map_err(StorageError::query(doing))
}

/// Why a running run goes back to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Return {
    /// After an error worth another attempt: counted, later.
    Retry {
        /// Not before.
        at: DateTime<Utc>,
        /// The error.
        class: ErrorClass,
        /// Its sentence.
        error: String,
    },
    /// The store wants to be left alone, its key is in doubt, or its vendor has an outage: not counted, later.
    Snooze {
        /// Not before.
        at: DateTime<Utc>,
        /// Which of them.
        class: ErrorClass,
        /// Why.
        error: String,
    },
    /// We are stopping: not counted, now.
    Interrupted,
    /// It had its slice and others wait: not counted, now, which is behind them.
    Yielded,
}

/// Gives a running run back to the queue; it goes on at its checkpoint, which becomes `checkpoint` if there is one and
/// stays as the last page left it otherwise.
pub async fn give_back(
    db: &Database,
    lease: &Lease,
    back: &Return,
    counts: &Counts,
    checkpoint: Option<&Checkpoint>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (at, uncounted, class, error) = match back {
        Return::Retry { at, class, error } => (*at, 0, Some(*class), Some(error.clone())),
        Return::Snooze { at, class, error } => (*at, 1, Some(*class), Some(error.clone())),
        Return::Interrupted | Return::Yielded => (now, 1, None, None),
    };
    let attempt = Expr::col(runs::Column::Attempt).sub(uncounted);
    let mut update = counted(held(lease), counts)
        .col_expr(runs::Column::State, RunState::Queued.as_str().into())
        .col_expr(runs::Column::ScheduledAt, at.into())
        .col_expr(runs::Column::Attempt, attempt)
        .col_expr(runs::Column::ErrorClass, class.map(ErrorClass::as_str).into())
        .col_expr(runs::Column::Error, error.into())
        .col_expr(runs::Column::LeaseOwner, None::<String>.into())
        .col_expr(runs::Column::LeaseExpiresAt, None::<DateTime<Utc>>.into());
    if let Some(checkpoint) = checkpoint {
        update = update.col_expr(runs::Column::Checkpoint, to_json(checkpoint).into());
    }
    let doing = "give a run back";
    let tx = db.begin_write().await?;
    if update.exec(&tx).await.map_err(StorageError::query(doing))?.rows_affected != 1 {
        return Err(StorageError::LeaseLost { run_id: lease.run_id });
    }
    wake::notify(&tx, db).await?;
    tx.commit().await.map_err(StorageError::query(doing))
}

fn to_json(data: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(data).expect("plain data")
}

/// The condition that picks the unfinished runs, in the words of the partial indexes: SQLite uses those only for a
/// statement that says the same.
pub(in crate::storage) const UNFINISHED: &str = "state IN ('queued', 'running')";

/// An update of the run that only its holder can make.
fn held(lease: &Lease) -> sea_orm::UpdateMany<runs::Entity> {
    runs::Entity::update_many()
        .filter(runs::Column::Id.eq(lease.run_id))
        .filter(runs::Column::LeaseOwner.eq(lease.owner.as_str()))
        .filter(runs::Column::LeaseEpoch.eq(lease.epoch))
        .filter(runs::Column::State.eq(RunState::Running.as_str()))
}

fn counted(update: sea_orm::UpdateMany<runs::Entity>, counts: &Counts) -> sea_orm::UpdateMany<runs::Entity> {
    use runs::Column;
    [
        (Column::Pages, counts.pages),
        (Column::Calls, counts.calls),
        (Column::Seen, counts.seen),
        (Column::Inserted, counts.inserted),
        (Column::Updated, counts.updated),
        (Column::Unchanged, counts.unchanged),
        (Column::Removed, counts.removed),
        (Column::Quarantined, counts.quarantined),
    ]
    .into_iter()
    .fold(update, |update, (column, count)| update.col_expr(column, count.into()))
}

fn read(model: runs::Model) -> Result<Run, StorageError> {
    let corrupt = |column| StorageError::Corrupt { table: "runs", row: model.id.to_string(), column };
    Ok(Run {
        id: model.id,
        store_id: model.store_id,
        kind: RunKind::parse(&model.kind).ok_or_else(|| corrupt("kind"))?,
        trigger: Trigger::parse(&model.trigger).ok_or_else(|| corrupt("trigger"))?,
        state: RunState::parse(&model.state).ok_or_else(|| corrupt("state"))?,
        scheduled_at: model.scheduled_at,
        attempt: model.attempt,
        lease_epoch: model.lease_epoch,
        lease_expires_at: model.lease_expires_at,
        checkpoint: from_json(model.checkpoint.as_ref()).map_err(|()| corrupt("checkpoint"))?,
        audit_request: from_json(model.audit_request.as_ref()).map_err(|()| corrupt("audit_request"))?,
        audit_findings: from_json(model.audit_findings.as_ref()).map_err(|()| corrupt("audit_findings"))?,
        counts: Counts {
            pages: model.pages,
            calls: model.calls,
            seen: model.seen,
            inserted: model.inserted,
            updated: model.updated,
            unchanged: model.unchanged,
            removed: model.removed,
            quarantined: model.quarantined,
        },
        verdict: match &model.verdict {
            Some(text) => Some(Verdict::parse(text).ok_or_else(|| corrupt("verdict"))?),
            None => None,
        },
        error_class: match &model.error_class {
            Some(text) => Some(ErrorClass::parse(text).ok_or_else(|| corrupt("error_class"))?),
            None => None,
        },
        lease_owner: model.lease_owner,
        error: model.error,
        started_at: model.started_at,
        finished_at: model.finished_at,
        cancel_requested_at: model.cancel_requested_at,
        approve_removals: model.approve_removals,
    })
}

fn from_json<T: serde::de::DeserializeOwned>(json: Option<&serde_json::Value>) -> Result<Option<T>, ()> {
    json.map(|json| T::deserialize(json).map_err(drop)).transpose()
}
