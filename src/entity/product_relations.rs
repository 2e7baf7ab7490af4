//! Links to other products and to content.

use sea_orm::entity::prelude::*;

/// A row of `product_relations`; what its columns mean is said once, in [`crate::domain::catalogue`].
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_relations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub inventory_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub sku: Option<String>,
    pub related_id: Option<i64>,
    pub content_name: Option<String>,
    pub content_type_id: Option<i64>,
    pub content_type_name: Option<String>,
    pub priority: Option<i64>,
    pub extra: Option<Json>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
