//! Who may work on a run, and from when on there is something to claim.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, Statement, Value};

use super::{End, UNFINISHED, finish, read};
use crate::domain::run::{Lease, Run, RunState};
use crate::entity::runs;
use crate::storage::{Database, Engine, StorageError};

/// Who claims, and what may be claimed.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Name of the worker, unique among all that are alive.
    pub owner: &'a str,
    /// How long the lease holds.
    pub lease_for: TimeDelta,
    /// Only this run; `None` = those that are due: what a person has just asked for first, then the oldest.
    pub only: Option<i64>,
    /// How many at the most.
    pub limit: u32,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// Claims runs that are due, and runs whose lease has run out: one atomic statement that counts the attempt and
/// raises the epoch, so that whoever held the run before writes nothing more. A run that was cancelled and whose worker
/// never confirmed it ends here instead, and is not given out.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn claim(db: &Database, claim: &Claim<'_>) -> Result<Vec<(Run, Lease)>, StorageError> {
    // PostgreSQL: an array is computed once, where a sub-select might be evaluated again and lock other rows.
    // SQLite has one writer at a time, so there is nothing to skip.
    let (among, skip, end) = match db.engine() {
        Engine::Postgres => ("= ANY(ARRAY(", "FOR NO KEY UPDATE SKIP LOCKED", "))"),
        Engine::Sqlite => ("IN (", "", ")"),
    };
    let only = if claim.only.is_some() { "AND id = $5" } else { "" };
    let sql = format!(
        "/* claim */ UPDATE runs SET state = 'running', lease_owner = $1, lease_epoch = lease_epoch + 1, \
         lease_expires_at = $2, attempt = attempt + 1, started_at = COALESCE(started_at, $3) \
         WHERE id {among}SELECT id FROM runs WHERE {UNFINISHED} \
         AND (state = 'queued' AND scheduled_at <= $3 OR state = 'running' AND lease_expires_at <= $3) {only} \
         ORDER BY (\"trigger\" = 'manual' AND started_at IS NULL) DESC, scheduled_at, id LIMIT $4 {skip}{end} RETURNING *"
    );
    let mut values: Vec<Value> =
        vec![claim.owner.into(), (claim.now + claim.lease_for).into(), claim.now.into(), i64::from(claim.limit).into()];
    values.extend(claim.only.map(Value::from));
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let models = runs::Entity::find().from_raw_sql(statement).all(db.orm()).await;
    let mut claimed = Vec::new();
    for model in models.map_err(StorageError::query("claim a run"))? {
        let run = read(model)?;
        let lease =
            Lease { run_id: run.id, store_id: run.store_id, owner: claim.owner.to_owned(), epoch: run.lease_epoch };
        if run.cancel_requested_at.is_some() {
            let end = End {
                state: RunState::Cancelled,
                verdict: None,
                error_class: None,
                error: run.error.clone(),
                evidence: None,
            };
            finish(db, &lease, &end, &run.counts, claim.now).await?;
        } else {
            claimed.push((run, lease));
        }
    }
    Ok(claimed)
}

/// The running runs whose lease has run out, with the name of the worker that held it: what a claim may take over.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn silent(db: &Database, now: DateTime<Utc>) -> Result<HashMap<i64, String>, StorageError> {
    let doing = "look for workers that fell silent";
    let sql = format!(
        "/* silent */ SELECT id, COALESCE(lease_owner, '') FROM runs \
         WHERE {UNFINISHED} AND state = 'running' AND lease_expires_at <= $1"
    );
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [now.into()]);
    let rows = db.orm().query_all_raw(statement).await.map_err(StorageError::query(doing))?;
    let read = rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    read.collect::<Result<_, _>>().map_err(StorageError::query(doing))
}

/// When something can be claimed; `None` of a sort of which there is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// The earliest time of a queued run.
    pub queued: Option<DateTime<Utc>>,
    /// The earliest end of a lease.
    pub leased: Option<DateTime<Utc>>,
}

impl Ahead {
    /// The earliest moment at which anything can be claimed; `None` when nothing is unfinished.
    #[must_use]
    pub fn earliest(self) -> Option<DateTime<Utc>> {
        self.queued.into_iter().chain(self.leased).min()
    }
}

/// When something can be claimed. Reads two ends of one small index, so it may be asked often.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn next_due(db: &Database) -> Result<Ahead, StorageError> {
    let doing = "look when the next run is due";
    let sql = format!(
        "/* next_due */ SELECT (SELECT MIN(scheduled_at) FROM runs WHERE {UNFINISHED} AND state = 'queued'), \
         (SELECT MIN(lease_expires_at) FROM runs WHERE {UNFINISHED} AND state = 'running')"
    );
    let statement = Statement::from_string(db.orm().get_database_backend(), sql);
    let row = db.orm().query_one_raw(statement).await.map_err(StorageError::query(doing))?;
    let Some(row) = row else { return Ok(Ahead::default()) };
    let column = |index| row.try_get_by_index::<Option<DateTime<Utc>>>(index).map_err(StorageError::query(doing));
    Ok(Ahead { queued: column(0)?, leased: column(1)? })
}
