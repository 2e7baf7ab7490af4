//! Creates `product_changes`: what changed, numbered without gaps within each store.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, json, one_of, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("product_changes")
            .col(bigint("store_id").not_null())
            .col(bigint("seq").not_null())
            .col(bigint("inventory_id").not_null())
            .col(text("sku"))
            .col(text("kind").not_null().check(one_of("kind", &["added", "changed", "removed", "restored"])))
            .col(json("fields"))
            .col(bigint("run_id"))
            .col(utc_time("at").not_null())
            .primary_key(Index::create().col("store_id").col("seq"))
            .foreign_key(&mut to_store("product_changes"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("product_changes").to_owned()).await
    }
}
