//! A database that is thrown away: a copy of what a run of one store reads, for [`crate::sync::plan`] to run on.
//!
//! It is an SQLite file in a folder of its own that only this user may enter, whatever the real database is. The folder goes away
//! with the value; one that a killed process has left is taken away by the next that makes one.

use std::fs::File;
use std::path::{Path, PathBuf};

use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Statement};
use tempfile::TempDir;

use super::{Database, StorageError, products, records, schema};
use crate::entity::{credentials, cursors, held_removals, stores};

/// How the folders' names begin.
const PREFIX: &str = "netosync-plan-";
/// The file in a folder that is locked as long as its process lives.
const LOCK: &str = "lock";

/// See the module.
#[derive(Debug)]
pub struct Scratch {
    db: Database,
    _folder: TempDir,
    _lock: File,
}

/// What tells that a store's copy was written to, or a run of it begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    change_seq: i64,
    last_run: Option<i64>,
}

impl Mark {
    /// Of a store as it is now.
    ///
    /// # Errors
    /// [`StorageError::Query`], or [`StorageError::UnknownStore`] when it is gone.
    pub async fn of(db: &Database, store_id: i64) -> Result<Self, StorageError> {
        let sql =
            "/* mark */ SELECT change_seq, (SELECT MAX(id) FROM runs WHERE store_id = $1) FROM stores WHERE id = $1";
        let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [store_id.into()]);
        let doing = StorageError::query("look whether the store is left alone");
        let row = db.orm().query_one_raw(statement).await.map_err(doing)?;
        let row = row.ok_or_else(|| StorageError::UnknownStore { name: format!("number {store_id}") })?;
        let read = || Ok(Self { change_seq: row.try_get_by_index(0)?, last_run: row.try_get_by_index(1)? });
        read().map_err(StorageError::query("look whether the store is left alone"))
    }
}

impl Scratch {
    /// Copies a store out of `from`, which is only read.
    ///
    /// # Errors
    /// [`StorageError::Scratch`] when the folder cannot be made, [`StorageError::UnknownStore`], [`StorageError::Query`].
    pub async fn of_store(from: &Database, store_id: i64) -> Result<Self, StorageError> {
        let (folder, lock) = folder(&std::env::temp_dir()).map_err(|source| StorageError::Scratch { source })?;
        let db = Database::throwaway(&folder.path().join("copy.db"), from.clock().clone()).await?;
        schema::migrate(&db).await?;
        copy_settings(from, &db, store_id).await?;
        products::copy_light(from, &db, store_id).await?;
        records::copy_hashes(from, &db, store_id).await?;
        Ok(Self { db, _folder: folder, _lock: lock })
    }

    /// The copy.
    #[must_use]
    pub fn db(&self) -> &Database {
        &self.db
    }

    /// How many products or records have come back: the feed of the copy begins empty.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn restored(&self) -> Result<i64, StorageError> {
        let sql = "/* restored */ SELECT (SELECT COUNT(*) FROM product_change_lines WHERE kind = 'restored') \
             + (SELECT COUNT(*) FROM record_changes WHERE kind = 'restored')";
        let statement = Statement::from_string(self.db.orm().get_database_backend(), sql);
        let row =
            self.db.orm().query_one_raw(statement).await.map_err(StorageError::query("count what has come back"))?;
        let count = row.map_or(Ok(0), |row| row.try_get_by_index(0));
        count.map_err(StorageError::query("count what has come back"))
    }

    /// How many products a run has been kept from removing.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn held_back(&self, run_id: i64) -> Result<Option<i64>, StorageError> {
        let find = held_removals::Entity::find().filter(held_removals::Column::RunId.eq(run_id));
        let found = find.one(self.db.orm()).await.map_err(StorageError::query("read held removals"))?;
        Ok(found.map(|held| held.products))
    }

    /// Closes the copy and takes it away.
    pub async fn throw_away(self) {
        self.db.close().await;
    }
}

/// Takes away all copies of this process, which is about to end.
pub fn take_all_away() {
    for folder in of_ours(&std::env::temp_dir()).into_iter().flatten() {
        drop(std::fs::remove_dir_all(folder));
    }
}

/// A new folder, locked. Those of processes that are gone are taken away.
fn folder(place: &Path) -> std::io::Result<(TempDir, File)> {
    for left in left_behind(place)? {
        // Somebody else may be faster, or it may be another user's.
        drop(std::fs::remove_dir_all(left));
    }
    let folder = tempfile::Builder::new().prefix(&prefix()).tempdir_in(place)?;
    let lock = File::create(folder.path().join(LOCK))?;
    lock.try_lock()?;
    Ok((folder, lock))
}

/// How the names of this process's folders begin.
fn prefix() -> String {
    format!("{PREFIX}{}-", std::process::id())
}

fn of_ours(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    named(place, &prefix())
}

/// The folders of plans whose process has gone.
fn left_behind(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    let unlocked = |folder: &PathBuf| File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
    Ok(named(place, PREFIX)?.into_iter().filter(unlocked).collect())
}

fn named(place: &Path, prefix: &str) -> std::io::Result<Vec<PathBuf>> {
    let ours = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    Ok(std::fs::read_dir(place)?.flatten().filter(ours).map(|entry| entry.path()).collect())
}

/// Copies the rows of a store that are not products: its settings, its key as it is sealed, its cursors, and what is held back.
async fn copy_settings(from: &Database, to: &Database, store_id: i64) -> Result<(), StorageError> {
    let failed = || StorageError::query("copy the store for a plan");
    let (read, write) = (from.orm(), to.orm());
    let store = stores::Entity::find_by_id(store_id).one(read).await.map_err(failed())?;
    let store = store.ok_or_else(|| StorageError::UnknownStore { name: format!("number {store_id}") })?;
    store.into_active_model().reset_all().insert(write).await.map_err(failed())?;
    if let Some(row) = credentials::Entity::find_by_id(store_id).one(read).await.map_err(failed())? {
        row.into_active_model().reset_all().insert(write).await.map_err(failed())?;
    }
    let rows = cursors::Entity::find().filter(cursors::Column::StoreId.eq(store_id)).all(read).await;
    for row in rows.map_err(failed())? {
        row.into_active_model().reset_all().insert(write).await.map_err(failed())?;
    }
    if let Some(row) = held_removals::Entity::find_by_id(store_id).one(read).await.map_err(failed())? {
        // The number of no run, so that it is not taken for one of the copy.
        let row = held_removals::Model { run_id: 0, ..row };
        row.into_active_model().reset_all().insert(write).await.map_err(failed())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_killed_process_has_left_is_taken_away_and_one_in_use_is_not() {
        let place = tempfile::tempdir().expect("a folder");
        let (alive, _lock) = folder(place.path()).expect("a folder");
        let (dead, lock) = folder(place.path()).expect("a folder");
        let dead = dead.keep();
        drop(lock);
        let (another, _another_lock) = folder(place.path()).expect("a folder");
        assert!(alive.path().exists() && another.path().exists() && !dead.exists());
    }
}
