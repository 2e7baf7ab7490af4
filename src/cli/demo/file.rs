//! The file of the demonstration. It carries a mark of SQLite's own kind (`application_id`), so that the next
//! demonstration replaces what an earlier one made, and never anything else.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::cli::exit::{CliError, Exit};

/// "ndem" in ASCII.
const MARK: u32 = 0x6e64_656d;
/// Where an SQLite file says what it is, and where its `application_id` is (sqlite.org/fileformat.html).
const MAGIC: &[u8] = b"SQLite format 3\0";
const MARK_AT: usize = 68;

/// Makes a new marked database at `path`; an earlier demonstration's file gives way.
pub async fn renew(path: &Path) -> Result<(), CliError> {
    match is_ours(path) {
        Ok(true) => remove(path).map_err(|error| cannot(path, "be replaced", &error))?,
        Ok(false) => {
            let message = format!(
                "{} exists and is not the database of an earlier demo, so it is left alone; \
                 name another file with --database, or work in another folder",
                path.display()
            );
            return Err(CliError::new(Exit::Failed, message));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(path, "be read", &error)),
    }
    mark(path).await.map_err(|error| cannot(path, "be created", &error))
}

/// The address of the file for `database.url`.
pub fn url(path: &Path) -> String {
    let escaped = path.display().to_string().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{escaped}?mode=rwc")
}

fn is_ours(path: &Path) -> std::io::Result<bool> {
    let mut head = [0; MARK_AT + 4];
    match File::open(path)?.read_exact(&mut head) {
        Ok(()) => Ok(head.starts_with(MAGIC) && head[MARK_AT..] == MARK.to_be_bytes()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the database and what SQLite keeps beside it.
fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        match std::fs::remove_file(PathBuf::from(beside)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::remove_file(path)
}

/// The mark is in the file before anything else is, so that even a demonstration that is killed can be replaced.
async fn mark(path: &Path) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await?;
    let sql = format!("/* mark */ PRAGMA application_id = {MARK}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

fn cannot(path: &Path, what: &str, error: &dyn std::fmt::Display) -> CliError {
    let message = format!("{} cannot {what}: {error}; name another file with --database", path.display());
    CliError::new(Exit::Failed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_database_of_an_earlier_demo_is_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("demo.db");
        renew(&path).await.expect("there was none");
        assert!(is_ours(&path).expect("readable"));
        std::fs::write(folder.path().join("demo.db-wal"), "of the earlier one").expect("writable");
        renew(&path).await.expect("an earlier demo's");
        assert!(!folder.path().join("demo.db-wal").exists());

        let other = SqliteConnectOptions::new().filename(folder.path().join("shop.db")).create_if_missing(true);
        let mut other = other.connect().await.expect("a database of somebody else");
        sqlx::raw_sql("CREATE TABLE t (c)").execute(&mut other).await.expect("writable");
        other.close().await.expect("closed");
        std::fs::write(folder.path().join("notes.txt"), "n").expect("writable");
        std::fs::write(folder.path().join("empty.db"), "").expect("writable");
        for name in ["shop.db", "notes.txt", "empty.db"] {
            let before = std::fs::read(folder.path().join(name)).expect("readable");
            let refusal = renew(&folder.path().join(name)).await.expect_err("not ours").message;
            assert!(refusal.contains("is left alone"), "{refusal}");
            assert_eq!(std::fs::read(folder.path().join(name)).expect("readable"), before);
        }
    }
}
