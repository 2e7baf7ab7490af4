//! The transaction of a page on either database: the right to write, the checkpoint, the numbers of the feed, the quarantine, and
//! rows on their way into any table.
//!
//! Where one SQL text serves both it stands once (`$1` is understood by both); where they differ,
//! [`super::postgres`] and [`super::sqlite`] have it.

use std::pin::pin;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Connection, Sqlite};

use super::rows::{Cell, Rows};
use super::session::Session;
use super::{Quarantined, postgres, sqlite};
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::wake::NOTIFY_FEED;
use crate::storage::{Database, Pools};

/// A write transaction; dropped without [`Transaction::commit`] it leaves no trace.
pub enum Transaction {
    Postgres(Session),
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
pub(in crate::storage) use on;

impl Transaction {
    /// Begins; on SQLite with the write lock from the start, so that it cannot fail half-way for want of it.
    pub async fn begin(db: &Database) -> sqlx::Result<Self> {
        Ok(match db.pools() {
            Pools::Postgres(pool) => Self::Postgres(Session::writing(pool).await?),
            Pools::Sqlite(pool) => Self::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        })
    }

    /// Begins a page of a run while the page before may be under way still: on PostgreSQL to write, and until the end the run can be
    /// taken over but not be deleted, and nobody can take its place ([`Transaction::keep_runs_out`]); on SQLite, which has one
    /// writer, to read.
    pub async fn begin_page(db: &Database, lease: &Lease) -> sqlx::Result<Self> {
        match db.pools() {
            Pools::Postgres(pool) => Ok(Self::Postgres(Session::writing_for(pool, lease.run_id).await?)),
            Pools::Sqlite(_) => Self::snapshot(db).await,
        }
    }

    /// Begins to read: several statements of one state.
    pub async fn snapshot(db: &Database) -> sqlx::Result<Self> {
        Ok(match db.pools() {
            Pools::Postgres(pool) => Self::Postgres(Session::reading(pool).await?),
            Pools::Sqlite(pool) => Self::Sqlite(pool.begin().await?),
        })
    }

    /// Waits for something, and gives the server a sign of life after each `nap`.
    pub async fn wait_for<T, N: Future<Output = ()>>(
        &mut self,
        what: impl Future<Output = T>,
        nap: impl Fn() -> N,
    ) -> sqlx::Result<T> {
        let mut what = pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return Ok(done),
                () = nap() => on!(self, connection => connection.ping().await?),
            }
        }
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

    /// The first of so many new numbers of the feed, whose readers are woken. There is no gap: the counter moves in the
    /// transaction that uses them.
    pub async fn numbers(&mut self, store_id: i64, lines: usize) -> sqlx::Result<i64> {
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

    pub async fn insert(&mut self, rows: &Rows<'_>) -> sqlx::Result<()> {
        if rows.len() == 0 {
            return Ok(());
        }
        match self {
            Self::Postgres(tx) => postgres::insert(tx, rows).await?,
            Self::Sqlite(tx) => sqlite::insert(tx, rows).await?,
        }
        Ok(())
    }

    /// More about `inventory_id`, where that is one of `ids`. While PostgreSQL does not know yet how many products a store has, it takes
    /// them for few and would read all of them; SQLite looks for each.
    pub fn between(&self, ids: &[i64]) -> String {
        match (self, ids.iter().min(), ids.iter().max()) {
            (Self::Postgres(_), Some(first), Some(last)) => format!(" AND inventory_id BETWEEN {first} AND {last}"),
            _ => String::new(),
        }
    }

    /// The condition "one of the ids in `$2`", which is an array on PostgreSQL and a JSON list on SQLite.
    pub fn among(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "= ANY($2)",
            Self::Sqlite(_) => "IN (SELECT value FROM json_each($2))",
        }
    }
}
