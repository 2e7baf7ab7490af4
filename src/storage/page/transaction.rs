//! The transaction of a page on either database: the right to write, the checkpoint, the numbers of the feed, the quarantine, and
//! rows on their way into any table.
//!
//! Where one SQL text serves both it stands once (`$1` is understood by both); where they differ,
//! [`super::postgres`] and [`super::sqlite`] have it.

use std::pin::pin;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::value::to_raw_value;
use sqlx::Connection as _;

use super::rows::{Cell, Rows};
use super::session::Session;
use super::statement::{Arg, Found, Sql};
use super::{Quarantined, postgres, sqlite};
use crate::domain::run::{Checkpoint, Counts, Lease};
use crate::storage::sqlite_file::FileTransaction;
use crate::storage::wake::NOTIFY_FEED;
use crate::storage::{Database, Place};

const NUMBERS: &str =
    "/* commit_page */ UPDATE stores SET change_seq = change_seq + $1 WHERE id = $2 RETURNING change_seq";
/// [`NUMBERS`], and the readers of the feed are woken.
static NUMBERS_AND_WAKE: LazyLock<String> = LazyLock::new(|| format!("{NUMBERS}, {NOTIFY_FEED}"));

/// A transaction; dropped without [`Transaction::commit`] it leaves no trace.
pub enum Transaction {
    Postgres(Session),
    Sqlite(FileTransaction),
}

impl Transaction {
    /// Begins; on SQLite with the write lock from the start, so that it cannot fail half-way for want of it.
    pub async fn begin(db: &Database) -> sqlx::Result<Self> {
        Ok(match db.place() {
            Place::Server(pool) => Self::Postgres(Session::writing(pool).await?),
            Place::File(file) => Self::Sqlite(file.writing().await?),
        })
    }

    /// Begins a page of a run while the page before may be under way still: on PostgreSQL to write, and until the end the run can be
    /// taken over but not be deleted, and nobody can take its place ([`Transaction::keep_runs_out`]); on SQLite, which has one
    /// writer, to read.
    pub async fn begin_page(db: &Database, lease: &Lease) -> sqlx::Result<Self> {
        match db.place() {
            Place::Server(pool) => Ok(Self::Postgres(Session::writing_for(pool, lease.run_id).await?)),
            Place::File(_) => Self::snapshot(db).await,
        }
    }

    /// Begins to read: several statements of one state.
    pub async fn snapshot(db: &Database) -> sqlx::Result<Self> {
        Ok(match db.place() {
            Place::Server(pool) => Self::Postgres(Session::reading(pool).await?),
            Place::File(file) => Self::Sqlite(file.reading().await?),
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
                () = nap() => if let Self::Postgres(tx) = self { tx.ping().await? },
            }
        }
    }

