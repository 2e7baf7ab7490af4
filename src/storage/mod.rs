//! The database: connection, schema and every query.
//!
//! One public function is one transaction. Times come from the clock the [`Database`] was opened with, never from
//! the server. Nothing in here makes an HTTP call, and no transaction stays open across one.
//!
//! Whoever writes begins with [`Database::begin_write`]: on SQLite a transaction that reads first and writes later
//! fails at once when another writer was faster, whatever the busy time-out, and a lock taken at the start does not.

use std::fmt;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use sqlx::{PgPool, SqlitePool};

use self::sqlite_file::SqliteFile;
use crate::clock::SharedClock;

pub mod changes;
mod connect;
pub mod consumers;
pub mod credentials;
pub mod crypter;
pub mod cursors;
pub mod dictionary;
mod error;
pub mod failing;
pub mod findings;
pub mod foreign;
pub mod gauges;
pub mod held_removals;
pub mod imported;
pub mod incidents;
pub mod instances;
pub mod key_file;
pub mod learnt;
pub mod lease;
mod manners;
pub mod master_key;
pub mod oauth_states;
pub mod overview;
mod page;
pub mod ping;
pub mod products;
pub mod prune;
pub mod quarantine;
pub mod records;
pub mod renewal;
pub mod rotation;
pub mod runs;
pub mod runs_waiting;
pub mod schedule;
pub mod schema;
pub mod scratch;
mod sqlite_file;
pub mod standings;
pub mod store_calls;
pub mod store_removal;
pub mod stores;
pub mod vault;
pub mod vendor;
pub mod wake;

pub use connect::LONGEST_STATEMENT;
pub use error::StorageError;
pub use manners::Manners;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the program.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

impl Engine {
    /// Its name for scripts, as an address begins with.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The pools behind a [`Database`], for statements that are written by hand for each engine.
#[derive(Clone, Copy, Debug)]
pub enum Pools<'a> {
    /// A pool of connections to one file.
    Sqlite(&'a SqlitePool),
    /// A pool of connections to a server.
    Postgres(&'a PgPool),
}

/// An open database. Clones share the pool.
#[derive(Clone)]
pub struct Database {
    orm: DatabaseConnection,
    pool: Pool,
    schema: String,
    target: String,
    clock: SharedClock,
}

#[derive(Clone)]
enum Pool {
    Sqlite(SqlitePool, Arc<SqliteFile>),
    Postgres(PgPool),
}

/// Where pages are read and written.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    File(&'a Arc<SqliteFile>),
    Server(&'a PgPool),
}

impl Database {
    /// Which database it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.pool {
            Pool::Sqlite(..) => Engine::Sqlite,
            Pool::Postgres(_) => Engine::Postgres,
        }
    }

    /// sea-orm's connection, over the same pool as [`Database::pools`].
    #[must_use]
    pub fn orm(&self) -> &DatabaseConnection {
        &self.orm
    }

    /// The pool itself, for hand-written statements. On PostgreSQL names resolve in our schema.
    #[must_use]
    pub fn pools(&self) -> Pools<'_> {
        match &self.pool {
            Pool::Sqlite(pool, _) => Pools::Sqlite(pool),
            Pool::Postgres(pool) => Pools::Postgres(pool),
        }
    }

    fn place(&self) -> Place<'_> {
        match &self.pool {
            Pool::Sqlite(_, file) => Place::File(file),
            Pool::Postgres(pool) => Place::Server(pool),
        }
    }

    /// The clock every time in the database comes from.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The schema the tables are in; of no meaning on SQLite.
    #[must_use]
    pub fn schema_name(&self) -> &str {
        &self.schema
    }

    /// Where the database is, without user and password: for logs and messages.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Starts a transaction that is going to write: on SQLite it takes the write lock now (waiting up to the busy
    /// time-out), on PostgreSQL it is an ordinary one. Dropped without a commit it rolls back.
    ///
    /// # Errors
    /// [`StorageError::Query`] when no connection or lock is to be had in time.
    pub async fn begin_write(&self) -> Result<DatabaseTransaction, StorageError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: match self.engine() {
                Engine::Sqlite => Some(SqliteTransactionMode::Immediate),
                Engine::Postgres => None,
            },
            ..TransactionOptions::default()
        };
        self.orm.begin_with_options(options).await.map_err(StorageError::query("start a transaction"))
    }

    /// Does work that is mostly writing to this database where that is done best. It may wait for work that was given here before. On
    /// SQLite it is done to its end once it has begun.
    ///
    /// # Errors
    /// What the work ends with.
    pub async fn write_beside<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        match self.place() {
            Place::File(file) => file.on_one_thread(work).await.map_err(StorageError::sql("write beside a run"))?,
            Place::Server(_) => work.await,
        }
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool, file) => {
                file.close().await;
                pool.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("target", &self.target).field("schema", &self.schema).finish_non_exhaustive()
    }
}
