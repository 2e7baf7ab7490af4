//! Creates `product_texts`: the long texts, apart from `products` so that scans of it stay small.
//! Without a foreign key, as the other tables of a product: see the migration after this one.

use sea_orm_migration::prelude::*;

use crate::columns::{Make, bigint, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns that come from the store, in the order of the catalogue's description.
pub(crate) const COLUMNS: &[(Make, &str)] = &[
    (text, "description"),
    (text, "short_description"),
    (text, "features"),
    (text, "specifications"),
    (text, "warranty"),
    (text, "terms_and_conditions"),
    (text, "ebay_description"),
    (text, "artist_or_author"),
    (text, "format"),
    (text, "availability_description"),
    (text, "internal_notes"),
    (text, "search_keywords"),
    (text, "seo_page_title"),
    (text, "seo_meta_keywords"),
    (text, "seo_page_heading"),
    (text, "seo_meta_description"),
    (text, "seo_canonical_url"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table("product_texts");
        table.col(bigint("store_id").not_null());
        table.col(bigint("inventory_id").not_null());
        for (make, name) in COLUMNS {
            table.col(make(name));
        }
        table.primary_key(Index::create().col("store_id").col("inventory_id"));
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("product_texts").to_owned()).await
    }
}
