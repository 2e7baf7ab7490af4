//! What is done to products in the transaction of a page ([`crate::storage::page`]).
//!
//! Where one SQL text serves both databases it stands once (`$1` is understood by both).

use chrono::{DateTime, Utc};

use super::feed::{LEFT_OUT, LINES};
use super::packed::Step;
use super::writes::Unhashed;
use crate::domain::catalogue::CHILDREN;
use crate::domain::finding::Finding;
use crate::domain::product::AnswerHash;
use crate::domain::run::Lease;
use crate::storage::page::{Arg, Cell, Rows, Transaction};

/// Runs of a store that are not at their end.
const UNFINISHED: &str =
    "/* replay */ SELECT id, state FROM runs WHERE store_id = $1 AND state IN ('queued', 'running') ORDER BY id";

impl Transaction {
    /// Writes the rows of a page.
    pub(super) async fn rows(&mut self, store_id: i64, added: &[i64], steps: Vec<Step>) -> sqlx::Result<()> {
        self.clear(store_id, added).await?;
        for step in steps {
            match step {
                Step::Clear(table, ids) => self.delete(table, "store_id", store_id, &ids).await?,
                Step::Insert(rows) => self.insert(rows).await?,
            }
        }
        Ok(())
    }

    /// Takes away what is left of products somebody deleted by hand: it would stand in the way of theirs that come back.
    ///
    /// Most of the time there is nothing at all between the first and the last of the products, as the store lists them by ID.
    async fn clear(&mut self, store_id: i64, added: &[i64]) -> sqlx::Result<()> {
        let (Some(first), Some(last)) = (added.iter().min(), added.iter().max()) else { return Ok(()) };
        let tables = || CHILDREN.iter().map(|table| table.name).chain(["product_texts"]);
        let look = |table: &str, of: &str| {
            format!(
                "SELECT '{table}' WHERE EXISTS \
                 (SELECT 1 FROM {table} WHERE store_id = $1 AND inventory_id BETWEEN $2 AND $3{of})"
            )
        };
        let looks: Vec<_> =
            tables().map(|table| look(table, "")).chain([look(LINES, &format!(" AND {LEFT_OUT}"))]).collect();
        let sql = format!("/* commit_page */ {}", looks.join(" UNION ALL "));
        let left = self.fetch(sql, &[Arg::Int(store_id), Arg::Int(*first), Arg::Int(*last)]).await?;
        let left = left.iter().map(|row| row.some_text(0)).collect::<sqlx::Result<Vec<_>>>()?;
        for table in tables().filter(|table| left.iter().any(|left| left == table)) {
            self.delete(table, "store_id", store_id, added).await?;
        }
        if left.iter().any(|left| left == LINES) {
            self.leave_out_no_more(store_id, added).await?;
        }
        Ok(())
    }

    /// Those of the products that are stored and not marked removed, with their SKUs.
    pub(super) async fn present(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<Vec<(i64, Option<String>)>> {
        let sql = format!(
            "/* mark_removed */ SELECT inventory_id, sku FROM products \
             WHERE store_id = $1 AND inventory_id {} AND removed_at IS NULL ORDER BY inventory_id",
            self.among()
        );
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Ints(ids)]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
    }

    /// Marks products removed, each with a line of the feed. Their rows stay as they were.
    pub(super) async fn remove(
        &mut self,
        lease: &Lease,
        products: &[(i64, Option<String>)],
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        if products.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = products.iter().map(|(id, _)| *id).collect();
        let sql = format!(
            "/* mark_removed */ UPDATE products SET removed_at = $3, changed_at = $3 \
             WHERE store_id = $1 AND inventory_id {}",
            self.among()
        );
        self.execute(sql, &[Arg::Int(lease.store_id), Arg::Ints(&ids), Arg::Time(now)]).await?;
        let mut lines = Rows::changes();
        for (id, sku) in products {
            let row = [
                Cell::Int(lease.store_id),
                Cell::Numbered(lines.len() as i64),
                Cell::Int(*id),
                sku.as_deref().map_or(Cell::Null, Cell::Text),
                Cell::Text("removed"),
                Cell::Null,
                Cell::Int(lease.run_id),
                Cell::Time(now),
            ];
            lines.push(&row, &[]);
        }
        self.feed(lease.store_id, lines).await
    }

