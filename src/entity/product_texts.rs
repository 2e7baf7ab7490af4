//! The long texts of a product.

use sea_orm::entity::prelude::*;

/// A row of `product_texts`; what its columns mean is said once, in [`crate::domain::catalogue`].
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_texts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub inventory_id: i64,
    pub description: Option<String>,
    pub short_description: Option<String>,
    pub features: Option<String>,
    pub specifications: Option<String>,
    pub warranty: Option<String>,
    pub terms_and_conditions: Option<String>,
    pub ebay_description: Option<String>,
    pub artist_or_author: Option<String>,
    pub format: Option<String>,
    pub availability_description: Option<String>,
    pub internal_notes: Option<String>,
    pub search_keywords: Option<String>,
    pub seo_page_title: Option<String>,
    pub seo_meta_keywords: Option<String>,
    pub seo_page_heading: Option<String>,
    pub seo_meta_description: Option<String>,
    pub seo_canonical_url: Option<String>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
