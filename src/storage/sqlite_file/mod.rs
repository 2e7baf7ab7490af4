//! The SQLite file, opened by hand: pages are read and written here, everything else goes through the pool.
//!
//! A first load hands millions of values to SQLite. The driver boxes each of them and carries them to a thread of its own; here a
//! statement is stepped row after row where the rows are (docs/performance.md says what that spares). Each piece of work runs on a
//! thread that may block, with the connection in its hands; work of many pieces has one such thread for all of them
//! ([`SqliteFile::on_one_thread`]).

mod blocking;
mod refusal;
mod transaction;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::blocking::{MayBlock, blocking};
use self::refusal::Refusal;
pub use self::transaction::FileTransaction;

/// Connections that are kept for those who read next.
const KEPT: usize = 3;
/// Statements that are kept ready: a page has about forty.
const STATEMENTS: usize = 64;
/// Threads for work of many pieces: one writes, others make ready what is written next.
const THREADS: usize = 4;

/// How the file is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whether its address asks for no more than reading.
    pub read_only: bool,
    /// The way to the file system that its address names, if it does.
    pub vfs: Option<String>,
    /// The value of `PRAGMA synchronous`.
    pub synchronous: &'static str,
}

/// See the module.
#[derive(Debug)]
pub struct SqliteFile {
    path: PathBuf,
    opening: Opening,
    /// How long a writer waits for another.
    busy: Duration,
    unused: Mutex<Unused>,
    /// Who writes next, first come first served: SQLite itself lets waiters look again now and then, and whoever looks at the right
    /// moment comes first.
    turn: Arc<Semaphore>,
    /// Who may have a thread of his own.
    threads: Arc<Semaphore>,
}

/// Connections nobody uses.
#[derive(Debug, Default)]
struct Unused {
    /// The one that wrote last writes next: of the pages it keeps in memory it knows that nobody has changed them since.
    writer: Option<Connection>,
    readers: Vec<Connection>,
}

impl Unused {
    fn take(&mut self, to_write: bool) -> Option<Connection> {
        if to_write { self.writer.take() } else { self.readers.pop() }
    }

    fn keep(&mut self, connection: Connection, wrote: bool) {
        if wrote {
            self.writer = Some(connection);
        } else if self.readers.len() < KEPT {
            self.readers.push(connection);
        }
    }
}

