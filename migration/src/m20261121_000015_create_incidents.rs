//! Creates `incidents`: what a person is told about, once when it begins and once when it is over.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, count, id, one_of, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kinds = &["key_revoked", "vendor_outage", "store_failing", "removals_held"];
        let table = Table::create()
            .table("incidents")
            .col(id())
            .col(text("kind").not_null().check(one_of("kind", kinds)))
            .col(bigint("store_id"))
            .col(text("connector").not_null())
            .col(utc_time("opened_at").not_null())
            .col(utc_time("last_seen_at").not_null())
            .col(utc_time("closed_at"))
            .col(text("sentence").not_null())
            .col(utc_time("told_opened_at"))
            .col(utc_time("told_reminded_at"))
            .col(utc_time("told_closed_at"))
            .col(utc_time("notice_at").not_null())
            .col(count("notice_tries"))
            .foreign_key(&mut to_store("incidents"))
            .take();
        manager.create_table(table).await?;
        let open = || Expr::col("closed_at").is_null();
        for index in [
            // One open incident of a kind a store, or a connector where it is about no store: the database decides.
            Index::create()
                .name("incidents_one_open_of_store")
                .table("incidents")
                .col("kind")
                .col("store_id")
                .unique()
                .and_where(open())
                .and_where(Expr::col("store_id").is_not_null())
                .take(),
            Index::create()
                .name("incidents_one_open_of_connector")
                .table("incidents")
                .col("kind")
                .col("connector")
                .unique()
                .and_where(open())
                .and_where(Expr::col("store_id").is_null())
                .take(),
            // What is left to be told about, looked up at every tick.
            Index::create()
                .name("incidents_to_tell")
                .table("incidents")
                .col("notice_at")
                .and_where(Expr::col("told_closed_at").is_null())
                .take(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("incidents").to_owned()).await
    }
}
