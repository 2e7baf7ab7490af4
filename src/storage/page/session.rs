//! A transaction on PostgreSQL.
//!
//! A write that is not committed takes its connection along. A copy that is given up half-way leaves answers on the connection that
//! nobody has asked for, and the pool does not always notice: whoever gets it next would read the answers of before as its own.
//! Only a lost lease, an error or a run that is let go ends a write like that, so a new connection now and then is no price.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres};

/// Whether new rows are best copied ([`super::copy`]): where the server is reached through a socket file. The driver leaves Nagle's
/// algorithm on, so over TCP the small message that ends a copy waits until the server has acknowledged the rows before it, which a
/// server with nothing to say puts off: 40 ms for every copy (measured on loopback). A statement is one message and waits for nothing.
fn copies(pool: &PgPool) -> bool {
    let options = pool.connect_options();
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

/// A transaction and its connection; dropped it leaves no trace.
pub enum Session {
    /// It only reads, and its connection goes back to the pool.
    Reading(sqlx::Transaction<'static, Postgres>),
    /// It writes.
    Writing(Writing),
}

impl Session {
    /// Begins to read: several statements of one state.
    pub async fn reading(pool: &PgPool) -> sqlx::Result<Self> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(Self::Reading(pool.begin_with(begin).await?))
    }

    /// Begins to write.
    pub async fn writing(pool: &PgPool) -> sqlx::Result<Self> {
        Self::begin(pool, "BEGIN".to_owned()).await
    }

    /// Begins to write for a run, which is there until the end, whoever holds it.
    pub async fn writing_for(pool: &PgPool, run_id: i64) -> sqlx::Result<Self> {
        Self::begin(pool, format!("BEGIN; SELECT FROM runs WHERE id = {run_id} FOR KEY SHARE")).await
    }

    async fn begin(pool: &PgPool, sql: String) -> sqlx::Result<Self> {
        let mut writing = Writing { connection: pool.acquire().await?, committed: false, copies: copies(pool) };
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *writing.connection).await?;
        Ok(Self::Writing(writing))
    }

    /// Whether new rows are best copied.
    pub fn copies(&self) -> bool {
        matches!(self, Self::Writing(Writing { copies: true, .. }))
    }

    /// Makes it durable.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Reading(transaction) => transaction.commit().await,
            Self::Writing(mut writing) => {
                sqlx::raw_sql("COMMIT").execute(&mut *writing.connection).await?;
                writing.committed = true;
                Ok(())
            }
        }
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Reading(transaction) => transaction,
            Self::Writing(writing) => &writing.connection,
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Reading(transaction) => transaction,
            Self::Writing(writing) => &mut writing.connection,
        }
    }
}

/// The connection of a write.
pub struct Writing {
    connection: PoolConnection<Postgres>,
    committed: bool,
    copies: bool,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.close_on_drop();
        }
    }
}
