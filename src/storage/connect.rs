//! Opens a database: reads its address, builds the pool with our settings, says clearly why it cannot.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::{SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};
use tracing::info;

use super::manners::{Manners, Patience, SHORT_LIFE};
use super::sqlite_file::{Opening, SqliteFile};
use super::{Database, Pool, StorageError};
use crate::clock::SharedClock;
use crate::domain::secret::Secret;

/// How long a writer waits for another on SQLite.
const SQLITE_BUSY: Duration = Duration::from_secs(30);
/// How many rows a connection's thread reads before it waits for whoever asked for them: each wait is two hand-overs.
const ROWS_AHEAD: usize = 500;
/// Readers beside the one writer SQLite allows; each keeps a thread and what it knows of the tables, 0.3 MB.
const SQLITE_CONNECTIONS: u32 = 2;
/// Bytes of a page of a new file: a commit writes an eighth to a fifth faster than with 4 KB, and its log is folded into it every 1,000 pages.
const SQLITE_PAGE: u32 = 16 * 1024;
/// A commit that returned survives a power cut (design §2, promise 4). NORMAL would lose the last ones, each page together
/// with its checkpoint; it saves one flush a page, which no network notices.
const SQLITE_SYNCHRONOUS: &str = "FULL";
/// A statement that takes longer is given up, in milliseconds. Writing a page takes far less than a second.
const POSTGRES_STATEMENT_MS: &str = "120000";
/// A transaction in which nothing happens for so long lost its program, in milliseconds. Shorter than a lease by default: a
/// worker that stands still in the middle of a page must not keep the run from the one that takes it over.
const POSTGRES_IDLE_IN_TRANSACTION_MS: &str = "10000";
/// How long to wait for a server to answer the first time.
const POSTGRES_CONNECT: Duration = Duration::from_secs(10);
/// How long to wait for a free connection of the pool.
const ACQUIRE: Duration = Duration::from_secs(30);

/// A connection that was used within this time is taken for a good one.
const JUST_USED: Duration = Duration::from_secs(1);

/// No statement takes longer than this: a wait for a connection, then the longer of `POSTGRES_STATEMENT_MS` and
/// `SQLITE_BUSY`.
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
            "sqlite" => open_sqlite(url.expose(), rest).await?,
            "postgres" | "postgresql" => open_postgres(url.expose(), schema, manners).await?,
            _ => return Err(bad_url("it begins with neither sqlite: nor postgres:")),
        };
        Ok(Self::over(pool, schema, target, clock))
    }

    /// Makes a database file that is thrown away: nothing of it has to survive a power cut.
    ///
    /// # Errors
    /// [`StorageError::Connect`].
    pub(super) async fn throwaway(file: &Path, clock: SharedClock) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let opening = Opening { read_only: false, vfs: None, synchronous: "OFF" };
        let (pool, target) = sqlite_pool(options, true, opening).await?;
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

async fn open_sqlite(url: &str, rest: &str) -> Result<(Pool, String), StorageError> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(bad_url("it names no file"));
    }
    let parameter = |name: &str| {
        url::form_urlencoded::parse(parameters.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let mode = parameter("mode").unwrap_or_default();
    if path == ":memory:" || mode == "memory" {
        return Err(bad_url("a database in memory would be lost with the process"));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|error| bad_url(configuration_reason(&error)))?;
    let opening = Opening { read_only: mode == "ro", vfs: parameter("vfs"), synchronous: SQLITE_SYNCHRONOUS };
    sqlite_pool(options, mode == "rwc", opening).await
}

async fn sqlite_pool(
    options: SqliteConnectOptions,
    may_create: bool,
    opening: Opening,
) -> Result<(Pool, String), StorageError> {
    let file = options.get_filename().to_owned();
    let options = options
        .page_size(SQLITE_PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("synchronous", opening.synchronous)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging();
    let target = file.display().to_string();
    let pool = SqlitePoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        // A file does not hang up: asking before each use would be a hand-over between threads for nothing.
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|source| sqlite_refused(&file, may_create, source))?;
    Ok((Pool::Sqlite(pool, SqliteFile::new(file, opening, SQLITE_BUSY)), target))
}

/// SQLite says "unable to open database file" for nearly everything; the file system knows more.
fn sqlite_refused(file: &Path, may_create: bool, source: sqlx::Error) -> StorageError {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let code =
        source.as_database_error().and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse::<u32>().ok());
    let (reason, hint) = match code.map(|extended| extended & 0xff) {
        Some(26) => ("the file is not an SQLite database", "point database.url at another file"),
        Some(5) => ("another program keeps it locked", "stop that program, then try again"),
        _ if file.is_dir() => ("it is a folder", "give the name of a file in it"),
        _ if !folder.is_dir() => ("its folder does not exist", "create the folder, or change database.url"),
        _ if !may_create && !file.exists() => {
            ("there is no such file", "add ?mode=rwc to database.url to create it, or change the name")
        }
        Some(8 | 14) => {
            ("this user may not write the file or its folder", "give the service's user write access to both")
        }
        _ => {
            let reason = source.to_string();
            let hint = "check the disk, and the file with the sqlite3 shell";
            return StorageError::Connect { target: file.display().to_string(), reason, hint, source };
        }
    };
    StorageError::Connect { target: file.display().to_string(), reason: reason.to_owned(), hint, source }
}

