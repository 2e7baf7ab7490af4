//! A run's beginning: it is put into the queue, or the one that is there is found and, for a person, hurried on.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, TryInsertResult, Value,
};

use super::{UNFINISHED, history, read, to_json};
use crate::domain::audit::AuditRequest;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Run, RunKind, RunState, Trigger};
use crate::entity::runs;
use crate::storage::{Database, StorageError, wake};

/// Inserts a run for the store, or finds the unfinished one; the partial unique index decides which.
/// The second part says whether it was inserted.
///
/// A person who finds a run that nobody has begun yet makes it theirs, so it goes before those of the schedules; one that
/// rests after a passing error is made due now, and one of a lighter kind that nobody has begun becomes one of theirs. A run
/// under way, or of a kind that has nothing to do with theirs, keeps its kind, so it may not be what was asked for
/// ([`RunKind::covers`]).
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn enqueue(
    db: &Database,
    store_id: i64,
    kind: RunKind,
    trigger: Trigger,
    now: DateTime<Utc>,
) -> Result<(Run, bool), StorageError> {
    insert_or_find(db, &Asked { store_id, kind, trigger, audit: None, now }).await
}

/// [`enqueue`] of an audit.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn enqueue_audit(
    db: &Database,
    store_id: i64,
    request: &AuditRequest,
    now: DateTime<Utc>,
) -> Result<(Run, bool), StorageError> {
    let (kind, trigger) = (RunKind::Audit, Trigger::Manual);
    insert_or_find(db, &Asked { store_id, kind, trigger, audit: Some(request), now }).await
}

/// A run that is asked for.
struct Asked<'a> {
    store_id: i64,
    kind: RunKind,
    trigger: Trigger,
    audit: Option<&'a AuditRequest>,
    now: DateTime<Utc>,
}

async fn insert_or_find(db: &Database, asked: &Asked<'_>) -> Result<(Run, bool), StorageError> {
    let Asked { store_id, kind, trigger, now, .. } = *asked;
    loop {
        // Looked for first: a thousand that attach must not queue up for SQLite's one write lock.
        if let Some(run) = unfinished(db, store_id).await? {
            let raised = trigger == Trigger::Manual
                && run.started_at.is_none()
                && kind.covers(run.kind)
                && !run.kind.covers(kind);
            if raised {
                raise(db, run.id, kind).await?;
            }
            let hurried = trigger == Trigger::Manual && can_be_hurried(&run, now);
            if hurried {
                hurry(db, run.id, now).await?;
            }
            if !raised && !hurried {
                return Ok((run, false));
            }
            return Ok((history::get(db, run.id).await?.unwrap_or(run), false));
        }
        // Another run may be queued in between, and may even have ended before the next look: then we try again.
        if let Some(id) = insert(db, asked).await?
            && let Some(run) = history::get(db, id).await?
        {
            return Ok((run, true));
        }
    }
}

async fn insert(db: &Database, asked: &Asked<'_>) -> Result<Option<i64>, StorageError> {
    let Asked { store_id, kind, trigger, audit, now } = *asked;
    let doing = "queue a run";
    let run = runs::ActiveModel {
        store_id: Set(store_id),
        kind: Set(kind.as_str().to_owned()),
        trigger: Set(trigger.as_str().to_owned()),
        state: Set(RunState::Queued.as_str().to_owned()),
        scheduled_at: Set(now),
        created_at: Set(now),
        audit_request: Set(audit.map(to_json)),
        ..Default::default()
    };
    let insert = runs::Entity::insert(run).on_conflict(OnConflict::new().do_nothing().to_owned()).try_insert();
    let tx = db.begin_write().await?;
    let TryInsertResult::Inserted(inserted) = insert.exec(&tx).await.map_err(StorageError::query(doing))? else {
        return Ok(None);
    };
    wake::notify(&tx, db).await?;
    tx.commit().await.map_err(StorageError::query(doing))?;
    Ok(Some(inserted.last_insert_id))
}

/// The store's unfinished run, if it has one.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn unfinished(db: &Database, store_id: i64) -> Result<Option<Run>, StorageError> {
    let found = runs::Entity::find()
        .filter(runs::Column::StoreId.eq(store_id))
        .filter(Expr::cust(UNFINISHED))
        .one(db.orm())
        .await
        .map_err(StorageError::query("look for an unfinished run"))?;
    found.map(read).transpose()
}

/// Gives a run that nobody has begun another kind.
async fn raise(db: &Database, run_id: i64, kind: RunKind) -> Result<(), StorageError> {
    let update = runs::Entity::update_many()
        .col_expr(runs::Column::Kind, kind.as_str().into())
        .filter(runs::Column::Id.eq(run_id))
        .filter(runs::Column::State.eq(RunState::Queued.as_str()))
        .filter(runs::Column::StartedAt.is_null());
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("change the kind of a run"))
}

/// Notes that a person has approved all removals of an unfinished run, however many.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn approve_removals(db: &Database, run_id: i64) -> Result<(), StorageError> {
    let update = runs::Entity::update_many()
        .col_expr(runs::Column::ApproveRemovals, true.into())
        .filter(runs::Column::Id.eq(run_id))
        .filter(Expr::cust(UNFINISHED));
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("approve removals"))
}

fn can_be_hurried(run: &Run, now: DateTime<Utc>) -> bool {
    let not_theirs = run.started_at.is_none() && run.trigger != Trigger::Manual;
    let rests = run.scheduled_at > now && run.error_class == Some(ErrorClass::Transient);
    run.state == RunState::Queued && (not_theirs || rests)
}

/// Makes a queued run the next one for a person: a rest after an error ends now, and one that nobody has begun goes before
/// those of the schedules. A store that asked for silence (HTTP 429) keeps it, and a refused key its time of the next test.
/// `false` when there is no such run or nothing about it can be hurried.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn hurry(db: &Database, run_id: i64, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let doing = "hurry a run on";
    let sql = "/* hurry */ UPDATE runs SET scheduled_at = CASE WHEN scheduled_at > $1 THEN $1 ELSE scheduled_at END, \
               \"trigger\" = CASE WHEN started_at IS NULL THEN 'manual' ELSE \"trigger\" END \
               WHERE id = $2 AND state = 'queued' \
               AND (scheduled_at > $1 AND (error_class IS NULL OR error_class NOT IN ('rate_limited', 'unauthorized')) \
               OR scheduled_at <= $1 AND started_at IS NULL AND \"trigger\" <> 'manual')";
    let tx = db.begin_write().await?;
    let values: [Value; 2] = [now.into(), run_id.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let hurried = tx.execute_raw(statement).await.map_err(StorageError::query(doing))?.rows_affected() == 1;
    if hurried {
        wake::notify(&tx, db).await?;
    }
    tx.commit().await.map_err(StorageError::query(doing))?;
    Ok(hurried)
}
