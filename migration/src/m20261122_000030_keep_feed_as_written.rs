//! Makes `product_changes.fields` plain `json` on PostgreSQL: a line of the feed is written once and handed out as it is, and taking it
//! apart for `jsonb` cost the server more than all rows of the product.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        turn_into(manager, "json").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        turn_into(manager, "jsonb").await
    }
}

async fn turn_into(manager: &SchemaManager<'_>, kind: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = format!("ALTER TABLE product_changes ALTER COLUMN fields TYPE {kind} USING fields::{kind}");
    manager.get_connection().execute_unprepared(&sql).await.map(drop)
}
