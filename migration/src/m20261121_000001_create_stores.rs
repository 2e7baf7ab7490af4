//! Creates `stores`: the webstores that are mirrored.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, count, id, text, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("stores")
            .col(id())
            .col(text("name").not_null().unique_key())
            .col(text("connector").not_null())
            .col(text("url").not_null())
            .col(text("timezone"))
            .col(utc_time("paused_at"))
            .col(text("paused_reason"))
            .col(utc_time("paused_until"))
            .col(text("schedule_full"))
            .col(text("schedule_incremental"))
            .col(text("schedule_sweep"))
            .col(bigint("calls_per_minute"))
            .col(utc_time("as_of"))
            .col(count("change_seq"))
            .col(utc_time("created_at").not_null())
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("stores").to_owned()).await
    }
}
