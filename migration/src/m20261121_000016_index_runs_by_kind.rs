//! Indexes `runs` by store and kind: the scheduler asks for the newest run of each at every tick, and must not walk
//! through a history of light runs to find a heavy one.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create().name("runs_by_kind").table("runs").col("store_id").col("kind").col("id").take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("runs_by_kind").table("runs").to_owned()).await
    }
}
