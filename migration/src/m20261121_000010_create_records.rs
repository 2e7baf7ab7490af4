//! Creates `records`: the rows of the described (not programmed) connectors, as JSON.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bytes, json, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("records")
            .col(bigint("store_id").not_null())
            .col(text("stream").not_null())
            .col(text("key").not_null())
            .col(json("data").not_null())
            .col(bytes("content_hash").not_null())
            .col(utc_time("first_seen_at").not_null())
            .col(utc_time("changed_at").not_null())
            .col(utc_time("removed_at"))
            .primary_key(Index::create().col("store_id").col("stream").col("key"))
            .foreign_key(&mut to_store("records"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("records").to_owned()).await
    }
}
