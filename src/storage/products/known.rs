//! What the database holds of a page's products: their hashes, and whole products where something changed.

use std::collections::HashMap;

use super::writes::Known;
use crate::domain::catalogue::{CHILDREN, Column, PRODUCT, TEXTS};
use crate::domain::product::{ContentHash, Product, Row};
use crate::storage::page::{Arg, Found, Transaction, postgres, sqlite};

impl Transaction {
    /// Hash and state of those of the products that are stored.
    pub(super) async fn known(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<HashMap<i64, Known>> {
        const KNOWN: &str =
            "inventory_id, content_hash, removed_at IS NOT NULL, light_hash IS NOT NULL, answer_hash IS NOT NULL";
        let sql = format!("/* commit_page */ {}", self.rows_of("products", KNOWN, "TRUE", ids));
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Ints(ids)]).await?;
        let known = |row: &Found| {
            // A hash of another length is of another program version: it counts as different.
            let hash = ContentHash::try_from(row.bytes(1)?).unwrap_or_default();
            Ok((row.int(0)?, Known { hash, removed: row.truth(2)?, light: row.truth(3)?, told: row.truth(4)? }))
        };
        rows.iter().map(known).collect()
    }

    /// The stored products with all their rows.
    pub(super) async fn load(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<HashMap<i64, Product<'static>>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut products: HashMap<i64, Product<'static>> = HashMap::with_capacity(ids.len());
        for (id, fields) in self.select("products", PRODUCT, store_id, ids).await? {
            products.insert(id, Product { fields, ..Product::empty(id) });
        }
        for (id, texts) in self.select("product_texts", TEXTS, store_id, ids).await? {
            products.entry(id).and_modify(|product| product.texts = texts);
        }
        for (child, table) in CHILDREN.iter().enumerate() {
            for (id, row) in self.select(table.name, table.columns, store_id, ids).await? {
                products.entry(id).and_modify(|product| product.children[child].push(row));
            }
        }
        products.values_mut().for_each(Product::order_children);
        Ok(products)
    }

    pub(super) async fn select(
        &mut self,
        table: &str,
        columns: &'static [Column],
        store_id: i64,
        ids: &[i64],
    ) -> sqlx::Result<Vec<(i64, Row<'static>)>> {
        let select = match self {
            Self::Postgres(_) => postgres::select,
            Self::Sqlite(_) => sqlite::select,
        };
        let names: Vec<_> = columns.iter().map(select).collect();
        let selected = format!("inventory_id, {}", names.join(", "));
        let sql = format!("/* commit_page */ {}", self.rows_of(table, &selected, "TRUE", ids));
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Ints(ids)]).await?;
        let read = |row: Found| {
            let values = columns.iter().enumerate().map(|(n, column)| row.value(n + 1, column.kind));
            Ok((row.int(0)?, values.collect::<sqlx::Result<Row<'static>>>()?))
        };
        rows.into_iter().map(read).collect()
    }
}
