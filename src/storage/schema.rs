//! The state of the tables: which migrations are applied, applying them, and what the tables mean.
//!
//! Several processes may start on an empty database at once: the migrations run in one transaction under a lock,
//! so the first does the work and the others find it done. An existing database is only migrated when a person
//! says so; a program never runs on tables it does not know.

use std::fmt::Write as _;

use migration::{HISTORY_TABLE, Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};

use super::{Database, Engine, StorageError, dictionary};

/// Serialises migrations on a PostgreSQL server. The number means nothing: "netosync" in ASCII.
const MIGRATION_LOCK: i64 = 0x6e65_746f_7379_6e63;

/// Which migrations a database has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaStatus {
    /// Applied, in order.
    pub applied: Vec<String>,
    /// Known to this program and not applied, in order.
    pub pending: Vec<String>,
    /// Applied by a newer program.
    pub unknown: Vec<String>,
}

impl SchemaStatus {
    /// Whether nothing of ours is in the database.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.unknown.is_empty()
    }

    fn refuse_newer(self) -> Result<Self, StorageError> {
        if self.unknown.is_empty() { Ok(self) } else { Err(StorageError::SchemaTooNew { unknown: self.unknown }) }
    }
}

/// Reads which migrations the database has. Writes nothing, needs no right to create tables.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn status(db: &Database) -> Result<SchemaStatus, StorageError> {
    read_status(db.orm()).await.map_err(StorageError::query("read which migrations the database has"))
}

/// The state of a database that does not exist yet.
#[must_use]
pub fn status_of_nothing() -> SchemaStatus {
    SchemaStatus { pending: known(), ..SchemaStatus::default() }
}

/// Makes sure that the tables are those this program knows; migrates by itself only an empty database.
///
/// # Errors
/// [`StorageError::MigrationsPending`], [`StorageError::SchemaTooNew`] or [`StorageError::Query`].
pub async fn migrate_empty_or_check(db: &Database) -> Result<(), StorageError> {
    let status = status(db).await?.refuse_newer()?;
    if status.is_empty() {
        migrate(db).await?;
    } else if !status.pending.is_empty() {
        return Err(StorageError::MigrationsPending { pending: status.pending });
    }
    Ok(())
}

/// Applies the pending migrations, all or none, and returns their names. On PostgreSQL it makes the schema first if
/// that is missing. Waits for another process that is at it.
///
/// # Errors
/// [`StorageError::SchemaTooNew`] or [`StorageError::Query`].
pub async fn migrate(db: &Database) -> Result<Vec<String>, StorageError> {
    let failed = || StorageError::query("migrate the database");
    let transaction = begin_alone(db).await?;
    let status = read_status(&transaction).await.map_err(failed())?.refuse_newer()?;
    Migrator::up(&transaction, None).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(status.pending)
}

/// Takes back the last `steps` migrations, or all, with the data in their tables. For tests and for developers.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn revert(db: &Database, steps: Option<u32>) -> Result<(), StorageError> {
    let failed = || StorageError::query("take back migrations");
    let transaction = begin_alone(db).await?;
    Migrator::down(&transaction, steps).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// All tables and columns with their meaning, as text for a terminal.
#[must_use]
pub fn describe() -> String {
    let mut text = String::new();
    for table in dictionary::tables() {
        writeln!(text, "{table}").expect("a String takes everything");
    }
    text
}

/// Starts a transaction that no other migrating process runs beside.
async fn begin_alone(db: &Database) -> Result<DatabaseTransaction, StorageError> {
    let failed = || StorageError::query("lock the database for migrations");
    let transaction = db.begin_write().await?;
    if db.engine() == Engine::Postgres {
        let schema = db.schema_name();
        // A migration of a large table may take longer than a statement otherwise may.
        let lock = format!(
            "/* schema::begin_alone */ SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"
        );
        transaction.execute_unprepared(&lock).await.map_err(failed())?;
        // Asked first, because CREATE SCHEMA IF NOT EXISTS needs the right to create even when it has nothing to do.
        let exists = raw(
            &transaction,
            format!("/* schema::begin_alone */ SELECT nspname FROM pg_namespace WHERE nspname = '{schema}'"),
        );
        if transaction.query_one_raw(exists).await.map_err(failed())?.is_none() {
            let create = format!("/* schema::begin_alone */ CREATE SCHEMA {schema}");
            transaction.execute_unprepared(&create).await.map_err(StorageError::query("create the schema"))?;
        }
    }
    Ok(transaction)
}

async fn read_status(connection: &impl ConnectionTrait) -> Result<SchemaStatus, DbErr> {
    let known = known();
    let in_database = applied_versions(connection).await?;
    let (applied, unknown) = in_database.into_iter().partition::<Vec<_>, _>(|version| known.contains(version));
    let pending = known.into_iter().filter(|version| !applied.contains(version)).collect();
    Ok(SchemaStatus { applied, pending, unknown })
}

/// This program's migrations, in order.
fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

async fn applied_versions(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let exists = match connection.get_database_backend() {
        sea_orm::DbBackend::Sqlite => format!(
            "/* schema::applied_versions */ SELECT name FROM sqlite_master WHERE type = 'table' AND name = '{HISTORY_TABLE}'"
        ),
        _ => format!(
            "/* schema::applied_versions */ SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = '{HISTORY_TABLE}'"
        ),
    };
    if connection.query_one_raw(raw(connection, exists)).await?.is_none() {
        return Ok(Vec::new());
    }
    let versions = format!("/* schema::applied_versions */ SELECT version FROM {HISTORY_TABLE} ORDER BY version");
    let rows = connection.query_all_raw(raw(connection, versions)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

fn raw(connection: &impl ConnectionTrait, sql: String) -> Statement {
    Statement::from_string(connection.get_database_backend(), sql)
}
