//! Where the next listing of a kind starts.

use sea_orm::entity::prelude::*;

/// A row of `cursors`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cursors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    pub value: Option<String>,
    pub starts_at: Option<DateTimeUtc>,
    pub updated_at: DateTimeUtc,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
