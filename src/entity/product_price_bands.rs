//! Quantity bands inside a price group.

use sea_orm::entity::prelude::*;

use super::numeric::Numeric;

/// A row of `product_price_bands`; what its columns mean is said once, in [`crate::domain::catalogue`].
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_price_bands")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub inventory_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub price: Option<Numeric>,
    pub minimum_quantity: Option<Numeric>,
    pub maximum_quantity: Option<Numeric>,
    pub extra: Option<Json>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
