//! What the scheduler reads and writes: of every store what decides when its next run is due, and the runs that are.
//!
//! The number of statements does not depend on the number of stores or kinds: a tick of ten thousand stores is two reads and a write.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

use super::{Database, StorageError, wake};
use crate::domain::error::ErrorClass;
use crate::domain::last_run::{LastRun, Left};
use crate::domain::lifecycle::Standing;
use crate::domain::run::{RunKind, RunState};
use crate::domain::store::{CredentialState, Store};
use crate::domain::timetable::Timetable;

/// A store, as the scheduler sees it.
#[derive(Clone, Debug)]
pub struct Row {
    /// When the store wants to be synced.
    pub times: Timetable,
    /// What is known about its key, if it has one.
    pub key: Option<Standing>,
    /// The newest run of each kind there was one of.
    pub last_runs: Vec<LastRun>,
}

impl Row {
    /// Whether a run waits or is worked on: then there is no room for another.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        self.last_runs.iter().any(|run| run.left == Left::Unfinished)
    }
}

/// All stores, by name.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn rows(db: &Database) -> Result<Vec<Row>, StorageError> {
    let stores = read_stores(db, None).await?;
    Ok(with_last_runs(stores, read_last_runs(db, None).await?))
}

/// One store.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn row(db: &Database, store: Store) -> Result<Row, StorageError> {
    let stores = read_stores(db, Some(store.id)).await?;
    let row = with_last_runs(stores, read_last_runs(db, Some(store.id)).await?).pop();
    row.ok_or(StorageError::UnknownStore { name: store.name })
}

/// A store with its last runs.
fn with_last_runs(stores: Vec<(Timetable, Option<Standing>)>, mut last_runs: HashMap<i64, Vec<LastRun>>) -> Vec<Row> {
    let row = |(times, key): (Timetable, _)| {
        let last_runs = last_runs.remove(&times.store_id).unwrap_or_default();
        Row { times, key, last_runs }
    };
    stores.into_iter().map(row).collect()
}

/// The stores by name, with what is known about their keys; nothing of the keys themselves.
async fn read_stores(db: &Database, only: Option<i64>) -> Result<Vec<(Timetable, Option<Standing>)>, StorageError> {
    let doing = "read when the stores want to be synced";
    let sql = "/* schedule::read_stores */ SELECT s.id, s.name, s.timezone, s.schedule_full, s.schedule_incremental, \
               s.schedule_sweep, s.paused_at, s.paused_until, c.state, c.state_since, c.refusals, c.last_ok_at, \
               c.next_check_at FROM stores s LEFT JOIN credentials c ON c.store_id = s.id \
               WHERE CAST($1 AS BIGINT) IS NULL OR s.id = $1 ORDER BY s.name";
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [only.into()]);
    let rows = db.orm().query_all_raw(statement).await.map_err(StorageError::query(doing))?;
    rows.iter().map(|row| Ok((timetable(row).map_err(StorageError::query(doing))?, standing(row, doing)?))).collect()
}

fn timetable(row: &QueryResult) -> Result<Timetable, DbErr> {
    Ok(Timetable {
        store_id: row.try_get_by_index(0)?,
        store: row.try_get_by_index(1)?,
        timezone: row.try_get_by_index(2)?,
        full: row.try_get_by_index(3)?,
        incremental: row.try_get_by_index(4)?,
        sweep: row.try_get_by_index(5)?,
        paused_at: row.try_get_by_index(6)?,
        paused_until: row.try_get_by_index(7)?,
    })
}

/// What is known about the key, if there is one.
fn standing(row: &QueryResult, doing: &'static str) -> Result<Option<Standing>, StorageError> {
    let read = |error: DbErr| StorageError::query(doing)(error);
    let Some(state) = row.try_get_by_index::<Option<String>>(8).map_err(read)? else { return Ok(None) };
    let Some(state) = CredentialState::parse(&state) else {
        let store_id: i64 = row.try_get_by_index(0).map_err(read)?;
        return Err(StorageError::Corrupt { table: "credentials", row: store_id.to_string(), column: "state" });
    };
    let time = |at| row.try_get_by_index::<Option<DateTime<Utc>>>(at).map_err(read);
    Ok(Some(Standing {
        state,
        since: row.try_get_by_index(9).map_err(read)?,
        refusals: u32::try_from(row.try_get_by_index::<i64>(10).map_err(read)?).unwrap_or(u32::MAX),
        worked: time(11)?.is_some(),
        next_check_at: time(12)?,
    }))
}

