//! Lets `runs` hold audits: what one is asked to do and what it has found.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::columns::json;

#[derive(DeriveMigrationName)]
pub struct Migration;

const COLUMNS: [&str; 2] = ["audit_request", "audit_findings"];
const BEFORE: &str = "'full', 'incremental', 'sweep'";
const SINCE: &str = "'full', 'incremental', 'sweep', 'audit'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        allow_kinds(manager, BEFORE, SINCE).await?;
        // SQLite adds one column a statement.
        for name in COLUMNS {
            manager.alter_table(Table::alter().table("runs").add_column(json(name)).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let audits = Query::delete().from_table("runs").and_where(Expr::col("kind").eq("audit")).to_owned();
        manager.execute(audits).await?;
        allow_kinds(manager, SINCE, BEFORE).await?;
        for name in COLUMNS.into_iter().rev() {
            manager.alter_table(Table::alter().table("runs").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}

/// Changes the kinds that `runs.kind` may be.
///
/// SQLite cannot alter a constraint, and to make the table anew would take everything along that refers to it. Its manual has a
/// procedure for changes that leave the rows as they are (<https://sqlite.org/lang_altertable.html#otheralter>): to edit the text of
/// the table. The statements after this one make every connection read it again.
async fn allow_kinds(manager: &SchemaManager<'_>, from: &str, to: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Sqlite {
        let sql = format!(
            "ALTER TABLE runs DROP CONSTRAINT runs_kind_check, ADD CONSTRAINT runs_kind_check CHECK (kind IN ({to}))"
        );
        return connection.execute_unprepared(&sql).await.map(drop);
    }
    connection.execute_unprepared("PRAGMA writable_schema = ON").await?;
    let quoted = |text: &str| text.replace('\'', "''");
    let sql = format!(
        "UPDATE sqlite_schema SET sql = replace(sql, '({})', '({})') WHERE type = 'table' AND name = 'runs'",
        quoted(from),
        quoted(to)
    );
    connection.execute_unprepared(&sql).await?;
    connection.execute_unprepared("PRAGMA writable_schema = RESET").await.map(drop)
}
