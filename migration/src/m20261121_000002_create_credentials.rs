//! Creates `credentials`: the sealed key of each store. The only table an analyst must not read.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bytes, one_of, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("credentials")
            .col(bigint("store_id").not_null().primary_key())
            .col(text("scheme").not_null())
            .col(text("username"))
            .col(text("client_id"))
            .col(bytes("secret").not_null())
            .col(bytes("refresh_secret"))
            .col(text("key_id").not_null())
            .col(text("fingerprint").not_null())
            .col(utc_time("expires_at"))
            .col(text("state").not_null().default("ok").check(one_of("state", &["ok", "suspect", "revoked"])))
            .col(utc_time("state_since").not_null())
            .col(utc_time("last_checked_at"))
            .col(utc_time("last_ok_at"))
            .col(text("last_error"))
            .foreign_key(&mut to_store("credentials"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("credentials").to_owned()).await
    }
}