/// The newest run of each store and kind: one step into the index on store, kind and id for each. Of one that failed also
/// when the first began of those that failed since the last success.
async fn read_last_runs(db: &Database, only: Option<i64>) -> Result<HashMap<i64, Vec<LastRun>>, StorageError> {
    let kinds: Vec<_> = RunKind::ALL.iter().map(|kind| format!("SELECT '{kind}' AS kind")).collect();
    let sql = format!(
        "/* schedule::read_last_runs */ SELECT r.id, r.store_id, r.kind, r.state, r.error_class, \
         COALESCE(r.started_at, r.created_at) AS began_at, r.finished_at, \
         CASE WHEN r.state = 'failed' THEN (SELECT MIN(COALESCE(f.started_at, f.created_at)) FROM runs f \
         WHERE f.store_id = r.store_id AND f.kind = r.kind AND f.id > COALESCE((SELECT MAX(g.id) FROM runs g \
         WHERE g.store_id = r.store_id AND g.kind = r.kind AND g.state = 'succeeded'), 0)) END AS failing_since \
         FROM stores s CROSS JOIN ({}) k JOIN runs r ON r.id = \
         (SELECT MAX(n.id) FROM runs n WHERE n.store_id = s.id AND n.kind = k.kind) \
         WHERE CAST($1 AS BIGINT) IS NULL OR s.id = $1",
        kinds.join(" UNION ALL ")
    );
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [only.into()]);
    let rows = db.orm().query_all_raw(statement).await;
    let mut last_runs: HashMap<i64, Vec<LastRun>> = HashMap::new();
    for row in rows.map_err(StorageError::query("read when the stores were last synced"))? {
        let (store_id, run) = last_run(&row)?;
        last_runs.entry(store_id).or_default().push(run);
    }
    Ok(last_runs)
}

/// A row of [`read_last_runs`], by place: by name each value would be looked for among all columns.
fn last_run(row: &QueryResult) -> Result<(i64, LastRun), StorageError> {
    let read = |error: DbErr| StorageError::query("read when the stores were last synced")(error);
    let id: i64 = row.try_get_by_index(0).map_err(read)?;
    let corrupt = |column| StorageError::Corrupt { table: "runs", row: id.to_string(), column };
    let text = |at| row.try_get_by_index::<Option<String>>(at).map_err(read);
    let time = |at| row.try_get_by_index::<Option<DateTime<Utc>>>(at).map_err(read);
    let kind = text(2)?.and_then(|kind| RunKind::parse(&kind)).ok_or_else(|| corrupt("kind"))?;
    let state = text(3)?.and_then(|state| RunState::parse(&state)).ok_or_else(|| corrupt("state"))?;
    let refused = text(4)?.as_deref() == Some(ErrorClass::Unauthorized.as_str());
    let began_at = time(5)?.ok_or_else(|| corrupt("created_at"))?;
    let left = match (state, time(6)?) {
        (RunState::Queued | RunState::Running, _) => Left::Unfinished,
        (RunState::Failed | RunState::Cancelled, Some(at)) if refused => Left::Refused { at },
        (RunState::Failed, Some(at)) => Left::Failed { at, since: time(7)?.unwrap_or(began_at) },
        (RunState::Failed | RunState::Succeeded | RunState::Cancelled, _) => Left::Nothing,
    };
    Ok((row.try_get_by_index(1).map_err(read)?, LastRun { kind, began_at, left }))
}

/// How many stores one statement queues runs for.
const CHUNK: usize = 500;

/// Queues a run of a kind for each of these stores that is still there and has none unfinished. Gives each run that was
/// queued and its store.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn enqueue(
    db: &Database,
    kind: RunKind,
    stores: &[i64],
    now: DateTime<Utc>,
) -> Result<Vec<(i64, i64)>, StorageError> {
    let failed = || StorageError::query("queue the runs that are due");
    let mut queued = Vec::new();
    for chunk in stores.chunks(CHUNK) {
        let places: Vec<_> = (3..chunk.len() + 3).map(|place| format!("${place}")).collect();
        let sql = format!(
            "/* schedule::enqueue */ INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at) \
             SELECT id, $1, 'schedule', 'queued', $2, $2 FROM stores WHERE id IN ({}) ORDER BY id \
             ON CONFLICT DO NOTHING RETURNING id, store_id",
            places.join(", ")
        );
        let values = [Value::from(kind.as_str()), now.into()].into_iter().chain(chunk.iter().map(|id| (*id).into()));
        let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
        let tx = db.begin_write().await?;
        let rows = tx.query_all_raw(statement).await.map_err(failed())?;
        if !rows.is_empty() {
            wake::notify(&tx, db).await?;
        }
        tx.commit().await.map_err(failed())?;
        for row in rows {
            queued.push((row.try_get_by_index(0).map_err(failed())?, row.try_get_by_index(1).map_err(failed())?));
        }
    }
    Ok(queued)
}
