//! The transaction of a page on either database.
//!
//! Where one SQL text serves both it stands once (`$1` is understood by both); where they differ,
//! [`super::postgres`] and [`super::sqlite`] have it.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use super::rows::{Cell, Rows};
use super::{Quarantined, Source, Writes, postgres, sqlite};
use crate::domain::catalogue::CHILDREN;
use crate::domain::finding::Finding;
use crate::domain::product::ContentHash;
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::wake::NOTIFY_FEED;
use crate::storage::{Database, Pools};

/// A write transaction; dropped without [`Transaction::commit`] it leaves no trace.
pub enum Transaction {
    Postgres(sqlx::Transaction<'static, Postgres>),
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

/// Runs the same lines on the connection of whichever database it is.
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            Transaction::Postgres(tx) => {
                let $connection = &mut **tx;
                $body
            }
            Transaction::Sqlite(tx) => {
                let $connection = &mut **tx;
                $body
            }
        }
    };
}

impl Transaction {
    /// Begins; on SQLite with the write lock from the start, so that it cannot fail half-way for want of it.
    pub async fn begin(db: &Database) -> sqlx::Result<Self> {
        Ok(match db.pools() {
            Pools::Postgres(pool) => Self::Postgres(pool.begin().await?),
            Pools::Sqlite(pool) => Self::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        })
    }

