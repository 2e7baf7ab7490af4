//! What the database holds of a page's products: their hashes, and whole products where something changed.

use std::collections::HashMap;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use super::writes::Known;
use crate::domain::catalogue::{CHILDREN, Column, PRODUCT, TEXTS};
use crate::domain::product::{ContentHash, Product, Row};
use crate::storage::page::{Transaction, postgres, sqlite};

/// Runs a query with a store and a list of ids on either database and maps each row. PostgreSQL plans it anew each time: a plan that
/// was made while the tables were empty would read them from end to end, ever longer in a first load.
macro_rules! rows {
    ($tx:expr, $sql:expr, $store_id:expr, $ids:expr, $row:ident, $value:ident => $map:expr) => {
        match $tx {
            Transaction::Postgres(tx) => {
                let $value = postgres::value;
                let query = sqlx::query(AssertSqlSafe($sql)).bind($store_id).bind($ids).persistent(false);
                query.fetch_all(&mut **tx).await?.iter().map(|$row| $map).collect::<sqlx::Result<Vec<_>>>()?
            }
            Transaction::Sqlite(tx) => {
                let $value = sqlite::value;
                let query = sqlx::query(AssertSqlSafe($sql)).bind($store_id).bind(Json($ids));
                query.fetch_all(&mut **tx).await?.iter().map(|$row| $map).collect::<sqlx::Result<Vec<_>>>()?
            }
        }
    };
}

impl Transaction {
    /// Hash and state of those of the products that are stored.
    pub(super) async fn known(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<HashMap<i64, Known>> {
        let sql = format!(
            "/* commit_page */ SELECT inventory_id, content_hash, removed_at IS NOT NULL, light_hash IS NOT NULL, \
             answer_hash IS NOT NULL FROM products \
             WHERE store_id = $1 AND inventory_id {}{}",
            self.among(),
            self.between(ids)
        );
        let rows = rows!(self, sql, store_id, ids, row, _value => {
            let hash: Vec<u8> = row.try_get(1)?;
            // A hash of another length is of another program version: it counts as different.
            let hash = ContentHash::try_from(hash).unwrap_or_default();
            Ok((row.try_get(0)?, Known { hash, removed: row.try_get(2)?, light: row.try_get(3)?, told: row.try_get(4)? }))
        });
        Ok(rows.into_iter().collect())
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
        let sql = format!(
            "/* commit_page */ SELECT inventory_id, {} FROM \"{table}\" WHERE store_id = $1 AND inventory_id {}{}",
            names.join(", "),
            self.among(),
            self.between(ids)
        );
        Ok(rows!(self, sql, store_id, ids, row, value => {
            let values = columns.iter().enumerate().map(|(n, column)| value(row, n + 1, column.kind));
            Ok((row.try_get(0)?, values.collect::<sqlx::Result<Row<'static>>>()?))
        }))
    }
}
