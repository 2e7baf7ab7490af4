//! A record of a described connector.

use sea_orm::entity::prelude::*;

/// A row of `records`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "records")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub stream: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub data: Json,
    pub content_hash: Vec<u8>,
    pub first_seen_at: DateTimeUtc,
    pub changed_at: DateTimeUtc,
    pub removed_at: Option<DateTimeUtc>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
