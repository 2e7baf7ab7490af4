//! What is done to products in the transaction of a page ([`crate::storage::page`]).
//!
//! Where one SQL text serves both databases it stands once (`$1` is understood by both).

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::writes::{Line, Source, Step};
use crate::domain::catalogue::CHILDREN;
use crate::domain::finding::Finding;
use crate::domain::product::{AnswerHash, ContentHash};
use crate::domain::run::Lease;
use crate::storage::page::{Cell, Rows, Transaction, on};

impl Transaction {
    /// Writes the rows of a page.
    pub(super) async fn rows(&mut self, store_id: i64, added: &[i64], steps: Vec<Step<'_>>) -> sqlx::Result<()> {
        self.clear(store_id, added).await?;
        for step in steps {
            match step {
                Step::Clear(table, ids) => self.delete(table, "store_id", store_id, &ids).await?,
                Step::Insert(rows) => self.insert(&rows).await?,
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
        let looks: Vec<_> = tables()
            .map(|table| {
                format!(
                    "SELECT '{table}' WHERE EXISTS \
                     (SELECT 1 FROM {table} WHERE store_id = $1 AND inventory_id BETWEEN $2 AND $3)"
                )
            })
            .collect();
        let sql = format!("/* commit_page */ {}", looks.join(" UNION ALL "));
        // Planned anew each time: a plan that was made when the tables were empty would read them from end to end.
        let left: Vec<String> = on!(self, connection => sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(store_id).bind(first).bind(last).persistent(false).fetch_all(connection).await?);
        for table in tables().filter(|table| left.iter().any(|left| left == table)) {
            self.delete(table, "store_id", store_id, added).await?;
        }
        Ok(())
    }

    /// Adds the lines of a page to the feed.
    pub(super) async fn feed(&mut self, source: Source, lines: &[Line<'_>]) -> sqlx::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let Source { store_id, run_id, now } = source;
        let first = self.numbers(store_id, lines.len()).await?;
        let mut rows = Rows::changes();
        for (seq, line) in (first..).zip(lines) {
            let row = [
                Cell::Int(store_id),
                Cell::Int(seq),
                Cell::Int(line.product.inventory_id),
                line.product.sku().map_or(Cell::Null, Cell::Text),
                Cell::Text(line.kind),
                Cell::Text(&line.fields),
                run_id.map_or(Cell::Null, Cell::Int),
                Cell::Time(now),
            ];
            rows.push(&row, &[]);
        }
        self.insert(&rows).await
    }

    /// Those of the products that are stored and not marked removed, with their SKUs.
    pub(super) async fn present(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<Vec<(i64, Option<String>)>> {
        let sql = format!(
            "/* mark_removed */ SELECT inventory_id, sku FROM products \
             WHERE store_id = $1 AND inventory_id {} AND removed_at IS NULL ORDER BY inventory_id",
            self.among()
        );
        match self {
            Self::Postgres(tx) => {
                sqlx::query_as(AssertSqlSafe(sql)).bind(store_id).bind(ids).fetch_all(&mut **tx).await
            }
            Self::Sqlite(tx) => {
                sqlx::query_as(AssertSqlSafe(sql)).bind(store_id).bind(Json(ids)).fetch_all(&mut **tx).await
            }
        }
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
        match self {
            Self::Postgres(tx) => {
                sqlx::query(AssertSqlSafe(sql)).bind(lease.store_id).bind(&ids).bind(now).execute(&mut **tx).await?;
            }
            Self::Sqlite(tx) => {
                let query = sqlx::query(AssertSqlSafe(sql)).bind(lease.store_id).bind(Json(&ids)).bind(now);
                query.execute(&mut **tx).await?;
            }
        }
        let first = self.numbers(lease.store_id, products.len()).await?;
        let mut rows = Rows::changes();
        for (seq, (id, sku)) in (first..).zip(products) {
            let row = [
                Cell::Int(lease.store_id),
                Cell::Int(seq),
                Cell::Int(*id),
                sku.as_deref().map_or(Cell::Null, Cell::Text),
                Cell::Text("removed"),
                Cell::Null,
                Cell::Int(lease.run_id),
                Cell::Time(now),
            ];
            rows.push(&row, &[]);
        }
        self.insert(&rows).await
    }

    /// Gives products that lack them the hashes of their light part and of the record that tells them. Each product needs it once.
    pub(super) async fn hash(
        &mut self,
        store_id: i64,
        hashes: &[(i64, ContentHash, Option<AnswerHash>)],
    ) -> sqlx::Result<()> {
        const SQL: &str = "/* commit_page */ UPDATE products SET light_hash = $1, answer_hash = COALESCE(answer_hash, $2) \
             WHERE store_id = $3 AND inventory_id = $4";
        for (id, light, answer) in hashes {
            let answer = answer.as_ref().map(AnswerHash::as_slice);
            on!(self, connection => sqlx::query(SQL).bind(light.as_slice()).bind(answer).bind(store_id).bind(id)
                .execute(connection).await.map(drop)?);
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
        self.insert(&rows).await
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
        const UNFINISHED: &str = "/* replay */ SELECT id, state FROM runs WHERE store_id = $1 AND state IN ('queued', 'running') ORDER BY id";
        let lock = matches!(self, Self::Postgres(_));
        let found: Vec<(i64, String)> = on!(self, connection =>
            sqlx::query_as(UNFINISHED).bind(store_id).fetch_all(connection).await?);
        if found.iter().any(|(_, state)| state == "running") {
            // Its pages follow one another without a gap, so the lock might have to be waited for until its end.
            return Ok(false);
        }
        if lock {
            let runs = format!("{UNFINISHED} FOR UPDATE");
            on!(self, connection => sqlx::query(AssertSqlSafe(runs)).bind(store_id).execute(connection).await.map(drop)?);
            let store = "/* replay */ SELECT id FROM stores WHERE id = $1 FOR UPDATE";
            on!(self, connection => sqlx::query(store).bind(store_id).execute(connection).await.map(drop)?);
        }
        let now: Vec<(i64, String)> = on!(self, connection =>
            sqlx::query_as(UNFINISHED).bind(store_id).fetch_all(connection).await?);
        Ok(now == found && now.iter().all(|(_, state)| state == "queued"))
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
        match self {
            Self::Postgres(tx) => {
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(store_id).bind(ids).bind(now).fetch_all(&mut **tx).await
            }
            Self::Sqlite(tx) => {
                let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(store_id).bind(Json(ids)).bind(now);
                query.fetch_all(&mut **tx).await
            }
        }
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
        let found: Vec<(i64, DateTime<Utc>)> = match self {
            Self::Postgres(tx) => {
                sqlx::query_as(AssertSqlSafe(sql)).bind(store_id).bind(ids).fetch_all(&mut **tx).await?
            }
            Self::Sqlite(tx) => {
                sqlx::query_as(AssertSqlSafe(sql)).bind(store_id).bind(Json(ids)).fetch_all(&mut **tx).await?
            }
        };
        Ok(found.into_iter().collect())
    }

    async fn delete(&mut self, table: &str, of: &str, owner: i64, ids: &[i64]) -> sqlx::Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let (among, between) = (self.among(), self.between(ids));
        let sql =
            format!("/* commit_page */ DELETE FROM \"{table}\" WHERE {of} = $1 AND inventory_id {among}{between}");
        match self {
            Self::Postgres(tx) => {
                // As for what is known: not by a plan made for empty tables.
                sqlx::query(AssertSqlSafe(sql)).bind(owner).bind(ids).persistent(false).execute(&mut **tx).await?;
            }
            Self::Sqlite(tx) => {
                sqlx::query(AssertSqlSafe(sql)).bind(owner).bind(Json(ids)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}
