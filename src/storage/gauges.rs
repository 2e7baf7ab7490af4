//! What the metrics page and the status line show of the database: a handful of statements, however many stores there are.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

use super::runs::UNFINISHED;
use super::{Database, StorageError, instances};
use crate::domain::run::Checkpoint;
use crate::domain::store::CredentialState;

/// Everything that is shown, as it was at one moment.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// When it was read.
    pub at: DateTime<Utc>,
    /// Every store.
    pub stores: Vec<StoreGauge>,
    /// The unfinished runs, counted.
    pub queue: Queue,
    /// The running ones.
    pub running: Vec<RunningGauge>,
    /// Daemons that have given a sign of life.
    pub instances: u64,
}

/// A store.
#[derive(Clone, Debug)]
pub struct StoreGauge {
    /// Its name.
    pub name: String,
    /// Up to when its copy is known to hold.
    pub as_of: Option<DateTime<Utc>>,
    /// Whether it rests.
    pub paused: bool,
    /// State of its credential, if it has one.
    pub credential: Option<CredentialState>,
}

/// How many runs are unfinished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Waiting for a slot.
    pub due: u64,
    /// Waiting for their time.
    pub resting: u64,
    /// Being worked on, or left by a worker that fell silent.
    pub running: u64,
}

/// A running run.
#[derive(Clone, Debug)]
pub struct RunningGauge {
    /// Name of its store.
    pub store: String,
    /// First claim.
    pub started_at: Option<DateTime<Utc>>,
    /// Until when the lease holds.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Calls the budget has left, if the run has stored a page.
    pub calls_left: Option<f64>,
}

/// Reads everything. `calls_per_minute` is the budget of stores without one of their own.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn read(db: &Database, calls_per_minute: u32, now: DateTime<Utc>) -> Result<Gauges, StorageError> {
    let doing = "read the figures of the metrics page";
    let stores = stores(db, now).await.map_err(StorageError::query(doing))?;
    let running = running(db, calls_per_minute, now).await.map_err(StorageError::query(doing))?;
    let instances = instances::list(db).await?.iter().filter(|instance| instance.is_alive(now)).count() as u64;
    Ok(Gauges { at: now, stores, queue: queue(db, now).await?, running, instances })
}

/// Counts the unfinished runs, through the index the claim uses.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn queue(db: &Database, now: DateTime<Utc>) -> Result<Queue, StorageError> {
    let sql = format!(
        "/* gauges::queue */ SELECT \
         (SELECT COUNT(*) FROM runs WHERE {UNFINISHED} AND state = 'queued' AND scheduled_at <= $1), \
         (SELECT COUNT(*) FROM runs WHERE {UNFINISHED} AND state = 'queued' AND scheduled_at > $1), \
         (SELECT COUNT(*) FROM runs WHERE {UNFINISHED} AND state = 'running')"
    );
    let counted = async {
        let rows = rows(db, &sql, [now.into()]).await?;
        let Some(row) = rows.first() else { return Ok(Queue::default()) };
        let count = |index| row.try_get_by_index::<i64>(index).map(i64::unsigned_abs);
        Ok(Queue { due: count(0)?, resting: count(1)?, running: count(2)? })
    };
    counted.await.map_err(StorageError::query("count the unfinished runs"))
}

async fn stores(db: &Database, now: DateTime<Utc>) -> Result<Vec<StoreGauge>, DbErr> {
    let sql = "/* gauges::stores */ SELECT stores.name, stores.as_of, \
               CASE WHEN stores.paused_at IS NOT NULL AND (stores.paused_until IS NULL OR stores.paused_until > $1) \
               THEN 1 ELSE 0 END, credentials.state \
               FROM stores LEFT JOIN credentials ON credentials.store_id = stores.id ORDER BY stores.name";
    let rows = rows(db, sql, [now.into()]).await?;
    rows.iter()
        .map(|row| {
            let state: Option<String> = row.try_get_by_index(3)?;
            Ok(StoreGauge {
                name: row.try_get_by_index(0)?,
                as_of: row.try_get_by_index(1)?,
                paused: row.try_get_by_index::<i32>(2)? != 0,
                credential: state.as_deref().and_then(CredentialState::parse),
            })
        })
        .collect()
}

async fn running(db: &Database, calls_per_minute: u32, now: DateTime<Utc>) -> Result<Vec<RunningGauge>, DbErr> {
    let sql = format!(
        "/* gauges::running */ SELECT stores.name, runs.started_at, runs.lease_expires_at, runs.checkpoint, \
         stores.calls_per_minute FROM runs JOIN stores ON stores.id = runs.store_id \
         WHERE runs.{UNFINISHED} AND runs.state = 'running'"
    );
    let rows = rows(db, &sql, []).await?;
    rows.iter()
        .map(|row| {
            let checkpoint: Option<serde_json::Value> = row.try_get_by_index(3)?;
            let own: Option<i64> = row.try_get_by_index(4)?;
            let limit = own.and_then(|own| u32::try_from(own).ok()).unwrap_or(calls_per_minute);
            // A checkpoint that cannot be read is the run's affair; here it only has no budget to show.
            let budget = checkpoint.and_then(|json| serde_json::from_value::<Checkpoint>(json).ok()?.budget);
            Ok(RunningGauge {
                store: row.try_get_by_index(0)?,
                started_at: row.try_get_by_index(1)?,
                lease_expires_at: row.try_get_by_index(2)?,
                calls_left: budget.map(|state| state.calls_left(limit, now)),
            })
        })
        .collect()
}

async fn rows<const N: usize>(db: &Database, sql: &str, values: [Value; N]) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    db.orm().query_all_raw(statement).await
}
