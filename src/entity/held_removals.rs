//! Removals that wait for approval.

use sea_orm::entity::prelude::*;

/// A row of `held_removals`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "held_removals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    pub run_id: i64,
    pub products: i64,
    pub id_digest: String,
    pub at: DateTimeUtc,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
