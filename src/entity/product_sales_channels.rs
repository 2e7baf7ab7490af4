//! Sales channels and whether the product is approved there.

use sea_orm::entity::prelude::*;

/// A row of `product_sales_channels`; what its columns mean is said once, in [`crate::domain::catalogue`].
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_sales_channels")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub inventory_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sales_channel_id: i64,
    pub name: Option<String>,
    pub is_approved: Option<bool>,
    pub extra: Option<Json>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
