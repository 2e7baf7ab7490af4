//! What a person is told about.

use sea_orm::entity::prelude::*;

/// A row of `incidents`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "incidents")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: String,
    pub store_id: Option<i64>,
    pub connector: String,
    pub opened_at: DateTimeUtc,
    pub last_seen_at: DateTimeUtc,
    pub closed_at: Option<DateTimeUtc>,
    pub sentence: String,
    pub told_opened_at: Option<DateTimeUtc>,
    pub told_reminded_at: Option<DateTimeUtc>,
    pub told_closed_at: Option<DateTimeUtc>,
    pub notice_at: DateTimeUtc,
    pub notice_tries: i64,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
