//! Takes the foreign keys off `products` and `product_changes` on PostgreSQL. To check one locks the store's row for each new row, a
//! twelfth of what a first load costs the server, and two pages written at once get in each other's way there.
//!
//! As with the other tables of a product (see the migration that creates them) one function writes the rows, in a transaction that holds
//! a run of the store, and removing a store takes them along. SQLite checks in passing and keeps its keys.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use super::columns::to_store;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 2] = ["products", "product_changes"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            for table in TABLES {
                let key = ForeignKey::drop().name(format!("{table}_store")).table(table).to_owned();
                manager.drop_foreign_key(key).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            for table in TABLES {
                manager.create_foreign_key(to_store(table)).await?;
            }
        }
        Ok(())
    }
}
