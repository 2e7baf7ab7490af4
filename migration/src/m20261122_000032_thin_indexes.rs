//! Leaves products without a parent or a barcode, which in most stores are most, out of the indexes by which these are looked up.
//! Whoever looks for a value finds it as before: a condition `= 'x'` implies the index's own.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const INDEXES: [(&str, &str); 2] = [("products_parent_sku", "parent_sku"), ("products_upc", "upc")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in INDEXES {
            drop(manager, name).await?;
            let mut index = index(name, column);
            manager.create_index(index.and_where(Expr::col(column).is_not_null()).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in INDEXES {
            drop(manager, name).await?;
            manager.create_index(index(name, column)).await?;
        }
        Ok(())
    }
}

fn index(name: &'static str, column: &'static str) -> IndexCreateStatement {
    Index::create().name(name).table("products").col("store_id").col(column).take()
}

async fn drop(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager.drop_index(Index::drop().name(name).table("products").to_owned()).await
}
