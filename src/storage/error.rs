//! What can go wrong between us and the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// A database operation that did not work. Messages are one sentence for an operator: what failed, why, and what
/// to do next. They contain the reason of their source, so print the error alone, not its chain. No message
/// contains the password of the database's address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The address is not one we can use.
    #[error(
        "database.url cannot be used: {reason}; write sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    BadUrl {
        /// What is wrong with it, without quoting it.
        reason: String,
    },
    /// The schema's name is not a plain identifier.
    #[error(
        "database.schema {name:?} is not a plain name; use up to 63 of a-z, 0-9 and _, not starting with a digit or pg_"
    )]
    BadSchemaName {
        /// The name as configured.
        name: String,
    },
    /// The database does not let us in.
    #[error("cannot open the database {target}: {reason}; {hint}")]
    Connect {
        /// Host and database, or the file.
        target: String,
        /// Why.
        reason: String,
        /// What to do next.
        hint: &'static str,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// There is no place for a copy that is thrown away.
    #[error("cannot make a folder for the plan's copy in {}: {source}; give another with TMPDIR=", std::env::temp_dir().display())]
    Scratch {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no room left. Whatever was half written is taken back.
    #[error("could not {doing}: the database's disk is full; make room and start again, it goes on where it was")]
    DiskFull {
        /// What we were about to do, to follow "could not".
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// A statement failed.
    #[error("could not {doing}: {source}")]
    Query {
        /// What we were about to do, to follow "could not".
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// The tables are older than the program.
    #[error("the database lacks {} of this program's migrations (the first: {}); run `netosync db migrate`", pending.len(), pending[0])]
    MigrationsPending {
        /// Names of the missing migrations, in order; never empty.
        pending: Vec<String>,
    },
    /// The tables are newer than the program.
    #[error(
        "the database was migrated by a newer netosync (it knows {}); upgrade this program, or restore a backup from before the upgrade",
        unknown.join(", ")
    )]
    SchemaTooNew {
        /// Names of the migrations this program does not know; never empty.
        unknown: Vec<String>,
    },
    /// A row holds what no version of the program writes.
    #[error(
        "{table} row {row}: column {column} holds a value this program does not know; upgrade it, or repair the row"
    )]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Key of the row.
        row: String,
        /// The column.
        column: &'static str,
    },
    /// The name of a new store is not usable.
    #[error("the store name {name:?} cannot be used; use 1 to 64 of a-z, 0-9, dot, underscore and hyphen")]
    BadStoreName {
        /// The name.
        name: String,
    },
    /// The address of a store is not usable.
    #[error("the address of store {name} cannot be used: {reason}; give it as https://www.example.com")]
    BadStoreUrl {
        /// The store.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is a store of that name.
    #[error(
        "there is already a store named {name}; choose another name, or change it with `netosync store set {name}`"
    )]
    StoreExists {
        /// The name.
        name: String,
    },
    /// Lines of the change feed that were asked for are not there any more.
    #[error(
        "line {asked} of the change feed was forgotten ([retention] of the configuration), the oldest is {first}: take a full \
         copy of the store's products, then go on with --since {0}, or for a consumer after --ack {0}", first - 1
    )]
    ChangesGone {
        /// The line that was asked for.
        asked: i64,
        /// The oldest that is there, or the next to come.
        first: i64,
    },
    /// A position in the change feed that lies before us.
    #[error(
        "the change feed has no line {seq} yet, the last is {last}; if the database was restored from a backup, take a full \
         copy of the store's products and go on with --since {last}"
    )]
    ChangesAhead {
        /// The position.
        seq: i64,
        /// The last line.
        last: i64,
    },
    /// The name of a consumer is not usable.
    #[error("the consumer name {name:?} cannot be used; use 1 to 64 of a-z, 0-9, dot, underscore and hyphen")]
    BadConsumerName {
        /// The name.
        name: String,
    },
    /// Somebody else has the run now: nothing was written.
    #[error("the lease of run {run_id} was lost: another worker has taken the run over")]
    LeaseLost {
        /// The run.
        run_id: i64,
    },
    /// A product that was new when the list came to it is held by the time it is written, and not by this run: nothing was written.
    #[error(
        "product {inventory_id} was written by something else while its store was listed; the run goes on at its checkpoint"
    )]
    Overtaken {
        /// The product.
        inventory_id: i64,
    },
    /// There is no store of that name.
    #[error("there is no store named {name}; `netosync store list` shows the names")]
    UnknownStore {
        /// The name, or the number where a number was asked for.
        name: String,
    },
}

impl StorageError {
    /// Wraps what sea-orm reports; `doing` follows "could not".
    pub(crate) fn query(doing: &'static str) -> impl FnOnce(DbErr) -> Self {
        move |source| {
            if is_disk_full(&source) { Self::DiskFull { doing, source } } else { Self::Query { doing, source } }
        }
    }

    /// Whether the same may work in a moment: the server is away, starting or full, a lock was not to be had, or somebody was faster.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Connect { source, .. } => is_passing(source),
            Self::Query { source, .. } => match source {
                DbErr::ConnectionAcquire(_) => true,
                DbErr::Conn(RuntimeErr::SqlxError(error))
                | DbErr::Exec(RuntimeErr::SqlxError(error))
                | DbErr::Query(RuntimeErr::SqlxError(error)) => is_passing(error),
                _ => false,
            },
            Self::Overtaken { .. } => true,
            _ => false,
        }
    }

    /// Wraps what sqlx reports, for the set-based statements; `doing` follows "could not".
    pub(crate) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::query(doing)(DbErr::Exec(RuntimeErr::SqlxError(source.into())))
    }
}

/// SQLite's result code (13, `SQLITE_FULL`) and PostgreSQL's state (53100, `disk_full`) for a disk without room.
fn is_disk_full(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| matches!(&*code, "13" | "53100"))
}

/// A lost or refused connection; PostgreSQL's classes 08 (connection), 53 (no resources, but not a full disk) and 57P
/// (shut down, starting); SQLite's `SQLITE_BUSY` and `SQLITE_LOCKED`.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| match code.parse::<u32>() {
            Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6),
            _ => code.starts_with("08") || matches!(&*code, "53300" | "57P01" | "57P02" | "57P03" | "55P03" | "40P01"),
        }),
        _ => false,
    }
}

/// Whether `error` says that a unique key was taken.
pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_named_and_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("small.db").display());
        let mut connection = SqliteConnection::connect(&url).await.expect("a database");
        sqlx::raw_sql("PRAGMA max_page_count = 4; CREATE TABLE t (b)").execute(&mut connection).await.expect("a table");
        let insert = sqlx::query("INSERT INTO t VALUES (zeroblob(1000000))").execute(&mut connection).await;
        let error = StorageError::sql("write a page of products")(insert.expect_err("there is no room"));
        assert!(matches!(error, StorageError::DiskFull { .. }), "{error:?}");
        assert!(error.to_string().contains("make room and start again"), "{error}");
    }
}
