//! Adds to `runs` what a verdict rests on, and to both tables what a removal and an incremental run need.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, boolean, count, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// SQLite adds one column a statement.
fn columns() -> [(&'static str, ColumnDef); 4] {
    [
        ("runs", count("repaired")),
        ("runs", text("id_digest")),
        ("runs", boolean("approve_removals").not_null().default(false).take()),
        ("stores", bigint("overlap_secs")),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, mut column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(&mut column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns().into_iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
