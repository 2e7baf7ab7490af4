//! Adds what tokens that expire need: the client's secret, where they are got, who is renewing them, and the connections that
//! were begun. Stores get the vendor's name for them, and an address that waits for approval.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, one_of, text, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STORES: [&str; 3] = ["remote_id", "domain", "pending_url"];
const CREDENTIALS: [&str; 6] = ["client_secret", "token_url", "scopes", "renewed_at", "renewing_by", "renewing_until"];
const REMOTE: &str = "stores_remote_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column a statement: SQLite knows no more.
        for name in STORES {
            manager.alter_table(Table::alter().table("stores").add_column(text(name)).to_owned()).await?;
        }
        for column in [
            bytes("client_secret"),
            text("token_url"),
            text("scopes"),
            utc_time("renewed_at"),
            text("renewing_by"),
            utc_time("renewing_until"),
        ] {
            manager.alter_table(Table::alter().table("credentials").add_column(column).to_owned()).await?;
        }
        let remote = Index::create().name(REMOTE).table("stores").col("connector").col("remote_id").unique().to_owned();
        manager.create_index(remote).await?;
        let states = Table::create()
            .table("oauth_states")
            .col(text("digest").not_null().primary_key())
            .col(text("purpose").not_null().check(one_of("purpose", &["connect", "disconnect"])))
            .col(text("connector").not_null())
            .col(text("subject").not_null())
            .col(text("store_name"))
            .col(text("redirect_uri").not_null())
            .col(utc_time("created_at").not_null())
            .col(utc_time("expires_at").not_null())
            .col(utc_time("used_at"))
            .take();
        manager.create_table(states).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("oauth_states").to_owned()).await?;
        manager.drop_index(Index::drop().name(REMOTE).table("stores").to_owned()).await?;
        for name in CREDENTIALS {
            manager.alter_table(Table::alter().table("credentials").drop_column(name).to_owned()).await?;
        }
        for name in STORES {
            manager.alter_table(Table::alter().table("stores").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
