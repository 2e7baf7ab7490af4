//! The stores: added, listed, changed and paused by the operator's commands; read by scheduler and workers.
//!
//! `as_of` and `change_seq` are not touched here: they move with a run's rows, in the transaction of the run.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Set,
};
use url::Url;

use super::error::is_unique_violation;
use super::{Database, StorageError};
use crate::domain::store::{MOVED, Origin, Store};
use crate::entity::stores;

/// What an operator says about a new store.
#[derive(Clone, Debug)]
pub struct NewStore {
    /// Unique name: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
    pub name: String,
    /// Which connector speaks to it.
    pub connector: String,
    /// Its address, `https` or `http`, without user, password, query and fragment.
    pub url: Url,
    /// Its time zone (IANA name), if known.
    pub timezone: Option<String>,
    /// Own cron expression for `full` runs.
    pub schedule_full: Option<String>,
    /// Own cron expression for `incremental` runs.
    pub schedule_incremental: Option<String>,
    /// Own cron expression for `sweep` runs.
    pub schedule_sweep: Option<String>,
    /// Own budget, calls a minute.
    pub calls_per_minute: Option<u32>,
}

/// What becomes of a setting that may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away, so that the configured default holds.
    Clear,
    /// It becomes this.
    Set(T),
}

/// The settings of a store that can change; the default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct StoreChanges {
    /// New address.
    pub url: Option<Url>,
    /// Time zone.
    pub timezone: Change<String>,
    /// Cron expression for `full` runs.
    pub schedule_full: Change<String>,
    /// Cron expression for `incremental` runs.
    pub schedule_incremental: Change<String>,
    /// Cron expression for `sweep` runs.
    pub schedule_sweep: Change<String>,
    /// Budget, calls a minute.
    pub calls_per_minute: Change<u32>,
    /// Who keeps it up to date from now on.
    pub origin: Option<Origin>,
}

/// Adds a store.
///
/// # Errors
/// [`StorageError::BadStoreName`], [`StorageError::BadStoreUrl`], [`StorageError::StoreExists`] or
/// [`StorageError::Query`].
pub async fn add_store(db: &Database, new: &NewStore) -> Result<Store, StorageError> {
    let transaction = db.begin_write().await?;
    let store = add_in(&transaction, new, Origin::Manual, db.clock().now()).await?;
    transaction.commit().await.map_err(StorageError::query("add the store"))?;
    Ok(store)
}

/// [`add_store`] within a transaction.
pub(super) async fn add_in(
    transaction: &DatabaseTransaction,
    new: &NewStore,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<Store, StorageError> {
    check_name(&new.name)?;
    check_url(&new.name, &new.url)?;
    let row = stores::ActiveModel {
        name: Set(new.name.clone()),
        connector: Set(new.connector.clone()),
        url: Set(new.url.to_string()),
        timezone: Set(new.timezone.clone()),
        schedule_full: Set(new.schedule_full.clone()),
        schedule_incremental: Set(new.schedule_incremental.clone()),
        schedule_sweep: Set(new.schedule_sweep.clone()),
        calls_per_minute: Set(new.calls_per_minute.map(i64::from)),
        change_seq: Set(0),
        created_at: Set(now),
        origin: Set(kept(origin)),
        ..Default::default()
    };
    let row = row.insert(transaction).await.map_err(|error| {
        if is_unique_violation(&error) {
            StorageError::StoreExists { name: new.name.clone() }
        } else {
            StorageError::query("add the store")(error)
        }
    })?;
    store_of(row)
}

/// All stores, by name.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn list_stores(db: &Database) -> Result<Vec<Store>, StorageError> {
    let rows = stores::Entity::find()
        .order_by_asc(stores::Column::Name)
        .all(db.orm())
        .await
        .map_err(StorageError::query("list the stores"))?;
    rows.into_iter().map(store_of).collect()
}

/// How many stores there are.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn count(db: &Database) -> Result<u64, StorageError> {
    stores::Entity::find().count(db.orm()).await.map_err(StorageError::query("count the stores"))
}

