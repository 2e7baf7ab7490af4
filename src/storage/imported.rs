//! What the import makes of a store, each in one transaction: the store and its key change together, so that no key ever goes to
//! an address it was not given for. And the lock that keeps two instances from importing at once.

use sqlx::{Connection, PgConnection};

use super::credentials;
use super::stores::{self, Change, NewStore, StoreChanges};
use super::vault::{PlainCredential, Vault, VaultError};
use super::{Database, Pools, StorageError};
use crate::domain::store::{Origin, Store};

/// Serialises imports on a PostgreSQL server. The number means nothing: "neto-imp" in ASCII.
const IMPORT_LOCK: i64 = 0x6e65_746f_2d69_6d70;

/// One step of an import.
#[derive(Debug)]
pub enum Step<'a> {
    /// A store that was not there.
    Add(&'a NewStore),
    /// A store that an import has brought.
    Follow {
        /// The store.
        store: &'a Store,
        /// What changes of its settings.
        changes: &'a StoreChanges,
    },
}

/// Does one step: adds or changes the store, puts `key` in the place of its key if there is one, and lets it rest for that reason
/// or go on ([`Change::Clear`]). Gives `false`, and changes nothing, when the store is gone or not the import's any more.
pub async fn apply(
    db: &Database,
    vault: &Vault,
    step: Step<'_>,
    key: Option<PlainCredential>,
    pause: &Change<&'static str>,
) -> Result<bool, VaultError> {
    let before = match &step {
        Step::Follow { store, .. } if key.is_some() => credentials::load_credential(db, store.id).await?,
        _ => None,
    };
    let now = db.clock().now();
    let transaction = db.begin_write().await?;
    let none = StoreChanges::default();
    let added;
    let (store, changes) = match step {
        Step::Add(new) => {
            added = stores::add_in(&transaction, new, Origin::Import, now).await?;
            (&added, &none)
        }
        Step::Follow { store, changes } => (store, changes),
    };
    if !stores::follow_in(&transaction, store, changes, pause, now).await? {
        return Ok(false);
    }
    if let Some(key) = key {
        vault.put_in(db, &transaction, store.id, key, before).await?;
    }
    transaction.commit().await.map_err(StorageError::query("store what was imported"))?;
    Ok(true)
}

/// Held while an import is under way. Dropped, it is free again, whatever happened.
#[derive(Debug)]
pub struct Turn {
    held: Option<PgConnection>,
}

impl Turn {
    /// Takes the turn; `None` when another instance has it. On SQLite there is nobody to wait for: a file has one service, and a
    /// command beside it does the same over again.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn take(db: &Database) -> Result<Option<Self>, StorageError> {
        let failed = || StorageError::sql("take the turn to import");
        let Pools::Postgres(pool) = db.pools() else { return Ok(Some(Self { held: None })) };
        // A connection of its own: the lock is gone with it.
        let mut connection = pool.acquire().await.map_err(failed())?.detach();
        let mine: bool = sqlx::query_scalar("/* Turn::take */ SELECT pg_try_advisory_lock($1)")
            .bind(IMPORT_LOCK)
            .fetch_one(&mut connection)
            .await
            .map_err(failed())?;
        Ok(mine.then_some(Self { held: Some(connection) }))
    }

    /// Gives it back.
    pub async fn give_back(self) {
        if let Some(mut connection) = self.held {
            // Asked for, because the server notices a closed connection when it comes to it; and then closed, which is enough.
            let unlock = sqlx::query("/* Turn::give_back */ SELECT pg_advisory_unlock($1)").bind(IMPORT_LOCK);
            drop(unlock.execute(&mut connection).await);
            drop(connection.close().await);
        }
    }
}
