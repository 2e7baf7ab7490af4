//! Creates `findings` (what a sweep found and has not dealt with yet) and `held_removals` (what the removal guard holds back).

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, one_of, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let to_run = ForeignKey::create()
            .name("findings_run")
            .from("findings", "run_id")
            .to("runs", "id")
            .on_delete(ForeignKeyAction::Cascade)
            .take();
        let findings = Table::create()
            .table("findings")
            .col(bigint("run_id").not_null())
            .col(bigint("inventory_id").not_null())
            .col(text("kind").not_null())
            .primary_key(Index::create().col("run_id").col("inventory_id"))
            .foreign_key(&mut to_run.clone())
            .check(one_of("kind", &["look", "missing", "gone"]))
            .take();
        manager.create_table(findings).await?;
        let held = Table::create()
            .table("held_removals")
            .col(bigint("store_id").not_null().primary_key())
            .col(bigint("run_id").not_null())
            .col(bigint("products").not_null())
            .col(text("id_digest").not_null())
            .col(utc_time("at").not_null())
            .foreign_key(&mut to_store("held_removals"))
            .take();
        manager.create_table(held).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("held_removals").to_owned()).await?;
        manager.drop_table(Table::drop().table("findings").to_owned()).await
    }
}
