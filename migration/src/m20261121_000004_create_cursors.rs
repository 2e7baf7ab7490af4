//! Creates `cursors`: where the next listing of a kind starts, in the server's time.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("cursors")
            .col(bigint("store_id").not_null())
            .col(text("kind").not_null())
            .col(text("value"))
            .col(utc_time("starts_at"))
            .col(utc_time("updated_at").not_null())
            .primary_key(Index::create().col("store_id").col("kind"))
            .foreign_key(&mut to_store("cursors"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("cursors").to_owned()).await
    }
}