    /// Gives products that lack them the hashes of their light part and of the record that tells them. Each product needs it once.
    pub(super) async fn hash(&mut self, store_id: i64, hashes: &[Unhashed]) -> sqlx::Result<()> {
        const SQL: &str = "/* commit_page */ UPDATE products SET light_hash = $1, answer_hash = COALESCE(answer_hash, $2) \
             WHERE store_id = $3 AND inventory_id = $4";
        for (id, light, answer) in hashes {
            let answer = answer.as_ref().map(AnswerHash::as_slice);
            let args = [Arg::Bytes(Some(light)), Arg::Bytes(answer), Arg::Int(store_id), Arg::Int(*id)];
            self.execute(SQL, &args).await?;
        }
        Ok(())
    }

    /// Keeps what a sweep has found.
    pub(super) async fn found(&mut self, run_id: i64, findings: &[Finding]) -> sqlx::Result<()> {
        let mut rows = Rows::findings();
        for finding in findings {
            let row = [Cell::Int(run_id), Cell::Int(finding.inventory_id), Cell::Text(finding.kind.as_str())];
            rows.push(&row, &[]);
        }
        self.insert(rows).await
    }

    /// Forgets findings that are dealt with.
    pub(super) async fn done(&mut self, run_id: i64, ids: &[i64]) -> sqlx::Result<()> {
        self.delete("findings", "run_id", run_id, ids).await
    }

    /// Keeps every run of the store from being claimed or queued until the end of the transaction; `false` when one is at work,
    /// or has just come. On SQLite the transaction is the only writer anyway.
    ///
    /// Locks in the order of a page: the run, then the store. A run that is inserted needs the store's row for its key.
    pub(super) async fn keep_runs_out(&mut self, store_id: i64) -> sqlx::Result<bool> {
        let found = self.unfinished(store_id).await?;
        if found.iter().any(|(_, state)| state == "running") {
            // Its pages follow one another without a gap, so the lock might have to be waited for until its end.
            return Ok(false);
        }
        if let Self::Postgres(_) = self {
            self.execute(format!("{UNFINISHED} FOR UPDATE"), &[Arg::Int(store_id)]).await?;
            self.execute("/* replay */ SELECT id FROM stores WHERE id = $1 FOR UPDATE", &[Arg::Int(store_id)]).await?;
        }
        let now = self.unfinished(store_id).await?;
        Ok(now == found && now.iter().all(|(_, state)| state == "queued"))
    }

    /// The runs of the store that are not at their end, with their states.
    async fn unfinished(&mut self, store_id: i64) -> sqlx::Result<Vec<(i64, String)>> {
        let rows = self.fetch(UNFINISHED, &[Arg::Int(store_id)]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.some_text(1)?))).collect()
    }

    /// Marks records of the quarantine as replayed, and gives those that nobody had marked before.
    pub(super) async fn mark_replayed(
        &mut self,
        store_id: i64,
        ids: &[i64],
        now: DateTime<Utc>,
    ) -> sqlx::Result<Vec<i64>> {
        let sql = format!(
            "/* replay */ UPDATE quarantine SET replayed_at = $3 \
             WHERE store_id = $1 AND id {} AND replayed_at IS NULL RETURNING id",
            self.among()
        );
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Ints(ids), Arg::Time(now)]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// Since when those of the products that are marked removed are.
    pub(super) async fn removed_since(
        &mut self,
        store_id: i64,
        ids: &[i64],
    ) -> sqlx::Result<std::collections::HashMap<i64, DateTime<Utc>>> {
        let sql = format!(
            "/* replay */ SELECT inventory_id, removed_at FROM products \
             WHERE store_id = $1 AND inventory_id {} AND removed_at IS NOT NULL",
            self.among()
        );
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Ints(ids)]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.time(1)?))).collect()
    }

    async fn delete(&mut self, table: &str, of: &str, owner: i64, ids: &[i64]) -> sqlx::Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let (among, between) = (self.among(), self.between(ids));
        let sql =
            format!("/* commit_page */ DELETE FROM \"{table}\" WHERE {of} = $1 AND inventory_id {among}{between}");
        self.execute(sql, &[Arg::Int(owner), Arg::Ints(ids)]).await?;
        Ok(())
    }
}
