//! One change of one product, numbered within its store.

use sea_orm::entity::prelude::*;

/// A row of `product_change_lines`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_change_lines")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub inventory_id: i64,
    pub sku: Option<String>,
    pub kind: String,
    pub fields: Option<Json>,
    pub run_id: Option<i64>,
    pub at: DateTimeUtc,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
