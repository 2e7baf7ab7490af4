//! The daemons that share this database: each says so when it starts, gives a sign of life every few seconds, and leaves
//! when it stops. Nothing about a run depends on this table (leases decide there): it tells people who is at work, and
//! `netosync sync` whether somebody is there to serve the queue.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::{Database, StorageError};
use crate::entity::instances::{ActiveModel, Column, Entity, Model};

/// How often an instance gives a sign of life.
pub const BEAT: TimeDelta = TimeDelta::seconds(5);
/// An instance that was not seen for longer is taken for dead.
const ALIVE: TimeDelta = TimeDelta::seconds(15);
/// An instance that was not seen for longer is forgotten.
const REMEMBERED: TimeDelta = TimeDelta::days(1);

/// A daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name in leases, unique.
    pub name: String,
    /// The machine it runs on.
    pub host: String,
    /// Number of its process there.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Its last sign of life.
    pub seen_at: DateTime<Utc>,
    /// How many runs it works on at once at the most.
    pub slots: u32,
    /// How many it was working on then.
    pub running: u32,
}

impl Instance {
    /// Whether it may be counted on at `now`.
    #[must_use]
    pub fn is_alive(&self, now: DateTime<Utc>) -> bool {
        now - self.seen_at <= ALIVE
    }
}

/// Registers an instance, or gives its sign of life; one statement.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn beat(db: &Database, instance: &Instance) -> Result<(), StorageError> {
    let row = ActiveModel {
        name: Set(instance.name.clone()),
        host: Set(instance.host.clone()),
        pid: Set(instance.pid.into()),
        version: Set(instance.version.clone()),
        started_at: Set(instance.started_at),
        seen_at: Set(instance.seen_at),
        slots: Set(instance.slots.into()),
        running: Set(instance.running.into()),
    };
    let again =
        OnConflict::column(Column::Name).update_columns([Column::SeenAt, Column::Slots, Column::Running]).to_owned();
    let upsert = Entity::insert(row).on_conflict(again).exec_without_returning(db.orm());
    upsert.await.map(drop).map_err(StorageError::query("give this instance's sign of life"))
}

/// Takes an instance off the list: it stops in order.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn leave(db: &Database, name: &str) -> Result<(), StorageError> {
    let gone = Entity::delete_by_id(name).exec(db.orm()).await;
    gone.map(drop).map_err(StorageError::query("take this instance off the list"))
}

/// Forgets instances that were not seen for a day.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn forget(db: &Database, now: DateTime<Utc>) -> Result<(), StorageError> {
    let gone = Entity::delete_many().filter(Column::SeenAt.lt(now - REMEMBERED)).exec(db.orm()).await;
    gone.map(drop).map_err(StorageError::query("forget instances that are gone"))
}

/// All that are known, the oldest first.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn list(db: &Database) -> Result<Vec<Instance>, StorageError> {
    let found = Entity::find().order_by_asc(Column::StartedAt).order_by_asc(Column::Name).all(db.orm()).await;
    Ok(found.map_err(StorageError::query("list the instances"))?.into_iter().map(read).collect())
}

/// Whether a daemon is there to serve the queue.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn any_alive(db: &Database, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let alive = Entity::find().filter(Column::SeenAt.gte(now - ALIVE)).count(db.orm()).await;
    Ok(alive.map_err(StorageError::query("look for a daemon"))? > 0)
}

fn read(row: Model) -> Instance {
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Instance {
        pid: small(row.pid),
        slots: small(row.slots),
        running: small(row.running),
        name: row.name,
        host: row.host,
        version: row.version,
        started_at: row.started_at,
        seen_at: row.seen_at,
    }
}
