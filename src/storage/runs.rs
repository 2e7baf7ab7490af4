//! Runs: the queue, the lease and the history. Every change of a run's state is one function here, as drawn in
//! [`crate::domain::run`].

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Statement, TryInsertResult, Value,
};

use super::{Database, Engine, StorageError};
use crate::domain::error::ErrorClass;
use crate::domain::run::{Counts, Lease, Run, RunKind, RunState, Trigger, Verdict};
use crate::entity::runs;

/// Inserts a run for the store, or finds the unfinished one; the partial unique index decides which.
/// The second part says whether it was inserted.
pub async fn enqueue(
    db: &Database,
    store_id: i64,
    kind: RunKind,
    trigger: Trigger,
    now: DateTime<Utc>,
) -> Result<(Run, bool), StorageError> {
    loop {
        let run = runs::ActiveModel {
            store_id: Set(store_id),
            kind: Set(kind.as_str().to_owned()),
            trigger: Set(trigger.as_str().to_owned()),
            state: Set(RunState::Queued.as_str().to_owned()),
            scheduled_at: Set(now),
            created_at: Set(now),
            ..Default::default()
        };
        let insert = runs::Entity::insert(run).on_conflict(OnConflict::new().do_nothing().to_owned());
        let inserted = insert.try_insert().exec(db.orm()).await.map_err(StorageError::query("queue a run"))?;
        let inserted = matches!(inserted, TryInsertResult::Inserted(_));
        // Between the insert that met another run and this look, that run may have ended: then we try again.
        if let Some(run) = unfinished(db, store_id).await? {
            return Ok((run, inserted));
        }
    }
}

/// The store's unfinished run, if it has one.
pub async fn unfinished(db: &Database, store_id: i64) -> Result<Option<Run>, StorageError> {
    let states = [RunState::Queued, RunState::Running].map(RunState::as_str);
    let found = runs::Entity::find()
        .filter(runs::Column::StoreId.eq(store_id))
        .filter(runs::Column::State.is_in(states))
        .one(db.orm())
        .await
        .map_err(StorageError::query("look for an unfinished run"))?;
    found.map(read).transpose()
}

/// Who claims, and what may be claimed.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Name of the worker, unique among all that are alive.
    pub owner: &'a str,
    /// How long the lease holds.
    pub lease_for: TimeDelta,
    /// Only this run; `None` = the oldest that are due.
    pub only: Option<i64>,
    /// How many at the most.
    pub limit: u32,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// Claims runs that are due, and runs whose lease has run out: one atomic statement that counts the attempt and
/// raises the epoch, so that whoever held the run before writes nothing more.
pub async fn claim(db: &Database, claim: &Claim<'_>) -> Result<Vec<(Run, Lease)>, StorageError> {
    // PostgreSQL: an array is computed once, where a sub-select might be evaluated again and lock other rows.
    // SQLite has one writer at a time, so there is nothing to skip.
    let (among, skip, end) = match db.engine() {
        Engine::Postgres => ("= ANY(ARRAY(", "FOR UPDATE SKIP LOCKED", "))"),
        Engine::Sqlite => ("IN (", "", ")"),
    };
    let sql = format!(
        "/* claim */ UPDATE runs SET state = 'running', lease_owner = $1, lease_epoch = lease_epoch + 1, \
         lease_expires_at = $2, attempt = attempt + 1, started_at = COALESCE(started_at, $3) \
         WHERE id {among}SELECT id FROM runs \
         WHERE (state = 'queued' AND scheduled_at <= $3 OR state = 'running' AND lease_expires_at < $3) \
         AND (CAST($4 AS BIGINT) IS NULL OR id = $4) ORDER BY scheduled_at, id LIMIT $5 {skip}{end} RETURNING *"
    );
    let values: [Value; 5] = [
        claim.owner.into(),
        (claim.now + claim.lease_for).into(),
        claim.now.into(),
        claim.only.into(),
        i64::from(claim.limit).into(),
    ];
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let claimed = runs::Entity::find().from_raw_sql(statement).all(db.orm()).await;
    claimed
        .map_err(StorageError::query("claim a run"))?
        .into_iter()
        .map(|model| {
            let run = read(model)?;
            let lease =
                Lease { run_id: run.id, store_id: run.store_id, owner: claim.owner.to_owned(), epoch: run.lease_epoch };
            Ok((run, lease))
        })
        .collect()
}

/// Extends the lease; `false` when it is lost.
pub async fn renew(db: &Database, lease: &Lease, until: DateTime<Utc>) -> Result<bool, StorageError> {
    let update = held(lease).col_expr(runs::Column::LeaseExpiresAt, until.into());
    Ok(update.exec(db.orm()).await.map_err(StorageError::query("renew a lease"))?.rows_affected == 1)
}

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
}