async fn open_postgres(url: &str, schema: &str, manners: &Manners) -> Result<(Pool, String), StorageError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| bad_url(configuration_reason(&error)))?;
    let options = options
        .application_name("netosync")
        .options([
            ("search_path", schema),
            ("statement_timeout", POSTGRES_STATEMENT_MS),
            ("idle_in_transaction_session_timeout", POSTGRES_IDLE_IN_TRANSACTION_MS),
        ])
        .disable_statement_logging();
    let target = postgres_target(&options);
    // One connection outside of the pool first: the pool would hide a refused connection behind its own time-out.
    let mut patience = Patience::new(manners);
    let probe = loop {
        let answer = tokio::time::timeout(POSTGRES_CONNECT, options.connect())
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
        match answer {
            Ok(probe) => break probe,
            Err(source) => {
                let first = !patience.has_waited();
                let wait = patience.wait_after(&source);
                let refused = postgres_refused(&target, source);
                let Some(wait) = wait else { return Err(refused) };
                if first {
                    info!("{refused}; waiting for it");
                }
                tokio::time::sleep(wait).await;
            }
        }
    };
    // Whether the probe says good-bye properly matters to nobody.
    drop(probe.close().await);
    let mut pool = PgPoolOptions::new()
        .max_connections(manners.connections)
        .acquire_timeout(ACQUIRE)
        .acquire_slow_threshold(ACQUIRE)
        .idle_timeout(manners.keep_unused)
        // One that has just been used is asked nothing: a server that has gone meanwhile is met by the statement itself.
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > JUST_USED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    if manners.makes_room && patience.was_crowded() {
        // Others wait for a place as we did.
        pool = pool.after_release(|_, connection| Box::pin(std::future::ready(Ok(connection.age < SHORT_LIFE))));
    }
    Ok((Pool::Postgres(pool.connect_lazy_with(options)), target))
}

fn postgres_target(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("{host}/{}", options.get_database().unwrap_or(options.get_username()))
}

fn postgres_refused(target: &str, source: sqlx::Error) -> StorageError {
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
    let (reason, hint) = match (code.as_str(), &source) {
        ("28P01", _) => ("the server refused the password", "correct user and password in database.url"),
        ("28000", _) => (
            "the server lets this user not in from here",
            "check the user in database.url and the server's pg_hba.conf",
        ),
        ("3D000", _) => ("there is no such database", "create it, or correct its name in database.url"),
        ("53300", _) => ("the server has no connection left", "raise max_connections there, or stop other programs"),
        ("57P03", _) => ("the server is starting or stopping", "try again in a moment"),
        (_, sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
            ("no answer within 10 seconds", "check host, port and firewall")
        }
        (_, sqlx::Error::Io(_)) => {
            ("nothing answers there", "check that the server runs, and host and port in database.url")
        }
        (_, sqlx::Error::Tls(_)) => {
            ("the encrypted connection failed", "check sslmode and sslrootcert in database.url")
        }
        _ => {
            let reason = source.to_string();
            let hint = "check database.url and the server's log";
            return StorageError::Connect { target: target.to_owned(), reason, hint, source };
        }
    };
    StorageError::Connect { target: target.to_owned(), reason: reason.to_owned(), hint, source }
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
