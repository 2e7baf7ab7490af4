//! Removals that the guard holds back ([`crate::domain::removal`]), until a person approves them, a second sweep shows the same,
//! or they are over.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::incidents::{self, Subject};
use super::{Database, StorageError};
use crate::domain::digest::IdDigest;
use crate::domain::incident::IncidentKind;
use crate::domain::removal::Missing;
use crate::domain::run::Lease;
use crate::entity::held_removals::{ActiveModel, Column, Entity};

/// What an earlier sweep of the store was kept from removing.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn of_store(db: &Database, store_id: i64) -> Result<Option<IdDigest>, StorageError> {
    let row = Entity::find_by_id(store_id).one(db.orm()).await.map_err(StorageError::query("read held removals"))?;
    row.map(|row| {
        row.id_digest.parse().map_err(|_| StorageError::Corrupt {
            table: "held_removals",
            row: store_id.to_string(),
            column: "id_digest",
        })
    })
    .transpose()
}

/// Holds the removal of `missing` back and opens the incident a person is told of; `sentence` says what to do.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn hold(
    db: &Database,
    lease: &Lease,
    missing: &Missing,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let row = ActiveModel {
        store_id: Set(lease.store_id),
        run_id: Set(lease.run_id),
        products: Set(missing.products.cast_signed()),
        id_digest: Set(missing.digest.to_string()),
        at: Set(now),
    };
    let columns = [Column::RunId, Column::Products, Column::IdDigest, Column::At];
    let again = OnConflict::column(Column::StoreId).update_columns(columns).to_owned();
    Entity::insert(row).on_conflict(again).exec(db.orm()).await.map_err(StorageError::query("hold removals back"))?;
    incidents::begin(db, IncidentKind::RemovalsHeld, Subject::Store(lease.store_id), sentence, now).await?;
    Ok(())
}

/// Nothing is held back any more.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn release(db: &Database, store_id: i64, now: DateTime<Utc>) -> Result<(), StorageError> {
    let doing = "release held removals";
    let gone = Entity::delete_by_id(store_id).exec(db.orm()).await.map_err(StorageError::query(doing))?;
    if gone.rows_affected > 0 {
        incidents::end_in(db.orm(), IncidentKind::RemovalsHeld, Subject::Store(store_id), now)
            .await
            .map_err(StorageError::query(doing))?;
    }
    Ok(())
}
