//! What a run's sweep has found and not dealt with yet. Written and taken away in the transactions of its pages
//! ([`super::products::commit_page`]), so that a run that is interrupted goes on with the rest.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Database, StorageError};
use crate::domain::finding::{FindingKind, Waiting};
use crate::entity::findings::{Column, Entity};

/// The next findings of a kind behind `after`, by ID.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn next(
    db: &Database,
    run_id: i64,
    kind: FindingKind,
    after: Option<i64>,
    limit: u64,
) -> Result<Vec<i64>, StorageError> {
    let mut find = of(run_id, kind).order_by_asc(Column::InventoryId).limit(limit);
    if let Some(after) = after {
        find = find.filter(Column::InventoryId.gt(after));
    }
    let rows = find.all(db.orm()).await.map_err(StorageError::query("read what the sweep has found"))?;
    Ok(rows.into_iter().map(|row| row.inventory_id).collect())
}

/// How many findings of a kind there are.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn count(db: &Database, run_id: i64, kind: FindingKind) -> Result<u64, StorageError> {
    of(run_id, kind).count(db.orm()).await.map_err(StorageError::query("count what the sweep has found"))
}

/// How many findings of each kind there are.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn waiting(db: &Database, run_id: i64) -> Result<Waiting, StorageError> {
    let kinds = Entity::find()
        .select_only()
        .column(Column::Kind)
        .column_as(Column::InventoryId.count(), "rows")
        .filter(Column::RunId.eq(run_id))
        .group_by(Column::Kind);
    let kinds = kinds.into_tuple::<(String, i64)>().all(db.orm()).await;
    let mut waiting = Waiting::default();
    for (kind, rows) in kinds.map_err(StorageError::query("count what the sweep has found"))? {
        match FindingKind::parse(&kind) {
            Some(FindingKind::Look) => waiting.look = rows.unsigned_abs(),
            Some(FindingKind::Missing) => waiting.missing = rows.unsigned_abs(),
            Some(FindingKind::Gone) => waiting.gone = rows.unsigned_abs(),
            None => {}
        }
    }
    Ok(waiting)
}

/// Forgets everything a run has found, once it has ended.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn forget(db: &Database, run_id: i64) -> Result<(), StorageError> {
    let delete = Entity::delete_many().filter(Column::RunId.eq(run_id));
    delete.exec(db.orm()).await.map(drop).map_err(StorageError::query("forget what the sweep has found"))
}

fn of(run_id: i64, kind: FindingKind) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::RunId.eq(run_id)).filter(Column::Kind.eq(kind.as_str()))
}
