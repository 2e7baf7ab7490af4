//! Adds the mark of a cancelled run whose worker has not stopped yet, and the indexes that keep the queue quick beside a
//! long history.

use sea_orm_migration::prelude::*;

use crate::columns::{one_of, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mark = Table::alter().table("runs").add_column(utc_time("cancel_requested_at")).take();
        manager.alter_table(mark).await?;
        manager.drop_index(Index::drop().name("runs_due").table("runs").to_owned()).await?;
        for index in [
            // What can be claimed, and when the next can be: the queue only, however long the history is.
            Index::create()
                .name("runs_unfinished")
                .table("runs")
                .col("state")
                .col("scheduled_at")
                .and_where(one_of("state", &["queued", "running"]))
                .take(),
            // When the last run of a kind began.
            Index::create().name("runs_kind_history").table("runs").col("store_id").col("kind").col("id").take(),
            // What the pruner looks for.
            Index::create()
                .name("runs_finished")
                .table("runs")
                .col("finished_at")
                .and_where(Expr::col("finished_at").is_not_null())
                .take(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["runs_finished", "runs_kind_history", "runs_unfinished"] {
            manager.drop_index(Index::drop().name(name).table("runs").to_owned()).await?;
        }
        let due = Index::create().name("runs_due").table("runs").col("state").col("scheduled_at").take();
        manager.create_index(due).await?;
        manager.alter_table(Table::alter().table("runs").drop_column("cancel_requested_at").take()).await
    }
}
