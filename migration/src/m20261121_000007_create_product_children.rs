//! Creates the tables with many rows a product: images, categories, prices, stock and so on.
//!
//! They have no foreign key to `products`: a product and its rows are written by one function in one transaction, and
//! the check made a first load on PostgreSQL 25 times slower (its plan, made while the tables are empty, scans).

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::columns::{Make, bigint, boolean, json, numeric, text, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// A table: its name, how many leading columns complete the key, its columns.
type ChildTable = (&'static str, usize, &'static [(Make, &'static str)]);

pub(crate) const TABLES: &[ChildTable] = &[
    (
        "product_images",
        1,
        &[
            (bigint, "position"),
            (text, "name"),
            (text, "url"),
            (text, "thumb_url"),
            (text, "medium_thumb_url"),
            (utc_time, "updated_at"),
            (json, "extra"),
        ],
    ),
    (
        "product_categories",
        1,
        &[(bigint, "category_id"), (text, "category_name"), (bigint, "priority"), (json, "extra")],
    ),
    (
        "product_price_groups",
        1,
        &[
            (bigint, "group_id"),
            (text, "group_name"),
            (numeric, "price"),
            (numeric, "promotion_price"),
            (numeric, "minimum_quantity"),
            (numeric, "maximum_quantity"),
            (numeric, "multiple"),
            (numeric, "multiple_start_quantity"),
            (json, "extra"),
        ],
    ),
    (
        "product_price_bands",
        2,
        &[
            (bigint, "group_id"),
            (bigint, "position"),
            (numeric, "price"),
            (numeric, "minimum_quantity"),
            (numeric, "maximum_quantity"),
            (json, "extra"),
        ],
    ),
    ("product_stock", 1, &[(bigint, "warehouse_id"), (numeric, "quantity"), (json, "extra")]),
    (
        "product_specifics",
        1,
        &[(bigint, "position"), (text, "name"), (text, "value"), (bigint, "sort_order"), (json, "extra")],
    ),
    (
        "product_kit_components",
        1,
        &[
            (bigint, "position"),
            (text, "component_sku"),
            (text, "component_value"),
            (numeric, "assemble_quantity"),
            (numeric, "minimum_quantity"),
            (numeric, "maximum_quantity"),
            (bigint, "sort_order"),
            (json, "extra"),
        ],
    ),
    (
        "product_relations",
        2,
        &[
            (text, "kind"),
            (bigint, "position"),
            (text, "sku"),
            (bigint, "related_id"),
            (text, "content_name"),
            (bigint, "content_type_id"),
            (text, "content_type_name"),
            (bigint, "priority"),
            (json, "extra"),
        ],
    ),
    (
        "product_sales_channels",
        1,
        &[(bigint, "sales_channel_id"), (text, "name"), (boolean, "is_approved"), (json, "extra")],
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, key, columns) in TABLES {
            let mut table = Table::create();
            table.table(*name);
            table.col(bigint("store_id").not_null());
            table.col(bigint("inventory_id").not_null());
            let mut primary_key = Index::create().col("store_id").col("inventory_id").to_owned();
            for (place, (make, column)) in columns.iter().enumerate() {
                let mut definition = make(column);
                if place < *key {
                    definition.not_null();
                    primary_key.col(*column);
                }
                table.col(definition);
            }
            table.primary_key(&mut primary_key);
            if manager.get_database_backend() == DbBackend::Sqlite {
                // The rows are small and always found by their key: one tree instead of a table and its index.
                table.extra("WITHOUT ROWID");
            }
            manager.create_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, ..) in TABLES.iter().rev() {
            manager.drop_table(Table::drop().table(*name).to_owned()).await?;
        }
        Ok(())
    }
}
