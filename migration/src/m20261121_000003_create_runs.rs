//! Creates `runs`: the queue, the lease and the history of syncs in one table.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, count, id, json, one_of, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("runs")
            .col(id())
            .col(bigint("store_id").not_null())
            .col(text("kind").not_null().check(one_of("kind", &["full", "incremental", "sweep"])))
            .col(text("trigger").not_null().check(one_of("trigger", &["schedule", "manual"])))
            .col(
                text("state")
                    .not_null()
                    .check(one_of("state", &["queued", "running", "succeeded", "failed", "cancelled"])),
            )
            .col(utc_time("scheduled_at").not_null())
            .col(ColumnDef::new("attempt").integer().not_null().default(0))
            .col(text("lease_owner"))
            .col(count("lease_epoch"))
            .col(utc_time("lease_expires_at"))
            .col(json("checkpoint"))
            .col(count("pages"))
            .col(count("calls"))
            .col(count("seen"))
            .col(count("inserted"))
            .col(count("updated"))
            .col(count("unchanged"))
            .col(count("removed"))
            .col(count("quarantined"))
            .col(text("verdict").check(one_of("verdict", &["complete", "repaired", "partial"])))
            .col(text("error_class"))
            .col(text("error"))
            .col(utc_time("started_at"))
            .col(utc_time("finished_at"))
            .col(utc_time("created_at").not_null())
            .foreign_key(&mut to_store("runs"))
            .take();
        manager.create_table(table).await?;
        for index in [
            // One unfinished run a store: the database decides, not code.
            Index::create()
                .name("runs_one_unfinished")
                .table("runs")
                .col("store_id")
                .unique()
                .and_where(one_of("state", &["queued", "running"]))
                .take(),
            // What the claim looks for.
            Index::create().name("runs_due").table("runs").col("state").col("scheduled_at").take(),
            // The history of a store.
            Index::create().name("runs_history").table("runs").col("store_id").col("id").take(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("runs").to_owned()).await
    }
}