    /// Runs a statement; how many rows it touched.
    pub async fn execute(&mut self, sql: impl Into<Sql>, args: &[Arg<'_>]) -> sqlx::Result<u64> {
        match self {
            Self::Postgres(tx) => Ok(postgres::query(sql.into(), args).execute(&mut **tx).await?.rows_affected()),
            Self::Sqlite(tx) => sqlite::execute(tx, sql.into(), args).await,
        }
    }

    /// Runs a statement; the rows that come of it.
    pub async fn fetch(&mut self, sql: impl Into<Sql>, args: &[Arg<'_>]) -> sqlx::Result<Vec<Found>> {
        match self {
            Self::Postgres(tx) => {
                let rows = postgres::query(sql.into(), args).fetch_all(&mut **tx).await?;
                Ok(rows.into_iter().map(Found::Postgres).collect())
            }
            Self::Sqlite(tx) => {
                let rows = sqlite::fetch(tx, sql.into(), args).await?;
                Ok(rows.into_iter().map(Found::Sqlite).collect())
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
        let checkpoint = to_raw_value(checkpoint).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let Counts { pages, calls, seen, inserted, updated, unchanged, removed, quarantined } = *counts;
        let numbers = [pages, calls, seen, inserted, updated, unchanged, removed, quarantined].map(Arg::Int);
        let lease = [Arg::Time(expires), Arg::Int(lease.run_id), Arg::Text(&lease.owner), Arg::Int(lease.epoch)];
        let rows = self.execute(SQL, &[&[Arg::Json(&checkpoint)], &numbers[..], &lease].concat()).await?;
        Ok(rows == 1)
    }

    /// Whether the run is ours still.
    pub async fn holds(&mut self, lease: &Lease) -> sqlx::Result<bool> {
        const SQL: &str = "/* commit_page */ SELECT id FROM runs WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3 \
             AND state = 'running'";
        let lease = [Arg::Int(lease.run_id), Arg::Text(&lease.owner), Arg::Int(lease.epoch)];
        Ok(!self.fetch(SQL, &lease).await?.is_empty())
    }

    /// The first of so many new numbers of the feed, whose readers are woken. There is no gap: the counter moves in the
    /// transaction that uses them.
    async fn numbers(&mut self, store_id: i64, lines: usize) -> sqlx::Result<i64> {
        let sql = match self {
            Self::Postgres(_) => NUMBERS_AND_WAKE.as_str(),
            Self::Sqlite(_) => NUMBERS,
        };
        let lines = lines as i64;
        let last = self.fetch(sql, &[Arg::Int(lines), Arg::Int(store_id)]).await?;
        let last = last.first().ok_or(sqlx::Error::RowNotFound)?.int(0)?;
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
        let sql = format!(
            "/* commit_page */ DELETE FROM quarantine WHERE store_id = $1 AND replayed_at IS NULL AND raw {}",
            self.among()
        );
        let texts: Vec<&str> = raws.iter().map(String::as_str).collect();
        self.execute(sql, &[Arg::Int(lease.store_id), Arg::Texts(&texts)]).await?;
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
        self.insert(rows).await
    }

    /// Adds lines to the feed: rows whose number in it is [`Cell::Numbered`].
    pub async fn feed(&mut self, store_id: i64, mut lines: Rows) -> sqlx::Result<()> {
        if lines.len() > 0 {
            lines.number_from(self.numbers(store_id, lines.len()).await?);
        }
        self.insert(lines).await
    }

    /// Inserts all rows.
    pub async fn insert(&mut self, rows: Rows) -> sqlx::Result<()> {
        if rows.len() == 0 {
            return Ok(());
        }
        match self {
            Self::Postgres(tx) => postgres::insert(tx, &rows).await?,
            Self::Sqlite(tx) => sqlite::insert(tx, rows).await?,
        }
        Ok(())
    }

    /// A statement that selects `columns` of the rows of a table that belong to the products `$2` of the store `$1`, `ids`, and meet
    /// the `condition`.
    ///
    /// While PostgreSQL does not know yet how many products a store has, it takes them for few and would read all of them. So it is
    /// told in which range these lie, or, where most of that range would be others, to look for each; SQLite looks for each.
    pub fn rows_of(&self, table: &str, columns: &str, condition: &str, ids: &[i64]) -> String {
        match self {
            Self::Postgres(_) if is_sparse(ids) => format!(
                "SELECT found.* FROM UNNEST($2::bigint[]) AS wanted (id) CROSS JOIN LATERAL \
                 (SELECT {columns} FROM \"{table}\" WHERE store_id = $1 AND inventory_id = wanted.id AND {condition} OFFSET 0) \
                 AS found"
            ),
            _ => format!(
                "SELECT {columns} FROM \"{table}\" WHERE store_id = $1 AND inventory_id {}{} AND {condition}",
                self.among(),
                self.between(ids)
            ),
        }
    }

    /// More about `inventory_id`, where that is one of `ids`: see [`Transaction::rows_of`].
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

/// Whether more than three quarters of the numbers from the first to the last of `ids` are others.
fn is_sparse(ids: &[i64]) -> bool {
    match (ids.iter().min(), ids.iter().max()) {
        (Some(first), Some(last)) => last.abs_diff(*first) / 4 > ids.len() as u64,
        _ => false,
    }
}
