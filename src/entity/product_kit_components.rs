//! Parts of a kit.

use sea_orm::entity::prelude::*;

use super::numeric::Numeric;

/// A row of `product_kit_components`; what its columns mean is said once, in [`crate::domain::catalogue`].
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_kit_components")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub inventory_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub component_sku: Option<String>,
    pub component_value: Option<String>,
    pub assemble_quantity: Option<Numeric>,
    pub minimum_quantity: Option<Numeric>,
    pub maximum_quantity: Option<Numeric>,
    pub sort_order: Option<i64>,
    pub extra: Option<Json>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
