//! A transaction of the file, and what becomes of its connection.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::OwnedSemaphorePermit;

use super::SqliteFile;
use super::blocking::blocking;
use super::refusal::Refusal;

/// A transaction of the file; dropped without [`FileTransaction::commit`] it leaves no trace.
pub struct FileTransaction {
    file: Arc<SqliteFile>,
    /// Not there while it is at work, nor ever again where nobody waits for that work any more: then it is closed behind it.
    begun: Option<Begun>,
}

/// A connection in a transaction and, where that writes, its turn: the next has it once the connection is closed or given back.
struct Begun {
    connection: Connection,
    turn: Option<OwnedSemaphorePermit>,
}

impl FileTransaction {
    /// Of a connection that has begun it.
    pub(super) fn new(file: Arc<SqliteFile>, connection: Connection, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { file, begun: Some(Begun { connection, turn }) }
    }

    /// Does a piece of work with the connection.
    pub async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        let begun = self.begun.take().ok_or(sqlx::Error::WorkerCrashed)?;
        let (begun, done) = blocking(move || {
            let done = work(&begun.connection);
            (begun, done)
        })
        .await?;
        self.begun = Some(begun);
        done.map_err(Refusal::of)
    }

    /// Makes it durable.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        self.run(|connection| connection.execute_batch("COMMIT")).await
    }
}

impl Drop for FileTransaction {
    fn drop(&mut self) {
        let Some(Begun { connection, turn }) = self.begun.take() else { return };
        // Nothing of it is in the file yet, so this forgets pages in memory and is not worth a thread of its own.
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            // Before its turn is over, which is at the end of this.
            drop(connection);
            return;
        }
        self.file.unused().keep(connection, turn.is_some());
    }
}
