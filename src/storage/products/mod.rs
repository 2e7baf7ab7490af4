//! The mirror: a page of products and its checkpoint in one transaction, with a few statements a table.
//!
//! [`commit_page`], [`mark_removed`] and [`replay`] are all that writes product tables. What it costs grows with what changed: a page
//! of unchanged products is one read, one update of the run and a commit.

mod commit;
mod copy;
mod feed;
mod held;
mod known;
mod packed;
mod removal;
mod replay;
mod sweep;
mod transaction;
mod writes;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

pub use self::commit::{PageWrite, commit_page, commit_page_behind};
pub(super) use self::copy::copy_light;
pub use self::held::{Held, held_between, held_ids, held_next};
pub use self::packed::NewProducts;
pub use self::removal::{Removal, mark_removed};
pub use self::replay::{Replay, Replayed, replay};
pub use self::sweep::{load, newest_edit, witnesses};
pub use super::page::Quarantined;
use super::{Database, StorageError};
use crate::entity::products;

/// How many products of the store are there, removed ones not counted.
pub async fn count(db: &Database, store_id: i64) -> Result<u64, StorageError> {
    products::Entity::find()
        .filter(products::Column::StoreId.eq(store_id))
        .filter(products::Column::RemovedAt.is_null())
        .count(db.orm())
        .await
        .map_err(StorageError::query("count the products"))
}
