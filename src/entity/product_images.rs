//! Images; position 0 is the main one.

use sea_orm::entity::prelude::*;

/// A row of `product_images`; what its columns mean is said once, in [`crate::domain::catalogue`].
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_images")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub inventory_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub name: Option<String>,
    pub url: Option<String>,
    pub thumb_url: Option<String>,
    pub medium_thumb_url: Option<String>,
    pub updated_at: Option<DateTimeUtc>,
    pub extra: Option<Json>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