    /// Begins to read: several statements of one state.
    pub async fn snapshot(db: &Database) -> sqlx::Result<Self> {
        Ok(match db.pools() {
            Pools::Postgres(pool) => {
                Self::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
            Pools::Sqlite(pool) => Self::Sqlite(pool.begin().await?),
        })
    }

    /// Makes it durable.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(tx) => tx.commit().await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Moves the checkpoint, writes the counts and renews the lease, which a renewal that was faster is not shortened by;
    /// `false` if the run is no longer ours. On PostgreSQL the row stays locked until the commit, so nobody can claim the
    /// run in between.
    pub async fn checkpoint(
        &mut self,
        lease: &Lease,
        checkpoint: &Checkpoint,
        counts: &Counts,
        expires: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        const SQL: &str = "/* commit_page */ UPDATE runs SET checkpoint = $1, pages = $2, calls = $3, seen = $4, \
             inserted = $5, updated = $6, unchanged = $7, removed = $8, quarantined = $9, \
             lease_expires_at = CASE WHEN lease_expires_at < $10 THEN $10 ELSE lease_expires_at END \
             WHERE id = $11 AND lease_owner = $12 AND lease_epoch = $13 AND state = 'running'";
        let rows = on!(self, connection => sqlx::query(SQL)
            .bind(Json(checkpoint)).bind(counts.pages).bind(counts.calls).bind(counts.seen)
            .bind(counts.inserted).bind(counts.updated).bind(counts.unchanged).bind(counts.removed)
            .bind(counts.quarantined).bind(expires).bind(lease.run_id).bind(&lease.owner).bind(lease.epoch)
            .execute(connection).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Writes the rows of a page, then its lines of the change feed.
    pub async fn write(&mut self, writes: &Writes<'_>) -> sqlx::Result<()> {
        self.insert(&writes.products).await?;
        self.insert(&writes.texts).await?;
        for (table, replaced) in CHILDREN.iter().zip(&writes.replaced) {
            self.delete(table.name, "store_id", writes.source.store_id, replaced).await?;
        }
        for rows in &writes.children {
            self.insert(rows).await?;
        }
        self.feed(writes).await
    }

    /// Adds the lines of a page to the feed.
    async fn feed(&mut self, writes: &Writes<'_>) -> sqlx::Result<()> {
        if writes.feed.is_empty() {
            return Ok(());
        }
        let Source { store_id, run_id, now } = writes.source;
        let first = self.numbers(store_id, writes.feed.len()).await?;
        let mut rows = Rows::changes();
        for (seq, line) in (first..).zip(&writes.feed) {
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

    /// The first of so many new numbers of the feed, whose readers are woken. There is no gap: the counter moves in the
    /// transaction that uses them.
    async fn numbers(&mut self, store_id: i64, lines: usize) -> sqlx::Result<i64> {
        let wake = match self {
            Self::Postgres(_) => format!(", {NOTIFY_FEED}"),
            Self::Sqlite(_) => String::new(),
        };
        let sql = format!(
            "/* commit_page */ UPDATE stores SET change_seq = change_seq + $1 WHERE id = $2 RETURNING change_seq{wake}"
        );
        let lines = lines as i64;
        let last: i64 = on!(self, connection =>
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(lines).bind(store_id).fetch_one(connection).await?);
        Ok(last - lines + 1)
    }

    /// Those of the products that are stored and not marked removed, with their SKUs.
    pub async fn present(&mut self, store_id: i64, ids: &[i64]) -> sqlx::Result<Vec<(i64, Option<String>)>> {
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
    pub async fn remove(
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

    /// Keeps bad records; the same record of an earlier run is replaced, so that a lasting fault shows once.
    pub async fn quarantine(
        &mut self,
        lease: &Lease,
        records: &[Quarantined<'_>],
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let raws: Vec<String> = records.iter().map(|record| record.raw.replace('\0', "\u{fffd}")).collect();
        match self {
            Self::Postgres(tx) => {
                let sql = "/* commit_page */ DELETE FROM quarantine WHERE store_id = $1 AND replayed_at IS NULL AND raw = ANY($2)";
                sqlx::query(sql).bind(lease.store_id).bind(&raws).execute(&mut **tx).await?;
            }
            Self::Sqlite(tx) => {
                let sql = "/* commit_page */ DELETE FROM quarantine WHERE store_id = $1 AND replayed_at IS NULL \
                     AND raw IN (SELECT value FROM json_each($2))";
                sqlx::query(sql).bind(lease.store_id).bind(Json(&raws)).execute(&mut **tx).await?;
            }
        }
        let mut rows = Rows::quarantine();
        for (record, raw) in records.iter().zip(&raws) {
            let row = [
                Cell::Int(lease.store_id),
                Cell::Int(lease.run_id),
                record.inventory_id.map_or(Cell::Null, Cell::Int),
                Cell::Text(&record.reason),
                Cell::Text(raw),
                Cell::Time(now),
            ];
            rows.push(&row, &[]);
        }
        self.insert(&rows).await
    }

    /// Gives products that lack it the hash of their light part. Each product needs it once.
    pub async fn relight(&mut self, store_id: i64, lights: &[(i64, ContentHash)]) -> sqlx::Result<()> {
        const SQL: &str =
            "/* commit_page */ UPDATE products SET light_hash = $1 WHERE store_id = $2 AND inventory_id = $3";
        for (id, light) in lights {
            on!(self, connection => sqlx::query(SQL).bind(light.as_slice()).bind(store_id).bind(id)
                .execute(connection).await.map(drop)?);
        }
        Ok(())
    }

    /// Keeps what a sweep has found.
    pub async fn found(&mut self, run_id: i64, findings: &[Finding]) -> sqlx::Result<()> {
        let mut rows = Rows::findings();
        for finding in findings {
            let row = [Cell::Int(run_id), Cell::Int(finding.inventory_id), Cell::Text(finding.kind.as_str())];
            rows.push(&row, &[]);
        }
        self.insert(&rows).await
    }

    /// Forgets findings that are dealt with.
    pub async fn done(&mut self, run_id: i64, ids: &[i64]) -> sqlx::Result<()> {
        self.delete("findings", "run_id", run_id, ids).await
    }

    /// Keeps every run of the store from being claimed or queued until the end of the transaction; `false` when one is at work,
    /// or has just come. On SQLite the transaction is the only writer anyway.
    ///
    /// Locks in the order of a page: the run, then the store. A run that is inserted needs the store's row for its key.
    pub async fn keep_runs_out(&mut self, store_id: i64) -> sqlx::Result<bool> {
        const UNFINISHED: &str = "/* replay */ SELECT id, state FROM runs WHERE store_id = $1 AND state IN ('queued', 'running') ORDER BY id";
        let lock = matches!(self, Self::Postgres(_));
        let locked = format!("{UNFINISHED}{}", if lock { " FOR UPDATE" } else { "" });
        let found: Vec<(i64, String)> = on!(self, connection =>
            sqlx::query_as(AssertSqlSafe(locked)).bind(store_id).fetch_all(connection).await?);
        if lock {
            let store = "/* replay */ SELECT id FROM stores WHERE id = $1 FOR UPDATE";
            on!(self, connection => sqlx::query(store).bind(store_id).execute(connection).await.map(drop)?);
        }
        let now: Vec<(i64, String)> = on!(self, connection =>
            sqlx::query_as(UNFINISHED).bind(store_id).fetch_all(connection).await?);
        Ok(now == found && now.iter().all(|(_, state)| state == "queued"))
    }

    /// Marks records of the quarantine as replayed, and gives those that nobody had marked before.
    pub async fn mark_replayed(&mut self, store_id: i64, ids: &[i64], now: DateTime<Utc>) -> sqlx::Result<Vec<i64>> {
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
    pub async fn removed_since(
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

    pub(super) async fn insert(&mut self, rows: &Rows<'_>) -> sqlx::Result<()> {
        if rows.len() == 0 {
            return Ok(());
        }
        match self {
            Self::Postgres(tx) => postgres::insert(tx, rows).await?,
            Self::Sqlite(tx) => sqlite::insert(tx, rows).await?,
        }
        Ok(())
    }

    async fn delete(&mut self, table: &str, of: &str, owner: i64, ids: &[i64]) -> sqlx::Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let sql =
            format!("/* commit_page */ DELETE FROM \"{table}\" WHERE {of} = $1 AND inventory_id {}", self.among());
        match self {
            Self::Postgres(tx) => {
                sqlx::query(AssertSqlSafe(sql)).bind(owner).bind(ids).execute(&mut **tx).await?;
            }
            Self::Sqlite(tx) => {
                sqlx::query(AssertSqlSafe(sql)).bind(owner).bind(Json(ids)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// The condition "one of the ids in `$2`", which is an array on PostgreSQL and a JSON list on SQLite.
    pub(super) fn among(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "= ANY($2)",
            Self::Sqlite(_) => "IN (SELECT value FROM json_each($2))",
        }
    }
}
