//! A record that could not be normalised, as sent.

use sea_orm::entity::prelude::*;

/// A row of `quarantine`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quarantine")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub store_id: i64,
    pub run_id: Option<i64>,
    pub inventory_id: Option<i64>,
    pub reason: String,
    pub raw: String,
    pub at: DateTimeUtc,
    pub replayed_at: Option<DateTimeUtc>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
