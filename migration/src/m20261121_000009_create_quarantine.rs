//! Creates `quarantine`: records that could not be normalised, kept as sent until they are replayed.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, id, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("quarantine")
            .col(id())
            .col(bigint("store_id").not_null())
            .col(bigint("run_id"))
            .col(bigint("inventory_id"))
            .col(text("reason").not_null())
            .col(text("raw").not_null())
            .col(utc_time("at").not_null())
            .col(utc_time("replayed_at"))
            .foreign_key(&mut to_store("quarantine"))
            .take();
        manager.create_table(table).await?;
        let index = Index::create().name("quarantine_store").table("quarantine").col("store_id").col("id").take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("quarantine").to_owned()).await
    }
}
