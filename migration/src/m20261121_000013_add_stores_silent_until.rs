//! Adds `stores.silent_until`: the silence after HTTP 429 belongs to the store, whoever calls it next.

use sea_orm_migration::prelude::*;

use crate::columns::utc_time;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let alter = Table::alter().table("stores").add_column(utc_time("silent_until")).take();
        manager.alter_table(alter).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("stores").drop_column("silent_until").take()).await
    }
}