/// The store of that name.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn find_store(db: &Database, name: &str) -> Result<Store, StorageError> {
    store_of(row_named(db.orm(), name).await?)
}

/// The store of that number.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn load_store(db: &Database, id: i64) -> Result<Store, StorageError> {
    let row = stores::Entity::find_by_id(id).one(db.orm()).await.map_err(StorageError::query("read the store"))?;
    store_of(row.ok_or_else(|| StorageError::UnknownStore { name: format!("number {id}") })?)
}

/// Changes settings of the store of that name and returns it as it is then.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::BadStoreUrl`], [`StorageError::Query`] or
/// [`StorageError::Corrupt`].
pub async fn change_store(db: &Database, name: &str, changes: &StoreChanges) -> Result<Store, StorageError> {
    if let Some(url) = &changes.url {
        check_url(name, url)?;
    }
    edit(db, name, |row| set(row, changes)).await
}

/// Writes changes into a row; what stays is not touched.
fn set(row: &mut stores::ActiveModel, changes: &StoreChanges) {
    if let Some(url) = &changes.url {
        row.url = Set(url.to_string());
        row.pending_url = Set(None);
        // It was waited for.
        if row.paused_reason.as_ref().as_ref().is_some_and(|reason| reason.starts_with(MOVED)) {
            resumed(row);
        }
    }
    apply(&mut row.timezone, &changes.timezone, Clone::clone);
    apply(&mut row.schedule_full, &changes.schedule_full, Clone::clone);
    apply(&mut row.schedule_incremental, &changes.schedule_incremental, Clone::clone);
    apply(&mut row.schedule_sweep, &changes.schedule_sweep, Clone::clone);
    apply(&mut row.calls_per_minute, &changes.calls_per_minute, |calls| i64::from(*calls));
    if let Some(origin) = changes.origin {
        row.origin = Set(kept(origin));
    }
}

/// What the import makes of a store it has brought: its settings, and why it rests from now on ([`Change::Clear`]: not any more). A pause by
/// a person stays. Gives `false`, and changes nothing, when the store is gone or not the import's any more.
pub(super) async fn follow_in(
    transaction: &DatabaseTransaction,
    store: &Store,
    changes: &StoreChanges,
    pause: &Change<&'static str>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let failed = || StorageError::query("change the imported store");
    if let Some(url) = &changes.url {
        check_url(&store.name, url)?;
    }
    let found = stores::Entity::find_by_id(store.id).one(transaction).await.map_err(failed())?;
    let Some(found) = found.filter(|found| origin_of(found.origin.as_deref()) == Origin::Import) else {
        return Ok(false);
    };
    let paused_by_person =
        found.paused_at.is_some() && found.paused_by.is_none() && found.paused_until.is_none_or(|until| now < until);
    let mut row: stores::ActiveModel = found.into();
    set(&mut row, changes);
    match pause {
        _ if paused_by_person => {}
        Change::Keep => {}
        Change::Set(reason) => {
            row.paused_at = Set(Some(now));
            row.paused_reason = Set(Some((*reason).to_owned()));
            row.paused_until = Set(None);
            row.paused_by = Set(kept(Origin::Import));
        }
        Change::Clear => resumed(&mut row),
    }
    row.update(transaction).await.map(|_| true).map_err(failed())
}

/// Pauses the store of that name, until `until` or until it is resumed. A store paused already keeps the time since
/// when it is; reason and end become the new ones.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn pause_store(
    db: &Database,
    name: &str,
    reason: Option<&str>,
    until: Option<DateTime<Utc>>,
) -> Result<Store, StorageError> {
    let now = db.clock().now();
    edit(db, name, |row| {
        if row.paused_at.as_ref().is_none() {
            row.paused_at = Set(Some(now));
        }
        row.paused_reason = Set(reason.map(str::to_owned));
        row.paused_until = Set(until);
        row.paused_by = Set(None);
    })
    .await
}

/// Ends the pause of the store of that name, if there is one.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn resume_store(db: &Database, name: &str) -> Result<Store, StorageError> {
    edit(db, name, resumed).await
}

fn resumed(row: &mut stores::ActiveModel) {
    row.paused_at = Set(None);
    row.paused_reason = Set(None);
    row.paused_until = Set(None);
    row.paused_by = Set(None);
}

