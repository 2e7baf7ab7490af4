//! Adds `products.light_hash`, by which a sweep sees in one look what has changed. Of products stored before it is NULL, and
//! the next sweep asks for them once more.

use sea_orm_migration::prelude::*;

use crate::columns::bytes;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("products").add_column(bytes("light_hash")).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("products").drop_column("light_hash").to_owned()).await
    }
}
