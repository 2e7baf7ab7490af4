//! Creates `instances`: the daemons that share the database, each with its last sign of life.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, count, text, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("instances")
            .col(text("name").not_null().primary_key())
            .col(text("host").not_null())
            .col(bigint("pid").not_null())
            .col(text("version").not_null())
            .col(utc_time("started_at").not_null())
            .col(utc_time("seen_at").not_null())
            .col(bigint("slots").not_null())
            .col(count("running"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("instances").to_owned()).await
    }
}
