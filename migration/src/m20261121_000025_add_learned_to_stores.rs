//! Adds to `stores` what its answers have taught, so that not every run has to learn it.

use sea_orm_migration::prelude::*;

use crate::columns::json;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("stores").add_column(json("learned")).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("stores").drop_column("learned").to_owned()).await
    }
}
