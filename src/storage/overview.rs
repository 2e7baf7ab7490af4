//! A store with everything an operator asks about it: credential, copy, runs. Read in a handful of statements,
//! however many stores there are.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Select};

use super::credentials::{self, SealedCredential};
use super::{Database, StorageError, quarantine, runs, stores};
use crate::domain::run::{Run, RunKind, RunState, Verdict};
use crate::domain::store::Store;
use crate::entity::{products, records};

/// What is known about one store.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The store.
    pub store: Store,
    /// Its credential, if it has one.
    pub credential: Option<SealedCredential>,
    /// Products in the copy, or records of a described connector; removed ones not counted.
    pub products: u64,
    /// Records in quarantine that have not been replayed.
    pub quarantined: u64,
    /// The run that waits or is worked on, if there is one.
    pub unfinished: Option<Run>,
    /// The last sync that ended, however.
    pub last_ended: Option<Run>,
    /// The last sync that succeeded.
    pub last_succeeded: Option<Run>,
}

/// The store of that name.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn of_store(db: &Database, name: &str) -> Result<Overview, StorageError> {
    let store = stores::find_store(db, name).await?;
    let credential = credentials::load_credential(db, store.id).await?;
    let mut facts = Facts::read(db, Some(store.id)).await?;
    Ok(facts.of(store, credential))
}

/// All stores, by name.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn of_all(db: &Database) -> Result<Vec<Overview>, StorageError> {
    let stores = stores::list_stores(db).await?;
    let credentials = credentials::list_credentials(db).await?;
    let mut credentials: HashMap<_, _> = credentials.into_iter().map(|found| (found.store_id, found)).collect();
    let mut facts = Facts::read(db, None).await?;
    Ok(stores
        .into_iter()
        .map(|store| {
            let credential = credentials.remove(&store.id);
            facts.of(store, credential)
        })
        .collect())
}

/// What is counted and looked up for all stores at once, by store.
struct Facts {
    products: HashMap<i64, u64>,
    quarantined: HashMap<i64, u64>,
    unfinished: HashMap<i64, Run>,
    ended: HashMap<i64, Run>,
    succeeded: HashMap<i64, Run>,
}

impl Facts {
    async fn read(db: &Database, only: Option<i64>) -> Result<Self, StorageError> {
        Ok(Self {
            products: count_products(db, only).await?,
            quarantined: quarantine::count_each(db, only).await?,
            unfinished: runs::newest_each(db, only, &[RunState::Queued, RunState::Running]).await?,
            ended: runs::newest_each(db, only, &[RunState::Succeeded, RunState::Failed, RunState::Cancelled]).await?,
            succeeded: runs::newest_each(db, only, &[RunState::Succeeded]).await?,
        })
    }

    fn of(&mut self, store: Store, credential: Option<SealedCredential>) -> Overview {
        let id = store.id;
        Overview {
            store,
            credential,
            products: self.products.get(&id).copied().unwrap_or_default(),
            quarantined: self.quarantined.get(&id).copied().unwrap_or_default(),
            unfinished: self.unfinished.remove(&id),
            last_ended: self.ended.remove(&id),
            last_succeeded: self.succeeded.remove(&id),
        }
    }
}

async fn count_products(db: &Database, only: Option<i64>) -> Result<HashMap<i64, u64>, StorageError> {
    let mut find = products::Entity::find()
        .select_only()
        .column(products::Column::StoreId)
        .column_as(products::Column::InventoryId.count(), "rows")
        .filter(products::Column::RemovedAt.is_null())
        .group_by(products::Column::StoreId);
    if let Some(store_id) = only {
        find = find.filter(products::Column::StoreId.eq(store_id));
    }
    let mut counts = counted(db, find, "count the products").await?;
    let mut find = records::Entity::find()
        .select_only()
        .column(records::Column::StoreId)
        .column_as(records::Column::Key.count(), "rows")
        .filter(records::Column::RemovedAt.is_null())
        .group_by(records::Column::StoreId);
    if let Some(store_id) = only {
        find = find.filter(records::Column::StoreId.eq(store_id));
    }
    // A store has the one or the other.
    counts.extend(counted(db, find, "count the records").await?);
    Ok(counts)
}

/// Rows that are held of a store, removed ones not counted: products, or records of a described connector.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn count_held(db: &Database, store: &Store) -> Result<u64, StorageError> {
    if store.has_records() {
        super::records::count(db, store.id).await
    } else {
        super::products::count(db, store.id).await
    }
}

/// Rows that were held of a store when `run` began, about: the products that the run before it listed, if that one listed all and is
/// sure of it. To count them is to read them all where PostgreSQL has not come to tidy its table yet.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn held_before(db: &Database, store: &Store, run: &Run) -> Result<u64, StorageError> {
    let last = runs::newest_each(db, Some(store.id), &[RunState::Succeeded]).await?.remove(&store.id);
    let listed_all = |last: &Run| {
        !store.has_records()
            && matches!(last.kind, RunKind::Full | RunKind::Sweep)
            && last.verdict.is_some_and(Verdict::is_sure)
    };
    let held = match last.filter(listed_all) {
        Some(Run { counts, .. }) => counts.seen - counts.quarantined,
        None => count_held(db, store).await?.cast_signed() + run.counts.removed - run.counts.inserted,
    };
    Ok(held.max(0).cast_unsigned())
}

/// Rows counted by store.
#[derive(Debug, FromQueryResult)]
struct Counted {
    store_id: i64,
    rows: i64,
}

/// Runs a query that gives `store_id` and `rows`.
pub(super) async fn counted<E: EntityTrait>(
    db: &Database,
    find: Select<E>,
    doing: &'static str,
) -> Result<HashMap<i64, u64>, StorageError> {
    let found = find.into_model::<Counted>().all(db.orm()).await.map_err(StorageError::query(doing))?;
    Ok(found.into_iter().map(|counted| (counted.store_id, counted.rows.unsigned_abs())).collect())
}
