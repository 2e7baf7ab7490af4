//! A webstore that is mirrored.

use sea_orm::entity::prelude::*;

/// A row of `stores`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stores")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub connector: String,
    pub url: String,
    pub timezone: Option<String>,
    pub paused_at: Option<DateTimeUtc>,
    pub paused_reason: Option<String>,
    pub paused_until: Option<DateTimeUtc>,
    pub schedule_full: Option<String>,
    pub schedule_incremental: Option<String>,
    pub schedule_sweep: Option<String>,
    pub calls_per_minute: Option<i64>,
    pub as_of: Option<DateTimeUtc>,
    pub change_seq: i64,
    pub created_at: DateTimeUtc,
    pub silent_until: Option<DateTimeUtc>,
    pub overlap_secs: Option<i64>,
    pub learned: Option<Json>,
    pub remote_id: Option<String>,
    pub domain: Option<String>,
    pub pending_url: Option<String>,
    pub origin: Option<String>,
    pub paused_by: Option<String>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
