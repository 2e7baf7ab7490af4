//! Forgets what is too old to be of use: runs that ended long ago, records of the quarantine that were read after all, and,
//! where that is wanted, lines of the change feed (`feed`).
//!
//! Never an unfinished run, never the newest run of each kind of a store (the schedule goes by it), never the last one of
//! each kind that succeeded (people look for it). One call is one small batch, so nobody waits long for a lock; any number
//! of instances may prune at once.

mod feed;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement, Value};

use super::{Database, Engine, StorageError};
use crate::config;

/// Rows of each kind a batch takes at the most.
const BATCH: i64 = 500;

/// What is too old.
#[derive(Clone, Copy, Debug)]
pub struct Cutoffs {
    /// Runs that succeeded, and replayed records, go when they ended before.
    pub succeeded_before: DateTime<Utc>,
    /// Runs that failed or were cancelled go when they ended before.
    pub failed_before: DateTime<Utc>,
    /// Lines of the change feed go that were stored before; `None` = none do.
    pub changes_before: Option<DateTime<Utc>>,
    /// Those that a consumer has yet to read go when they were stored before; `None` = none do.
    pub unread_changes_before: Option<DateTime<Utc>>,
}

impl Cutoffs {
    /// The configured ones, at `now`.
    #[must_use]
    pub fn of(retention: &config::Retention, now: DateTime<Utc>) -> Self {
        let before = |days: u32| now - TimeDelta::days(days.into());
        let unless_zero = |days: u32| (days > 0).then(|| before(days));
        Self {
            succeeded_before: before(retention.succeeded_days),
            failed_before: before(retention.failed_days),
            changes_before: unless_zero(retention.changes_days),
            unread_changes_before: unless_zero(retention.consumer_days),
        }
    }
}

/// How much was, or would be, forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Replayed records of the quarantine.
    pub quarantine: u64,
    /// Lines of the change feed.
    pub changes: u64,
}

impl std::ops::AddAssign for Pruned {
    fn add_assign(&mut self, more: Self) {
        self.runs += more.runs;
        self.quarantine += more.quarantine;
        self.changes += more.changes;
    }
}

/// The runs that may go; `$1` and `$2` are the cut-offs, `$3` the later of them (for the index).
const OLD_RUNS: &str = "finished_at < $3 \
    AND (state = 'succeeded' AND finished_at < $1 OR state IN ('failed', 'cancelled') AND finished_at < $2) \
    AND EXISTS (SELECT 1 FROM runs newer WHERE newer.store_id = runs.store_id AND newer.kind = runs.kind \
        AND newer.id > runs.id AND (runs.state <> 'succeeded' OR newer.state = 'succeeded'))";
/// The records that may go; `$1` is the cut-off.
const OLD_RECORDS: &str = "replayed_at < $1";

/// Forgets one batch. Nothing is left when it says so.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn batch(db: &Database, cutoffs: &Cutoffs) -> Result<Pruned, StorageError> {
    // Several may be at it: each takes rows that nobody else has taken, in no order that could block another.
    let (among, skip, end) = match db.engine() {
        Engine::Postgres => ("= ANY(ARRAY(", "FOR UPDATE SKIP LOCKED", "))"),
        Engine::Sqlite => ("IN (", "", ")"),
    };
    let delete = async |sql: String, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
        let deleted = db.orm().execute_raw(statement).await.map_err(StorageError::query("forget what is old"))?;
        Ok::<_, StorageError>(deleted.rows_affected())
    };
    let runs = format!(
        "/* prune */ DELETE FROM runs WHERE id {among}SELECT id FROM runs WHERE {OLD_RUNS} \
         ORDER BY finished_at LIMIT {BATCH} {skip}{end}"
    );
    let records = format!(
        "/* prune */ DELETE FROM quarantine WHERE id {among}SELECT id FROM quarantine WHERE {OLD_RECORDS} \
         LIMIT {BATCH} {skip}{end}"
    );
    Ok(Pruned {
        runs: delete(runs, run_values(cutoffs)).await?,
        quarantine: delete(records, vec![cutoffs.succeeded_before.into()]).await?,
        changes: feed::batch(db, cutoffs).await?,
    })
}

/// How much could be forgotten in all.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn count(db: &Database, cutoffs: &Cutoffs) -> Result<Pruned, StorageError> {
    let count = async |sql: String, values: Vec<Value>| {
        let doing = "look for what is old";
        let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
        let row = db.orm().query_one_raw(statement).await.map_err(StorageError::query(doing))?;
        let count: Option<i64> = match row {
            Some(row) => row.try_get_by_index(0).map_err(StorageError::query(doing))?,
            None => None,
        };
        Ok::<_, StorageError>(count.unwrap_or_default().unsigned_abs())
    };
    Ok(Pruned {
        runs: count(format!("/* prune */ SELECT COUNT(*) FROM runs WHERE {OLD_RUNS}"), run_values(cutoffs)).await?,
        quarantine: count(
            format!("/* prune */ SELECT COUNT(*) FROM quarantine WHERE {OLD_RECORDS}"),
            vec![cutoffs.succeeded_before.into()],
        )
        .await?,
        changes: match feed::count(cutoffs) {
            Some((sql, values)) => count(sql, values).await?,
            None => 0,
        },
    })
}

fn run_values(cutoffs: &Cutoffs) -> Vec<Value> {
    let Cutoffs { succeeded_before, failed_before, .. } = *cutoffs;
    vec![succeeded_before.into(), failed_before.into(), succeeded_before.max(failed_before).into()]
}
