//! Creates `products`: one row a product, the columns of the answer and ours around them.

use sea_orm_migration::prelude::*;

use crate::columns::{Make, bigint, boolean, bytes, date, json, local_time, numeric, text, to_store, utc_time};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns that come from the store, in the order of the catalogue's description.
pub(crate) const COLUMNS: &[(Make, &str)] = &[
    (text, "sku"),
    (text, "parent_sku"),
    (text, "name"),
    (text, "brand"),
    (text, "model"),
    (text, "model_number"),
    (text, "subtitle"),
    (text, "type"),
    (text, "sub_type"),
    (text, "group"),
    (bigint, "reference_number"),
    (text, "accounting_code"),
    (text, "primary_supplier"),
    (text, "supplier_item_code"),
    (text, "upc"),
    (text, "upc1"),
    (text, "upc2"),
    (text, "upc3"),
    (boolean, "is_active"),
    (boolean, "approved"),
    (boolean, "approved_for_pos"),
    (boolean, "approved_for_mobile_store"),
    (boolean, "visible"),
    (boolean, "virtual"),
    (boolean, "is_variant"),
    (boolean, "is_neto_utility"),
    (boolean, "is_gift_voucher"),
    (boolean, "is_inventoried"),
    (boolean, "is_bought"),
    (boolean, "is_sold"),
    (boolean, "is_asset"),
    (boolean, "is_service_item"),
    (boolean, "editable_kit_bundle"),
    (boolean, "requires_packaging"),
    (boolean, "serial_tracking"),
    (boolean, "split_for_warehouse_picking"),
    (boolean, "automatic_url"),
    (numeric, "default_price"),
    (numeric, "rrp"),
    (numeric, "cost_price"),
    (numeric, "default_purchase_price"),
    (numeric, "promotion_price"),
    (utc_time, "promotion_start"),
    (local_time, "promotion_start_local"),
    (utc_time, "promotion_expiry"),
    (local_time, "promotion_expiry_local"),
    (text, "promotion_tag"),
    (numeric, "monthly_spend_requirement"),
    (text, "restricted_to_user_group"),
    (text, "tax_category"),
    (boolean, "tax_free_item"),
    (boolean, "tax_inclusive"),
    (boolean, "au_gst_exempt"),
    (boolean, "nz_gst_exempt"),
    (text, "purchase_tax_code"),
    (text, "expense_account"),
    (text, "cost_of_sales_account"),
    (text, "income_account"),
    (text, "asset_account"),
    (bigint, "available_sell_quantity"),
    (bigint, "committed_quantity"),
    (bigint, "pre_order_quantity"),
    (date, "date_arrival"),
    (date, "date_arrival_utc"),
    (bigint, "buy_unit_quantity"),
    (bigint, "sell_unit_quantity"),
    (bigint, "quantity_per_scan"),
    (text, "unit_of_measure"),
    (text, "base_unit_of_measure"),
    (numeric, "base_unit_per_quantity"),
    (bigint, "restock_qty"),
    (bigint, "reorder_qty"),
    (bigint, "restock_warning_level"),
    (text, "pick_priority"),
    (text, "pick_zone"),
    (numeric, "item_length"),
    (numeric, "item_width"),
    (numeric, "item_height"),
    (numeric, "shipping_length"),
    (numeric, "shipping_width"),
    (numeric, "shipping_height"),
    (numeric, "shipping_weight"),
    (numeric, "cubic_weight"),
    (bigint, "handling_time"),
    (text, "shipping_category"),
    (text, "hs_tariff_number"),
    (text, "origin_country"),
    (bigint, "sort_order1"),
    (bigint, "sort_order2"),
    (bigint, "numbers_of_labels_to_print"),
    (bigint, "barcode_height"),
    (text, "when_to_repeat_on_standing_orders"),
    (text, "job"),
    (text, "display_template"),
    (text, "image_url"),
    (text, "brochure_url"),
    (text, "product_url"),
    (text, "item_url"),
    (text, "custom_content"),
    (text, "custom_non_delivery"),
    (utc_time, "date_added"),
    (local_time, "date_added_local"),
    (utc_time, "date_created"),
    (local_time, "date_created_local"),
    (utc_time, "date_updated"),
    (local_time, "date_updated_local"),
    (json, "misc"),
    (json, "extra"),
];

/// What people look for inside a store. Each index costs every first load, so there are few.
const INDEXES: &[(&str, &str)] = &[
    ("products_sku", "sku"),
    ("products_parent_sku", "parent_sku"),
    ("products_upc", "upc"),
    ("products_date_updated", "date_updated"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table("products");
        table.col(bigint("store_id").not_null());
        table.col(bigint("inventory_id").not_null());
        for (make, name) in COLUMNS {
            table.col(make(name));
        }
        table
            .col(bytes("content_hash").not_null())
            .col(utc_time("first_seen_at").not_null())
            .col(utc_time("changed_at").not_null())
            .col(utc_time("removed_at"))
            .primary_key(Index::create().col("store_id").col("inventory_id"))
            .foreign_key(&mut to_store("products"));
        manager.create_table(table).await?;
        for (name, column) in INDEXES {
            let mut index = Index::create();
            index.name(*name).table("products").col("store_id").col(*column);
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("products").to_owned()).await
    }
}