/// Ends a run. With a verdict that vouches for the copy, the store's `as_of` moves to the start of the run, in the
/// same transaction. [`StorageError::LeaseLost`] when the run is somebody else's.
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
    if update.exec(&tx).await.map_err(StorageError::query(doing))?.rows_affected != 1 {
        return Err(StorageError::LeaseLost { run_id: lease.run_id });
    }
    if matches!(end.verdict, Some(Verdict::Complete | Verdict::Repaired)) {
        let sql = "/* finish */ UPDATE stores SET as_of = (SELECT started_at FROM runs WHERE id = $1) WHERE id = $2";
        let values: [Value; 2] = [lease.run_id.into(), lease.store_id.into()];
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
        tx.execute_raw(statement).await.map_err(StorageError::query(doing))?;
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
}

/// Gives a running run back to the queue; it goes on at its checkpoint.
pub async fn give_back(
    db: &Database,
    lease: &Lease,
    back: &Return,
    counts: &Counts,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (at, uncounted, class, error) = match back {
        Return::Retry { at, class, error } => (*at, 0, Some(*class), Some(error.clone())),
        Return::Snooze { at, class, error } => (*at, 1, Some(*class), Some(error.clone())),
        Return::Interrupted => (now, 1, None, None),
    };
    let attempt = Expr::col(runs::Column::Attempt).sub(uncounted);
    let update = counted(held(lease), counts)
        .col_expr(runs::Column::State, RunState::Queued.as_str().into())
        .col_expr(runs::Column::ScheduledAt, at.into())
        .col_expr(runs::Column::Attempt, attempt)
        .col_expr(runs::Column::ErrorClass, class.map(ErrorClass::as_str).into())
        .col_expr(runs::Column::Error, error.into())
        .col_expr(runs::Column::LeaseOwner, None::<String>.into())
        .col_expr(runs::Column::LeaseExpiresAt, None::<DateTime<Utc>>.into());
    match update.exec(db.orm()).await.map_err(StorageError::query("give a run back"))?.rows_affected {
        1 => Ok(()),
        _ => Err(StorageError::LeaseLost { run_id: lease.run_id }),
    }
}

/// One run.
pub async fn get(db: &Database, run_id: i64) -> Result<Option<Run>, StorageError> {
    let found = runs::Entity::find_by_id(run_id).one(db.orm()).await.map_err(StorageError::query("read a run"))?;
    found.map(read).transpose()
}

/// The newest runs, newest first; of one store or of all.
pub async fn newest(db: &Database, store_id: Option<i64>, limit: u64) -> Result<Vec<Run>, StorageError> {
    let mut find = runs::Entity::find().order_by_desc(runs::Column::Id).limit(limit);
    if let Some(store_id) = store_id {
        find = find.filter(runs::Column::StoreId.eq(store_id));
    }
    find.all(db.orm()).await.map_err(StorageError::query("list runs"))?.into_iter().map(read).collect()
}

/// The newest run of each store that is in one of `states`, by store; of one store or of all.
pub async fn newest_each(
    db: &Database,
    store_id: Option<i64>,
    states: &[RunState],
) -> Result<HashMap<i64, Run>, StorageError> {
    let states = states.iter().map(|state| state.as_str());
    let mut newest = runs::Entity::find()
        .select_only()
        .column_as(runs::Column::Id.max(), "id")
        .filter(runs::Column::State.is_in(states))
        .group_by(runs::Column::StoreId);
    if let Some(store_id) = store_id {
        newest = newest.filter(runs::Column::StoreId.eq(store_id));
    }
    let find = runs::Entity::find().filter(runs::Column::Id.in_subquery(newest.into_query()));
    let found = find.all(db.orm()).await.map_err(StorageError::query("look for the newest runs"))?;
    found.into_iter().map(|model| Ok((model.store_id, read(model)?))).collect()
}

/// Cancels a run that nobody works on: one that waits, or one whose worker has fallen silent for as long as its lease
/// held. `false` when there is no such run. The epoch rises, so a worker that comes back writes nothing more.
pub async fn cancel(db: &Database, run_id: i64, reason: &str, now: DateTime<Utc>) -> Result<bool, StorageError> {
    use runs::Column;
    let waits = Column::State.eq(RunState::Queued.as_str());
    let silent = Column::State.eq(RunState::Running.as_str()).and(Column::LeaseExpiresAt.lt(now));
    let update = runs::Entity::update_many()
        .filter(Column::Id.eq(run_id))
        .filter(waits.or(silent))
        .col_expr(Column::State, RunState::Cancelled.as_str().into())
        .col_expr(Column::LeaseEpoch, Expr::col(Column::LeaseEpoch).add(1))
        .col_expr(Column::LeaseOwner, None::<String>.into())
        .col_expr(Column::LeaseExpiresAt, None::<DateTime<Utc>>.into())
        .col_expr(Column::Error, reason.into())
        .col_expr(Column::FinishedAt, now.into());
    Ok(update.exec(db.orm()).await.map_err(StorageError::query("cancel a run"))?.rows_affected == 1)
}

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
        checkpoint: match &model.checkpoint {
            Some(json) => Some(serde_json::from_value(json.clone()).map_err(|_| corrupt("checkpoint"))?),
            None => None,
        },
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
    })
}
