//! Opens a database: reads its address, builds the pool with our settings, says clearly why it cannot.

mod postgres;
mod sqlite;

use std::path::Path;
use std::time::Duration;

use sea_orm::{SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::sqlite::SqliteConnectOptions;

use super::manners::Manners;
use super::sqlite_file::Opening;
use super::{Database, Pool, StorageError};
use crate::clock::SharedClock;
use crate::domain::secret::Secret;

/// How long to wait for a free connection of the pool.
const ACQUIRE: Duration = Duration::from_secs(30);

/// No statement takes longer than this: a wait for a connection, then the longer of what PostgreSQL has for a statement and SQLite for
/// another writer.
pub const LONGEST_STATEMENT: Duration = Duration::from_mins(3);

impl Database {
    /// Opens the database at `url` (`sqlite://FILE?mode=rwc` or `postgres://…`). On PostgreSQL all names resolve in
    /// `schema`, which need not exist yet. Opening changes no table; see [`super::schema`].
    ///
    /// # Errors
    /// [`StorageError::BadUrl`], [`StorageError::BadSchemaName`], or [`StorageError::Connect`] with the reason.
    pub async fn connect(url: &Secret, schema: &str, clock: SharedClock) -> Result<Self, StorageError> {
        Self::connect_with(url, schema, clock, &Manners::ASKING).await
    }

    /// [`Database::connect`] with manners of one's own.
    ///
    /// # Errors
    /// Those of [`Database::connect`], once the patience is at its end.
    pub async fn connect_with(
        url: &Secret,
        schema: &str,
        clock: SharedClock,
        manners: &Manners,
    ) -> Result<Self, StorageError> {
        check_schema_name(schema)?;
        let (engine, rest) = url.expose().split_once(':').unwrap_or((url.expose(), ""));
        let (pool, target) = match engine {
            "sqlite" => sqlite::open(url.expose(), rest).await?,
            "postgres" | "postgresql" => postgres::open(url.expose(), schema, manners).await?,
            _ => return Err(bad_url("it begins with neither sqlite: nor postgres:")),
        };
        Ok(Self::over(pool, schema, target, clock))
    }

    /// The same database for somebody with other manners: on PostgreSQL with connections of their own.
    ///
    /// # Errors
    /// [`StorageError::Connect`], once the patience is at its end.
    pub async fn with_manners(&self, manners: &Manners) -> Result<Self, StorageError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(self.clone()) };
        let pool = Pool::Postgres(postgres::another(pool, manners, &self.target).await?);
        Ok(Self::over(pool, &self.schema, self.target.clone(), self.clock.clone()))
    }

    /// Makes a database file that is thrown away: nothing of it has to survive a power cut.
    ///
    /// # Errors
    /// [`StorageError::Connect`].
    pub(super) async fn throwaway(file: &Path, clock: SharedClock) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let opening = Opening { read_only: false, vfs: None, synchronous: "OFF" };
        let (pool, target) = sqlite::pool(options, true, opening).await?;
        Ok(Self::over(pool, "", target, clock))
    }

    fn over(pool: Pool, schema: &str, target: String, clock: SharedClock) -> Self {
        let orm = match &pool {
            Pool::Sqlite(pool, _) => SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone()),
            Pool::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
        };
        Self { orm, pool, schema: schema.to_owned(), target, clock }
    }
}

fn bad_url(reason: impl Into<String>) -> StorageError {
    StorageError::BadUrl { reason: reason.into() }
}

/// The name is pasted into statements, so it must be a plain identifier that needs no quotes.
fn check_schema_name(name: &str) -> Result<(), StorageError> {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let starts_well = name.bytes().next().is_some_and(|b| !b.is_ascii_digit()) && !name.starts_with("pg_");
    if plain && starts_well && name.len() <= 63 {
        Ok(())
    } else {
        Err(StorageError::BadSchemaName { name: name.to_owned() })
    }
}

/// The sentence inside a configuration error. Neither driver quotes the address in it, only single parameters that
/// carry no secret.
fn configuration_reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn schema_names_are_plain_identifiers() {
        for good in ["netosync", "a", "_x1", "shop_2"] {
            assert!(check_schema_name(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "Neto", "a-b", "a;drop", "a b", "pg_x", "x\"", &"a".repeat(64)] {
            assert!(check_schema_name(bad).is_err(), "{bad}");
        }
    }

    async fn refusal(url: &str) -> String {
        let clock = std::sync::Arc::new(SystemClock);
        Database::connect(&Secret::new(url), "netosync", clock).await.expect_err("must be refused").to_string()
    }

    #[tokio::test]
    async fn an_unusable_address_says_what_to_write_and_never_quotes_the_password() {
        for (url, reason) in [
            ("mysql://u:hunter2@h/d", "neither sqlite: nor postgres:"),
            ("hunter2", "neither sqlite: nor postgres:"),
            ("sqlite:", "names no file"),
            ("sqlite::memory:", "in memory"),
            ("sqlite://x.db?mode=memory", "in memory"),
            ("sqlite://x.db?mode=hunter", "unknown value"),
            ("postgres://u:hunter2@h:port/d", "invalid port"),
            ("postgres://u:hunter2@[h/d", "invalid"),
        ] {
            let message = refusal(url).await;
            assert!(message.contains(reason), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_says_why() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("text.db"), "this is certainly not a database".repeat(99)).expect("writable");
        for (url, reason) in [
            (format!("sqlite://{}", path("absent.db")), "there is no such file"),
            (format!("sqlite://{}?mode=rwc", path("no/folder.db")), "its folder does not exist"),
            (format!("sqlite://{}", folder.path().display()), "it is a folder"),
            (format!("sqlite://{}", path("text.db")), "not an SQLite database"),
        ] {
            let message = refusal(&url).await;
            assert!(message.contains(reason), "{url}: {message}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_says_so_without_the_password() {
        let message = refusal("postgres://u:hunter2@127.0.0.1:1/shop").await;
        assert!(message.contains("127.0.0.1:1/shop: nothing answers there"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
