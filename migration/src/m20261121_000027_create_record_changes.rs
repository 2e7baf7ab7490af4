//! Creates `record_changes`: the change feed of stores with a described connector. It shares the store's numbers with
//! `product_changes`, of which such a store has none.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, json, one_of, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("record_changes")
            .col(bigint("store_id").not_null())
            .col(bigint("seq").not_null())
            .col(text("stream").not_null())
            .col(text("key").not_null())
            .col(text("kind").not_null().check(one_of("kind", &["added", "changed", "removed", "restored"])))
            .col(json("fields"))
            .col(bigint("run_id"))
            .col(utc_time("at").not_null())
            .primary_key(Index::create().col("store_id").col("seq"))
            .foreign_key(&mut to_store("record_changes"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("record_changes").to_owned()).await
    }
}
