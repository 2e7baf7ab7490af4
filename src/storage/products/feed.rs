//! The lines of the change feed that are about products.
//!
//! The line of an added product leaves out what the product has: its rows say the same, and a first load would write all of it twice.
//! Before the rows change for the first time, the line is written out ([`super::writes`]). Who reads the feed notices nothing of it: the
//! view `product_changes` puts such a line together from the rows, and so does [`Transaction::told`].

use std::collections::HashMap;

use crate::domain::change::Change;
use crate::storage::page::{Arg, Transaction};

/// The table of the lines.
pub(super) const LINES: &str = "product_change_lines";
/// Lines that leave out what their product had. SQLite uses the index of that only for these very words.
pub(super) const LEFT_OUT: &str = "kind = 'added' AND fields IS NULL";

impl Transaction {
    /// The numbers of the lines that leave out what these products had when they were added.
    pub(super) async fn left_out(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<HashMap<i64, i64>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!("/* commit_page */ {}", self.rows_of(LINES, "inventory_id, seq", LEFT_OUT, ids));
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Ints(ids)]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// Writes lines out: their numbers, and what they have left out. One that was forgotten meanwhile stays forgotten.
    pub(super) async fn write_out(&mut self, store_id: i64, lines: &[(i64, String)]) -> sqlx::Result<()> {
        const ALL: &str = "/* commit_page */ UPDATE product_change_lines AS line SET fields = told.fields::json \
             FROM UNNEST($2::bigint[], $3::text[]) AS told (seq, fields) WHERE line.store_id = $1 AND line.seq = told.seq";
        const ONE: &str =
            "/* commit_page */ UPDATE product_change_lines SET fields = $3 WHERE store_id = $1 AND seq = $2";
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            Self::Postgres(_) => {
                let (numbers, texts): (Vec<_>, Vec<_>) = lines.iter().map(|(seq, text)| (*seq, text.as_str())).unzip();
                self.execute(ALL, &[Arg::Int(store_id), Arg::Ints(&numbers), Arg::Texts(&texts)]).await?;
            }
            Self::Sqlite(_) => {
                for (seq, text) in lines {
                    self.execute(ONE, &[Arg::Int(store_id), Arg::Int(*seq), Arg::Text(text)]).await?;
                }
            }
        }
        Ok(())
    }

    /// Lines of products whose rows were deleted by hand say nothing from now on: what they have left out is lost, and rows of these
    /// products that come back are told by other lines.
    pub(super) async fn leave_out_no_more(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<()> {
        let sql = format!(
            "/* commit_page */ UPDATE {LINES} SET fields = '{{}}' WHERE store_id = $1 AND inventory_id {}{} AND {LEFT_OUT}",
            self.among(),
            self.between(ids)
        );
        self.execute(sql, &[Arg::Int(store_id), Arg::Ints(ids)]).await.map(drop)
    }

    /// What the lines of these products have left out. Nothing of a product whose rows were deleted by hand.
    pub(in crate::storage) async fn told(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<HashMap<i64, String>> {
        let told = self.load(store_id, ids).await?.into_iter().map(|(id, product)| {
            let mut text = String::new();
            Change::added(&product, &mut text);
            (id, text)
        });
        Ok(told.collect())
    }
}
