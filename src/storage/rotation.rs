//! Seals every credential with the newest master key, while others use and replace them.
//!
//! A credential is replaced in one statement with the name of its key, and only while it is what was opened: one that somebody
//! else has replaced meanwhile is looked at again. So at any moment each is sealed with exactly one key, the one it names, and
//! whoever is stopped in between has nothing to undo.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};

use super::credentials::{self, SealedCredential};
use super::crypter::CrypterError;
use super::vault::{Vault, VaultError};
use super::{Database, Engine, StorageError};
use crate::entity::credentials::{ActiveModel, Column, Entity};

/// What became of the credentials.
#[derive(Debug, Default)]
pub struct Resealed {
    /// How many there are.
    pub total: usize,
    /// How many were sealed with the first key here.
    pub resealed: usize,
    /// Those that do not open, by store; they stay as they are.
    pub closed: Vec<(i64, CrypterError)>,
}

/// Seals all credentials with the first key of `vault` that are not, until there is none left that opens. `progress` is told how
/// many are done, of how many.
pub async fn reseal_all(
    db: &Database,
    vault: &Vault,
    mut progress: impl FnMut(usize, usize),
) -> Result<Resealed, VaultError> {
    let first = vault.sealing();
    let mut outcome = Resealed::default();
    loop {
        let all = credentials::list_credentials(db).await?;
        let old: Vec<_> = all.iter().filter(|found| found.sealed.key_id != first).collect();
        outcome.total = all.len();
        outcome.closed.clear();
        let mut done = all.len() - old.len();
        for found in &old {
            match vault.reseal(db, found).await {
                Ok(true) => {
                    (outcome.resealed, done) = (outcome.resealed + 1, done + 1);
                    progress(done, all.len());
                }
                // Replaced meanwhile; the next look shows by what.
                Ok(false) => {}
                Err(VaultError::Crypter(error)) => outcome.closed.push((found.store_id, error)),
                Err(error) => return Err(error),
            }
        }
        // Something was replaced, by us or others: it takes another look to know that all is done.
        if outcome.closed.len() == old.len() {
            return Ok(outcome);
        }
    }
}

/// The keys that something is sealed with.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn keys_in_use(on: &impl ConnectionTrait) -> Result<BTreeSet<String>, StorageError> {
    let ids = Entity::find().select_only().column(Column::KeyId).distinct().order_by_asc(Column::KeyId);
    let ids: Vec<String> =
        ids.into_tuple().all(on).await.map_err(StorageError::query("list the master keys in use"))?;
    Ok(ids.into_iter().collect())
}

/// Calls `forget` when nothing is sealed with any of `keys`, while nobody can store a credential. `false` when something is.
///
/// # Errors
/// [`StorageError::Query`], or that of `forget`.
pub async fn unless_in_use<E: From<StorageError>>(
    db: &Database,
    keys: &[String],
    forget: impl FnOnce() -> Result<(), E>,
) -> Result<bool, E> {
    let transaction = db.begin_write().await?;
    lock(db, &transaction, "SHARE").await?;
    if keys_in_use(&transaction).await?.iter().any(|id| keys.contains(id)) {
        return Ok(false);
    }
    forget()?;
    // Nothing was written; what was locked is let go.
    transaction.rollback().await.map_err(StorageError::query("let the credentials go"))?;
    Ok(true)
}

/// Keeps [`unless_in_use`] waiting until the end of a transaction that is going to store a credential: read the key file after
/// this, and no key that is in it can be forgotten before the credential is seen.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn hold_keys(db: &Database, transaction: &DatabaseTransaction) -> Result<(), StorageError> {
    lock(db, transaction, "ROW EXCLUSIVE").await
}

/// On SQLite a transaction that writes has the database to itself.
async fn lock(db: &Database, transaction: &DatabaseTransaction, mode: &str) -> Result<(), StorageError> {
    if db.engine() == Engine::Postgres {
        let lock = format!("LOCK TABLE credentials IN {mode} MODE");
        transaction.execute_unprepared(&lock).await.map_err(StorageError::query("lock the credentials"))?;
    }
    Ok(())
}

/// What is sealed of a credential, sealed anew.
pub struct Resealing {
    /// The key or token.
    pub secret: Vec<u8>,
    /// What buys the next token.
    pub refresh_secret: Option<Vec<u8>>,
    /// The secret of the OAuth client.
    pub client_secret: Option<Vec<u8>>,
    /// Which master key sealed them.
    pub key_id: String,
}

/// Replaces what is sealed of a credential, and keeps its fingerprint and what is known about it. `false`, and nothing is
/// changed, when it is not the stored one any more. What is sealed is never the same twice, so it is what is compared.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn replace_sealed(db: &Database, found: &SealedCredential, anew: Resealing) -> Result<bool, StorageError> {
    let (sealed, refresh) = (&found.sealed, Expr::col(Column::RefreshSecret));
    let same_refresh = match &sealed.refresh_secret {
        Some(text) => refresh.eq(text.clone()),
        None => refresh.is_null(),
    };
    let update = Entity::update_many()
        .filter(Column::StoreId.eq(found.store_id))
        .filter(Column::KeyId.eq(sealed.key_id.as_str()))
        .filter(Column::Secret.eq(sealed.secret.clone()))
        .filter(same_refresh)
        .set(ActiveModel {
            secret: Set(anew.secret),
            refresh_secret: Set(anew.refresh_secret),
            client_secret: Set(anew.client_secret),
            key_id: Set(anew.key_id),
            ..Default::default()
        });
    let done = update.exec(db.orm()).await.map_err(StorageError::query("reseal the credential"))?;
    Ok(done.rows_affected > 0)
}