/// Changes the row of the store of that name.
pub(super) async fn edit(
    db: &Database,
    name: &str,
    change: impl FnOnce(&mut stores::ActiveModel),
) -> Result<Store, StorageError> {
    let failed = || StorageError::query("change the store");
    let transaction = db.begin_write().await?;
    let mut row: stores::ActiveModel = row_named(&transaction, name).await?.into();
    change(&mut row);
    let row = row.update(&transaction).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    store_of(row)
}

fn apply<T, V>(column: &mut sea_orm::ActiveValue<Option<V>>, change: &Change<T>, value: impl FnOnce(&T) -> V)
where
    Option<V>: Into<sea_orm::Value>,
{
    match change {
        Change::Keep => {}
        Change::Clear => *column = Set(None),
        Change::Set(to) => *column = Set(Some(value(to))),
    }
}

pub(super) async fn row_named(connection: &impl ConnectionTrait, name: &str) -> Result<stores::Model, StorageError> {
    let row = stores::Entity::find().filter(stores::Column::Name.eq(name)).one(connection).await;
    row.map_err(StorageError::query("read the store"))?
        .ok_or_else(|| StorageError::UnknownStore { name: name.to_owned() })
}

/// Checks that a store of that name could be added now, so that a person is told before a key is asked for.
///
/// # Errors
/// [`StorageError::BadStoreName`], [`StorageError::StoreExists`] or [`StorageError::Query`].
pub async fn check_new_name(db: &Database, name: &str) -> Result<(), StorageError> {
    check_name(name)?;
    match row_named(db.orm(), name).await {
        Ok(_) => Err(StorageError::StoreExists { name: name.to_owned() }),
        Err(StorageError::UnknownStore { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a store may have that name.
///
/// # Errors
/// [`StorageError::BadStoreName`].
pub fn check_name(name: &str) -> Result<(), StorageError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(StorageError::BadStoreName { name: name.to_owned() })
    }
}

/// Whether plain http and loopback are allowed is the transport's to say; here only what could never be called.
fn check_url(name: &str, url: &Url) -> Result<(), StorageError> {
    let reason = if !matches!(url.scheme(), "https" | "http") {
        "it is neither https nor http"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it contains a user or password, which belong to the credential"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it has a query or fragment"
    } else {
        return Ok(());
    };
    Err(StorageError::BadStoreUrl { name: name.to_owned(), reason })
}

/// How an origin is kept: by hand is nothing.
fn kept(origin: Origin) -> Option<String> {
    (origin != Origin::Manual).then(|| origin.as_str().to_owned())
}

fn origin_of(kept: Option<&str>) -> Origin {
    kept.and_then(Origin::parse).unwrap_or(Origin::Manual)
}

fn store_of(row: stores::Model) -> Result<Store, StorageError> {
    let corrupt = |column| StorageError::Corrupt { table: "stores", row: row.name.clone(), column };
    Ok(Store {
        id: row.id,
        url: Url::parse(&row.url).map_err(|_| corrupt("url"))?,
        calls_per_minute: match row.calls_per_minute {
            Some(calls) => Some(u32::try_from(calls).map_err(|_| corrupt("calls_per_minute"))?),
            None => None,
        },
        name: row.name,
        connector: row.connector,
        timezone: row.timezone,
        paused_at: row.paused_at,
        paused_reason: row.paused_reason,
        paused_until: row.paused_until,
        paused_by: origin_of(row.paused_by.as_deref()),
        origin: origin_of(row.origin.as_deref()),
        schedule_full: row.schedule_full,
        schedule_incremental: row.schedule_incremental,
        schedule_sweep: row.schedule_sweep,
        as_of: row.as_of,
        created_at: row.created_at,
        silent_until: row.silent_until,
        overlap_secs: row.overlap_secs,
        // Not a reason to stop: it is found out anew.
        learned: row.learned.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default(),
        remote_id: row.remote_id,
        domain: row.domain,
        pending_url: row.pending_url.and_then(|url| url.parse().ok()),
    })
}
