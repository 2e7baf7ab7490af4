//! Where work that blocks is done: on a thread that may, and on the spot where that is such a thread already.

use std::cell::Cell;

use tokio::task::spawn_blocking;

thread_local! {
    /// Whether this is a thread of [`super::SqliteFile::on_one_thread`], where work is done on the spot.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread may block: it goes back to the runtime afterwards, for work of any kind.
pub struct MayBlock;

impl MayBlock {
    /// From now on.
    pub fn begin() -> Self {
        MAY_BLOCK.set(true);
        Self
    }
}

impl Drop for MayBlock {
    fn drop(&mut self) {
        MAY_BLOCK.set(false);
    }
}

/// Does work that blocks, and waits for it. A panic of it is the caller's.
///
/// # Errors
/// [`sqlx::Error::WorkerCrashed`] where the program ends before it is begun.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> sqlx::Result<T> {
    if MAY_BLOCK.get() {
        return Ok(work());
    }
    spawn_blocking(work).await.map_err(|gone| match gone.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => sqlx::Error::WorkerCrashed,
    })
}