impl SqliteFile {
    /// The file at `path`; nothing is opened yet.
    pub fn new(path: PathBuf, opening: Opening, busy: Duration) -> Arc<Self> {
        let (turn, threads) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(THREADS)));
        Arc::new(Self { path, opening, busy, unused: Mutex::default(), turn, threads })
    }

    /// Begins to read: several statements of one state.
    pub async fn reading(self: &Arc<Self>) -> sqlx::Result<FileTransaction> {
        self.begin("BEGIN", None).await
    }

    /// Begins to write, with the lock from the start, so that it cannot fail half-way for want of it.
    pub async fn writing(self: &Arc<Self>) -> sqlx::Result<FileTransaction> {
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        self.begin("BEGIN IMMEDIATE", Some(turn)).await
    }

    /// Does work that writes a lot on a thread of its own, if there is one: none of its pieces is handed to another thread and back,
    /// where each would wait its turn among the tasks of the runtime, twice. There it is done to its end, also where nobody waits for
    /// it any more. Nothing waits for a thread, as it may be what others who have one wait for.
    pub async fn on_one_thread<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> sqlx::Result<T> {
        let Ok(thread) = self.threads.clone().try_acquire_owned() else { return Ok(work.await) };
        let runtime = Handle::current();
        blocking(move || {
            // It is taken for as long as the work lasts, not for as long as somebody waits for it.
            let _thread = thread;
            let _may_block = MayBlock::begin();
            runtime.block_on(work)
        })
        .await
    }

    async fn begin(
        self: &Arc<Self>,
        statement: &'static str,
        turn: Option<OwnedSemaphorePermit>,
    ) -> sqlx::Result<FileTransaction> {
        let file = self.clone();
        let begun = blocking(move || {
            let unused = file.unused().take(turn.is_some());
            let connection = unused.map_or_else(|| file.open(), Ok)?;
            connection.execute_batch(statement)?;
            Ok(FileTransaction::new(file, connection, turn))
        });
        begun.await?.map_err(Refusal::of)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let Opening { read_only, vfs, synchronous } = &self.opening;
        let access = if *read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str()),
            None => Connection::open_with_flags(&self.path, flags),
        }?;
        connection.busy_timeout(self.busy)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch(&format!("PRAGMA foreign_keys = ON; PRAGMA synchronous = {synchronous}"))?;
        Ok(connection)
    }

    fn unused(&self) -> MutexGuard<'_, Unused> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connections nobody uses.
    pub async fn close(self: &Arc<Self>) {
        let unused = std::mem::take(&mut *self.unused());
        // Where the program ends meanwhile they are closed with it.
        drop(blocking(move || drop(unused)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0))
    }

    fn file(folder: &tempfile::TempDir, read_only: bool) -> Arc<SqliteFile> {
        let path = folder.path().join("file.db");
        if !read_only {
            let table =
                Connection::open(&path).and_then(|new| new.execute_batch("CREATE TABLE IF NOT EXISTS t (n UNIQUE)"));
            table.expect("a new file");
        }
        let opening = Opening { read_only, vfs: None, synchronous: "OFF" };
        SqliteFile::new(path, opening, Duration::ZERO)
    }

    #[tokio::test]
    async fn what_is_not_committed_leaves_no_trace_and_its_connection_serves_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder, false);
        for (commit, expected) in [(false, 1), (true, 1), (false, 2)] {
            let mut tx = file.writing().await.expect("a transaction");
            tx.run(|connection| connection.execute_batch("INSERT INTO t VALUES (random())")).await.expect("a row");
            assert_eq!(tx.run(count).await.expect("a count"), expected);
            if commit {
                tx.commit().await.expect("it commits");
            }
        }
        for _ in 0..2 {
            let mut tx = file.reading().await.expect("a transaction");
            assert_eq!(tx.run(count).await.expect("a count"), 1);
        }
        let unused = || {
            let unused = file.unused.lock().expect("nobody panicked");
            (unused.writer.is_some(), unused.readers.len())
        };
        assert_eq!(unused(), (true, 1));
        file.close().await;
        assert_eq!(unused(), (false, 0));
    }

    #[tokio::test]
    async fn a_transaction_nobody_waits_for_any_more_is_rolled_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder, false);
        let mut tx = file.writing().await.expect("a transaction");
        let (begun, go_on) = (Arc::new(tokio::sync::Notify::new()), std::sync::mpsc::channel::<()>());
        let (tell, (release, wait)) = (begun.clone(), go_on);
        let work = tx.run(move |connection| {
            connection.execute_batch("INSERT INTO t VALUES (1)")?;
            tell.notify_one();
            wait.recv().ok();
            Ok(())
        });
        tokio::select! {
            _ = work => panic!("it waits"),
            () = begun.notified() => {}
        }
        assert!(matches!(tx.run(count).await, Err(sqlx::Error::WorkerCrashed)), "its connection is elsewhere");
        drop((tx, release));
        // The next has its turn once the connection is closed, and waits for no lock.
        let mut next = file.writing().await.expect("its turn has come");
        assert_eq!(next.run(count).await.expect("a count"), 0);
    }

    #[tokio::test]
    async fn writers_have_their_turn_in_the_order_they_came_and_readers_wait_for_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder, false);
        let first = file.writing().await.expect("a transaction");
        let (mut second, mut third) = (std::pin::pin!(file.writing()), std::pin::pin!(file.writing()));
        assert!(futures::poll!(second.as_mut()).is_pending() && futures::poll!(third.as_mut()).is_pending());
        file.reading().await.expect("a transaction");
        drop(first);
        let second = second.await.expect("its turn has come");
        assert!(futures::poll!(third.as_mut()).is_pending());
        drop(second);
        third.await.expect("its turn has come");
    }

    #[tokio::test]
    async fn work_of_many_pieces_is_done_on_one_thread_and_where_none_is_left_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder, false);
        let own = file.clone();
        let threads = file.on_one_thread(async move {
            let mut threads = std::collections::HashSet::from([std::thread::current().id()]);
            for _ in 0..3 {
                let mut tx = own.writing().await.expect("a transaction");
                threads.insert(tx.run(|_| Ok(std::thread::current().id())).await.expect("a thread"));
            }
            threads
        });
        let threads = threads.await.expect("it is done");
        assert_eq!(threads.len(), 1);
        assert!(!threads.contains(&std::thread::current().id()));

        let behind = Arc::new(Semaphore::new(0));
        let waits = || {
            let behind = behind.clone();
            file.on_one_thread(async move { behind.acquire().await.is_ok() })
        };
        let mut waiting = std::pin::pin!(futures::future::join_all((0..THREADS).map(|_| waits())));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        let tell = behind.clone();
        file.on_one_thread(async move { tell.add_permits(1) }).await.expect("it is done");
        assert!(waiting.await.into_iter().all(|done| done.expect("it is done")));
        assert_eq!(file.threads.available_permits(), THREADS, "they are given back");
    }

    #[tokio::test]
    async fn a_refusal_has_the_code_by_which_others_know_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let twice = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)";
        let writable = file(&folder, false);
        let mut tx = writable.writing().await.expect("a transaction");
        let refused = tx.run(move |connection| connection.execute_batch(twice)).await.expect_err("the same twice");
        let refused = refused.into_database_error().expect("the database refused it");
        assert_eq!((refused.code().as_deref(), refused.message()), (Some("2067"), "UNIQUE constraint failed: t.n"));

        let busy = file(&folder, false).writing().await.err().expect("there is one writer");
        assert_eq!(busy.into_database_error().and_then(|busy| busy.code().map(Into::into)), Some("5".to_owned()));
        drop(tx);
        let mut tx = file(&folder, true).reading().await.expect("it may be read");
        let refused = tx.run(|connection| connection.execute_batch("DELETE FROM t")).await.expect_err("not written");
        assert_eq!(refused.into_database_error().and_then(|error| error.code().map(Into::into)), Some("8".to_owned()));
    }
}
