//! Adds `products.answer_hash`, by which a record that comes again byte for byte is known without being parsed, and lets one index
//! say what is held of a range of products, so that a run in which nothing changed reads no row of `products`.
//!
//! Of products stored before it is NULL; the next run that sees them writes it, once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::bytes;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL's key carries what is looked up with it; a second index would cost every first load.
const POSTGRES: [&str; 2] = [
    "ALTER TABLE products DROP CONSTRAINT products_pkey",
    "ALTER TABLE products ADD PRIMARY KEY (store_id, inventory_id) INCLUDE (removed_at, answer_hash, light_hash)",
];
const POSTGRES_BACK: [&str; 2] = [
    "ALTER TABLE products DROP CONSTRAINT products_pkey",
    "ALTER TABLE products ADD PRIMARY KEY (store_id, inventory_id)",
];
/// SQLite's keys carry nothing.
const SQLITE: [&str; 1] =
    ["CREATE INDEX products_held ON products (store_id, inventory_id, removed_at, answer_hash, light_hash)"];
const SQLITE_BACK: [&str; 1] = ["DROP INDEX products_held"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("products").add_column(bytes("answer_hash")).to_owned()).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => all(manager, &POSTGRES).await,
            _ => all(manager, &SQLITE).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => all(manager, &POSTGRES_BACK).await?,
            _ => all(manager, &SQLITE_BACK).await?,
        }
        manager.alter_table(Table::alter().table("products").drop_column("answer_hash").to_owned()).await
    }
}

async fn all(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
