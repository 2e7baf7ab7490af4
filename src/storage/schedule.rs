//! What the scheduler reads and writes: of every store what decides when its next run is due, and the runs that are.
//!
//! The number of statements does not depend on the number of stores or kinds: a tick of ten thousand stores is three.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryResult, QuerySelect, Statement, Value,
};

use super::{Database, StorageError, stores, wake};
use crate::domain::error::ErrorClass;
use crate::domain::last_run::{LastRun, Left};
use crate::domain::lifecycle::Standing;
use crate::domain::run::{RunKind, RunState};
use crate::domain::store::{CredentialState, Store};
use crate::entity::credentials;

/// A store, as the scheduler sees it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The store.
    pub store: Store,
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
    let stores = stores::list_stores(db).await?;
    let mut facts = Facts::read(db, None).await?;
    Ok(stores.into_iter().map(|store| facts.of(store)).collect())
}

/// One store.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn row(db: &Database, store: Store) -> Result<Row, StorageError> {
    Ok(Facts::read(db, Some(store.id)).await?.of(store))
}

/// What is looked up for all stores at once, by store.
struct Facts {
    keys: HashMap<i64, Standing>,
    last_runs: HashMap<i64, Vec<LastRun>>,
}

impl Facts {
    async fn read(db: &Database, only: Option<i64>) -> Result<Self, StorageError> {
        Ok(Self { keys: read_keys(db, only).await?, last_runs: read_last_runs(db, only).await? })
    }

    fn of(&mut self, store: Store) -> Row {
        let key = self.keys.get(&store.id).copied();
        let last_runs = self.last_runs.remove(&store.id).unwrap_or_default();
        Row { store, key, last_runs }
    }
}

/// What is known about the keys; nothing of the keys themselves.
async fn read_keys(db: &Database, only: Option<i64>) -> Result<HashMap<i64, Standing>, StorageError> {
    type Found = (i64, String, DateTime<Utc>, i64, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    use credentials::Column::{LastOkAt, NextCheckAt, Refusals, State, StateSince, StoreId};
    let columns = [StoreId, State, StateSince, Refusals, LastOkAt, NextCheckAt];
    let mut find = credentials::Entity::find().select_only().columns(columns);
    if let Some(store_id) = only {
        find = find.filter(StoreId.eq(store_id));
    }
    let found: Vec<Found> =
        find.into_tuple().all(db.orm()).await.map_err(StorageError::query("read the states of the credentials"))?;
    found
        .into_iter()
        .map(|(store_id, state, since, refusals, last_ok_at, next_check_at)| {
            let corrupt = || StorageError::Corrupt { table: "credentials", row: store_id.to_string(), column: "state" };
            let standing = Standing {
                state: CredentialState::parse(&state).ok_or_else(corrupt)?,
                since,
                refusals: u32::try_from(refusals).unwrap_or(u32::MAX),
                worked: last_ok_at.is_some(),
                next_check_at,
            };
            Ok((store_id, standing))
        })
        .collect()
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

fn last_run(row: &QueryResult) -> Result<(i64, LastRun), StorageError> {
    let read = |error: DbErr| StorageError::query("read when the stores were last synced")(error);
    let id: i64 = row.try_get("", "id").map_err(read)?;
    let corrupt = |column| StorageError::Corrupt { table: "runs", row: id.to_string(), column };
    let text = |column| row.try_get::<Option<String>>("", column).map_err(read);
    let time = |column| row.try_get::<Option<DateTime<Utc>>>("", column).map_err(read);
    let kind = text("kind")?.and_then(|kind| RunKind::parse(&kind)).ok_or_else(|| corrupt("kind"))?;
    let state = text("state")?.and_then(|state| RunState::parse(&state)).ok_or_else(|| corrupt("state"))?;
    let began_at = time("began_at")?.ok_or_else(|| corrupt("created_at"))?;
    let refused = text("error_class")?.as_deref() == Some(ErrorClass::Unauthorized.as_str());
    let left = match (state, time("finished_at")?) {
        (RunState::Queued | RunState::Running, _) => Left::Unfinished,
        (RunState::Failed | RunState::Cancelled, Some(at)) if refused => Left::Refused { at },
        (RunState::Failed, Some(at)) => Left::Failed { at, since: time("failing_since")?.unwrap_or(began_at) },
        (RunState::Failed | RunState::Succeeded | RunState::Cancelled, _) => Left::Nothing,
    };
    Ok((row.try_get("", "store_id").map_err(read)?, LastRun { kind, began_at, left }))
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
