//! Lets `stores` say which of them come from the operator's own database, and `incidents` that this import fails.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

use crate::columns::{one_of, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

const COLUMNS: [&str; 2] = ["origin", "paused_by"];
const KIND: &str = "import_failed";
/// A kind that was there before: the new one stands behind it, whatever others have been added since.
const BESIDE: &str = "removals_held";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement.
        for name in COLUMNS {
            let column = text(name).check(one_of(name, &["import"])).take();
            manager.alter_table(Table::alter().table("stores").add_column(column).to_owned()).await?;
        }
        let (alone, both) =
            (quoted(manager, BESIDE), format!("{}, {}", quoted(manager, BESIDE), quoted(manager, KIND)));
        change_kinds(manager, &alone, &both).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let ours = Query::delete().from_table("incidents").and_where(Expr::col("kind").eq(KIND)).to_owned();
        manager.execute(ours).await?;
        change_kinds(manager, &format!(", {}", quoted(manager, KIND)), "").await?;
        for name in COLUMNS.into_iter().rev() {
            manager.alter_table(Table::alter().table("stores").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}

/// A kind as the engine writes it in the text of a constraint.
fn quoted(manager: &SchemaManager<'_>, kind: &str) -> String {
    if manager.get_database_backend() == DbBackend::Sqlite { format!("'{kind}'") } else { format!("'{kind}'::text") }
}

/// Replaces `from` by `to` in the constraint on `incidents.kind`. On SQLite as in `m20261121_000024_add_audits_to_runs`.
async fn change_kinds(manager: &SchemaManager<'_>, from: &str, to: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Sqlite {
        let sql = "SELECT pg_get_constraintdef(oid) FROM pg_constraint \
                   WHERE conname = 'incidents_kind_check' AND conrelid = 'incidents'::regclass";
        let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let check: String =
            row.ok_or_else(|| DbErr::Custom("incidents has no check of its kinds".to_owned()))?.try_get_by_index(0)?;
        let check = check.replacen(from, to, 1);
        let sql = format!(
            "ALTER TABLE incidents DROP CONSTRAINT incidents_kind_check, ADD CONSTRAINT incidents_kind_check {check}"
        );
        return connection.execute_unprepared(&sql).await.map(drop);
    }
    connection.execute_unprepared("PRAGMA writable_schema = ON").await?;
    let escaped = |text: &str| text.replace('\'', "''");
    let sql = format!(
        "UPDATE sqlite_schema SET sql = replace(sql, '{}', '{}') WHERE type = 'table' AND name = 'incidents'",
        escaped(from),
        escaped(to)
    );
    connection.execute_unprepared(&sql).await?;
    connection.execute_unprepared("PRAGMA writable_schema = RESET").await.map(drop)
}
