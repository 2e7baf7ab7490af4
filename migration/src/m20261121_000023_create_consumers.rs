//! Creates `consumers`: how far each named reader of the change feed has acknowledged each store's lines.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("consumers")
            .col(bigint("store_id").not_null())
            .col(text("name").not_null())
            .col(bigint("seq").not_null())
            .col(utc_time("at").not_null())
            .primary_key(Index::create().col("store_id").col("name"))
            .foreign_key(&mut to_store("consumers"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("consumers").to_owned()).await
    }
}
