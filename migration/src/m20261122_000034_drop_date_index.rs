//! Takes the index on `products.date_updated` away. The dates of a catalogue are in no order of their products, so each new product and
//! each edit wrote a page of its own somewhere in it, a fifth of a first load on SQLite, and one question in the life of a store
//! was answered by it. Whoever asks for dates often is better served by an index on what he asks.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const NAME: &str = "products_date_updated";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(NAME).table("products").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create().name(NAME).table("products").col("store_id").col("date_updated").take();
        manager.create_index(index).await
    }
}
