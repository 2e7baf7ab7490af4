//! Extends `credentials` with what the life cycle of a key needs: refusals in a row, the next call by itself, the last failure.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, count, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// SQLite alters one column at a time.
const COLUMNS: [fn() -> ColumnDef; 4] =
    [|| count("refusals"), || utc_time("next_check_at"), || utc_time("last_failed_at"), || bigint("last_status")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            manager.alter_table(Table::alter().table("credentials").add_column(column()).to_owned()).await?;
        }
        // Keys that were flagged before keys were asked again by themselves.
        let flagged = Query::update()
            .table("credentials")
            .value("next_check_at", Expr::col("state_since"))
            .and_where(Expr::col("state").eq("revoked"))
            .take();
        manager.exec_stmt(flagged).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS.iter().rev() {
            let name = column().get_column_name();
            manager.alter_table(Table::alter().table("credentials").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
