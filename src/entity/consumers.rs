//! How far a named reader has acknowledged a store's lines of the change feed.

use sea_orm::entity::prelude::*;

/// A row of `consumers`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "consumers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub seq: i64,
    pub at: DateTimeUtc,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
