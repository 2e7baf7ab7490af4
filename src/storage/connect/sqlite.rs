//! SQLite: the file, its pool of readers for all that is not a page, and why it cannot be opened.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use super::{ACQUIRE, bad_url, configuration_reason};
use crate::storage::sqlite_file::{Opening, SqliteFile};
use crate::storage::{Pool, StorageError};

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(30);
/// How many rows a connection's thread reads before it waits for whoever asked for them: each wait is two hand-overs.
const ROWS_AHEAD: usize = 500;
/// Readers beside the one writer SQLite allows; each keeps a thread and what it knows of the tables, 0.3 MB.
const CONNECTIONS: u32 = 2;
/// Bytes of a page of a new file: a commit writes an eighth to a fifth faster than with 4 KB, and its log is folded into it every 1,000 pages.
const PAGE: u32 = 16 * 1024;
/// A commit that returned survives a power cut (design §2, promise 4). NORMAL would lose the last ones, each page together
/// with its checkpoint; it saves one flush a page, which no network notices.
const SYNCHRONOUS: &str = "FULL";

/// Opens the file that `url` names; `rest` is what stands behind its scheme.
pub(super) async fn open(url: &str, rest: &str) -> Result<(Pool, String), StorageError> {
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
    let opening = Opening { read_only: mode == "ro", vfs: parameter("vfs"), synchronous: SYNCHRONOUS };
    pool(options, mode == "rwc", opening).await
}

/// A pool of the file.
pub(super) async fn pool(
    options: SqliteConnectOptions,
    may_create: bool,
    opening: Opening,
) -> Result<(Pool, String), StorageError> {
    let file = options.get_filename().to_owned();
    let options = options
        .page_size(PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("synchronous", opening.synchronous)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging();
    let target = file.display().to_string();
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        // A file does not hang up: asking before each use would be a hand-over between threads for nothing.
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|source| refused(&file, may_create, source))?;
    Ok((Pool::Sqlite(pool, SqliteFile::new(file, opening, BUSY)), target))
}

/// SQLite says "unable to open database file" for nearly everything; the file system knows more.
fn refused(file: &Path, may_create: bool, source: sqlx::Error) -> StorageError {
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
