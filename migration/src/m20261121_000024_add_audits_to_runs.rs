//! Adds to `runs` what an audit is asked to do and what it has found.

use sea_orm_migration::prelude::*;

use crate::columns::json;

#[derive(DeriveMigrationName)]
pub struct Migration;

const COLUMNS: [&str; 2] = ["audit_request", "audit_findings"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement.
        for name in COLUMNS {
            manager.alter_table(Table::alter().table("runs").add_column(json(name)).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in COLUMNS.into_iter().rev() {
            manager.alter_table(Table::alter().table("runs").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
