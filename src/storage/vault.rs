//! Credentials, sealed on the way into the database and opened on the way out. The only user of [`super::crypter`]
//! and [`super::credentials`] together; secrets are plain on its outer side only.

use super::credentials::{self, NewCredential, SealedCredential};
use super::crypter::{Crypter, CrypterError, Location};
use super::{Database, StorageError};
use crate::domain::secret::Secret;
use crate::domain::store::{Credential, Scheme};

/// Why a credential could not be stored or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Crypter(#[from] CrypterError),
    /// There is none.
    #[error("store {store} has no credential; give one with `netosync store rekey {store}`")]
    Missing {
        /// Name of the store.
        store: String,
    },
}

/// A credential on its way in.
#[derive(Clone, Debug)]
pub struct PlainCredential {
    /// How it is presented.
    pub scheme: Scheme,
    /// Staff user of a user-based API key.
    pub username: Option<String>,
    /// OAuth client id.
    pub client_id: Option<String>,
    /// The key or token.
    pub secret: Secret,
}

/// Seals and opens credentials with the master key.
#[derive(Debug)]
pub struct Vault {
    crypter: Crypter,
}

impl Vault {
    /// A vault with its keys.
    #[must_use]
    pub fn new(crypter: Crypter) -> Self {
        Self { crypter }
    }

    /// Seals a credential and makes it the store's; its state begins anew as `ok`, never used.
    pub async fn put(&self, db: &Database, store_id: i64, plain: PlainCredential) -> Result<(), VaultError> {
        let (key_id, secret) = self.crypter.seal(&place(store_id), &plain.secret)?;
        let sealed = NewCredential {
            scheme: plain.scheme,
            username: plain.username,
            client_id: plain.client_id,
            secret,
            refresh_secret: None,
            key_id,
            fingerprint: self.crypter.fingerprint(&plain.secret),
            expires_at: None,
        };
        Ok(credentials::put_credential(db, store_id, sealed).await?)
    }

    /// Whether a stored credential opens, for `netosync check`.
    pub fn try_open(&self, found: &SealedCredential) -> Result<(), CrypterError> {
        let sealed = &found.sealed;
        self.crypter.open(&place(found.store_id), &sealed.key_id, &sealed.secret).map(drop)
    }

    /// Opens the credential of a store; `store` is its name, for the error.
    pub async fn open(&self, db: &Database, store_id: i64, store: &str) -> Result<Credential, VaultError> {
        let found = credentials::load_credential(db, store_id).await?;
        let found = found.ok_or_else(|| VaultError::Missing { store: store.to_owned() })?;
        let (standing, failing) = (found.standing(), found.is_failing());
        let sealed = found.sealed;
        let secret = self.crypter.open(&place(store_id), &sealed.key_id, &sealed.secret)?;
        Ok(Credential {
            store_id,
            scheme: sealed.scheme,
            username: sealed.username,
            client_id: sealed.client_id,
            secret,
            fingerprint: sealed.fingerprint,
            standing,
            failing,
        })
    }
}

/// Where a store's secret lives: a secret moved to another row or column does not open.
fn place(store_id: i64) -> Location {
    Location { table: "credentials", column: "secret", row: store_id }
}
