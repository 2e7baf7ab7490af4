//! Credentials, sealed on the way into the database and opened on the way out. The only user of [`super::crypter`]
//! and [`super::credentials`] together; secrets are plain on its outer side only.
//!
//! The key file may get another first key while this process lives (`netosync keys rotate`): it is read again when a credential
//! is met that none of the keys opens, and whenever something is sealed, so that nobody seals with a key that others have left.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tracing::{info, warn};
use url::Url;

use super::credentials::{self, NewCredential, SealedCredential};
use super::crypter::{Crypter, CrypterError, Location};
use super::master_key::{self, Found, KeyError};
use super::renewal::{self, Claim};
use super::{Database, StorageError, rotation};
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
    /// The key file cannot be read again, so that nothing can be sealed.
    #[error(transparent)]
    Keys(#[from] KeyError),
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
    /// The key or token; empty while none has been got.
    pub secret: Secret,
    /// What buys the next token: a refresh token, or the password of a login.
    pub refresh: Option<Secret>,
    /// The secret of the OAuth client.
    pub client_secret: Option<Secret>,
    /// Where tokens are got, where that is not what the connector says.
    pub token_url: Option<Url>,
    /// What the token allows, in the server's words.
    pub scopes: Option<String>,
    /// When the token was got, if it was.
    pub renewed_at: Option<DateTime<Utc>>,
    /// When the token expires, if that is known.
    pub expires_at: Option<DateTime<Utc>>,
}

impl PlainCredential {
    /// A secret, and how it is presented; nothing else.
    #[must_use]
    pub fn new(scheme: Scheme, secret: Secret) -> Self {
        Self {
            scheme,
            username: None,
            client_id: None,
            secret,
            refresh: None,
            client_secret: None,
            token_url: None,
            scopes: None,
            renewed_at: None,
            expires_at: None,
        }
    }
}

/// Seals and opens credentials with the master keys.
#[derive(Debug)]
pub struct Vault {
    keys: RwLock<Arc<Crypter>>,
    /// The key file and whether it is a copy; `None` for keys that are nowhere else.
    file: Option<(PathBuf, bool)>,
}

impl Vault {
    /// A vault with keys of its own.
    #[must_use]
    pub fn new(crypter: Crypter) -> Self {
        Self { keys: RwLock::new(Arc::new(crypter)), file: None }
    }

    /// A vault with the keys of a file, which is read again when that is needed.
    #[must_use]
    pub fn of_file(found: Found) -> Self {
        Self { file: Some((found.path, found.copy)), ..Self::new(found.crypter) }
    }

    /// Seals a credential and makes it the store's; its state begins anew as `ok`, never used. The same secret keeps its
    /// fingerprint.
    pub async fn put(&self, db: &Database, store_id: i64, plain: PlainCredential) -> Result<(), VaultError> {
        let before = credentials::load_credential(db, store_id).await?;
        credentials::put_sealed_by(db, store_id, || self.sealed(store_id, plain, before)).await
    }

    /// [`Vault::put`] within a transaction; `before` is what the store had.
    pub(super) async fn put_in(
        &self,
        db: &Database,
        transaction: &DatabaseTransaction,
        store_id: i64,
        plain: PlainCredential,
        before: Option<SealedCredential>,
    ) -> Result<(), VaultError> {
        credentials::put_sealed_in(db, transaction, store_id, || self.sealed(store_id, plain, before)).await
    }

    fn sealed(
        &self,
        store_id: i64,
        plain: PlainCredential,
        before: Option<SealedCredential>,
    ) -> Result<NewCredential, VaultError> {
        let same = before.filter(|before| {
            let opened = self.open_place(&place(store_id), &before.sealed.key_id, &before.sealed.secret);
            opened.is_ok_and(|secret| !secret.is_empty() && secret.expose() == plain.secret.expose())
        });
        self.read_again()?;
        let fingerprint = same.map(|before| before.sealed.fingerprint);
        Ok(seal(&self.keys(), store_id, plain, fingerprint)?)
    }

    /// Seals a credential with a new token in the place of the one whose renewal was claimed. `false`, and nothing is stored, when
    /// that was replaced meanwhile.
    pub async fn renew(&self, db: &Database, claim: &Claim, renewed: PlainCredential) -> Result<bool, VaultError> {
        let seal = || {
            self.read_again()?;
            Ok::<_, VaultError>(seal(&self.keys(), claim.store_id, renewed, None)?)
        };
        renewal::store(db, claim, seal).await
    }

    /// Opens a stored credential that is at hand.
    pub fn opened(&self, found: SealedCredential) -> Result<Credential, CrypterError> {
        let (standing, failing) = (found.standing(), found.is_failing());
        let (store_id, sealed) = (found.store_id, found.sealed);
        let secret = self.open_place(&place(store_id), &sealed.key_id, &sealed.secret)?;
        let (refresh, client_secret) = self.open_beside(store_id, &sealed)?;
        Ok(Credential {
            store_id,
            scheme: sealed.scheme,
            username: sealed.username,
            client_id: sealed.client_id,
            secret,
            refresh,
            client_secret,
            token_url: sealed.token_url.and_then(|url| url.parse().ok()),
            scopes: sealed.scopes,
            renewed_at: sealed.renewed_at,
            expires_at: sealed.expires_at,
            fingerprint: sealed.fingerprint,
            standing,
            failing,
        })
    }

    /// Whether a stored credential opens, for `netosync check`.
    pub fn try_open(&self, found: &SealedCredential) -> Result<(), CrypterError> {
        let sealed = &found.sealed;
        self.open_place(&place(found.store_id), &sealed.key_id, &sealed.secret)?;
        self.open_beside(found.store_id, sealed)?;
        Ok(())
    }

    /// Opens the credential of a store; `store` is its name, for the error.
    pub async fn open(&self, db: &Database, store_id: i64, store: &str) -> Result<Credential, VaultError> {
        let found = credentials::load_credential(db, store_id).await?;
        let found = found.ok_or_else(|| VaultError::Missing { store: store.to_owned() })?;
        Ok(self.opened(found)?)
    }

    /// The name of the key that seals.
    #[must_use]
    pub fn sealing(&self) -> String {
        self.keys().sealing()
    }

    /// Seals a stored credential with the first key instead of its own. `false`, and nothing is changed, when it is not the
    /// stored one any more.
    pub async fn reseal(&self, db: &Database, found: &SealedCredential) -> Result<bool, VaultError> {
        let (keys, sealed) = (self.keys(), &found.sealed);
        let anew = |place: Location, text: &[u8]| {
            let secret = self.open_place(&place, &sealed.key_id, text)?;
            keys.seal(&place, &secret).map(|(_, text)| text)
        };
        let secret = anew(place(found.store_id), &sealed.secret)?;
        let beside = |place: Location, text: Option<&[u8]>| text.map(|text| anew(place, text)).transpose();
        let resealed = rotation::Resealing {
            secret,
            refresh_secret: beside(refresh_place(found.store_id), sealed.refresh_secret.as_deref())?,
            client_secret: beside(client_place(found.store_id), sealed.client_secret.as_deref())?,
            key_id: keys.sealing(),
        };
        Ok(rotation::replace_sealed(db, found, resealed).await?)
    }

    /// Opens what is sealed beside a token: what buys the next one, and the client's secret.
    fn open_beside(
        &self,
        store_id: i64,
        sealed: &NewCredential,
    ) -> Result<(Option<Secret>, Option<Secret>), CrypterError> {
        let open = |place: Location, text: Option<&Vec<u8>>| {
            text.map(|text| self.open_place(&place, &sealed.key_id, text)).transpose()
        };
        Ok((
            open(refresh_place(store_id), sealed.refresh_secret.as_ref())?,
            open(client_place(store_id), sealed.client_secret.as_ref())?,
        ))
    }

    fn open_place(&self, place: &Location, key_id: &str, sealed: &[u8]) -> Result<Secret, CrypterError> {
        match self.keys().open(place, key_id, sealed) {
            Err(CrypterError::UnknownKey { .. }) => {}
            other => return other,
        }
        if let Err(error) = self.read_again() {
            warn!("a credential is sealed with master key {key_id}, which is not known here, and {error}");
        }
        self.keys().open(place, key_id, sealed)
    }

    /// Reads the key file again, if there is one. Keys that are not in it any more still open what they sealed.
    pub fn read_again(&self) -> Result<(), KeyError> {
        let Some((path, copy)) = &self.file else { return Ok(()) };
        let found = master_key::read_again(path, *copy)?;
        let held = self.keys();
        let (before, after) = (held.key_ids(), found.and_still(&held));
        if after.key_ids() != before {
            info!("read the key file {} again: master key {} seals from now on", path.display(), after.sealing());
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        }
        Ok(())
    }

    fn keys(&self) -> Arc<Crypter> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where a store's secret lives: a secret moved to another row or column does not open.
fn place(store_id: i64) -> Location {
    Location { table: "credentials", column: "secret", row: store_id }
}

/// Where its refresh token lives.
fn refresh_place(store_id: i64) -> Location {
    Location { column: "refresh_secret", ..place(store_id) }
}

/// Where the secret of its OAuth client lives.
fn client_place(store_id: i64) -> Location {
    Location { column: "client_secret", ..place(store_id) }
}

/// Seals a credential for its store. One that replaces another with the same secret keeps that one's `fingerprint`.
fn seal(
    keys: &Crypter,
    store_id: i64,
    plain: PlainCredential,
    fingerprint: Option<String>,
) -> Result<NewCredential, CrypterError> {
    let (key_id, secret) = keys.seal(&place(store_id), &plain.secret)?;
    let beside =
        |place: Location, secret: Option<Secret>| secret.map(|secret| Ok(keys.seal(&place, &secret)?.1)).transpose();
    // Before there is a token, what buys it tells one credential from another.
    let telling = [Some(&plain.secret), plain.refresh.as_ref(), plain.client_secret.as_ref()];
    let telling = telling.into_iter().flatten().find(|secret| !secret.is_empty()).unwrap_or(&plain.secret);
    Ok(NewCredential {
        fingerprint: fingerprint.unwrap_or_else(|| keys.fingerprint(telling)),
        scheme: plain.scheme,
        username: plain.username,
        client_id: plain.client_id,
        secret,
        refresh_secret: beside(refresh_place(store_id), plain.refresh)?,
        client_secret: beside(client_place(store_id), plain.client_secret)?,
        token_url: plain.token_url.map(String::from),
        scopes: plain.scopes,
        renewed_at: plain.renewed_at,
        key_id,
        expires_at: plain.expires_at,
    })
}
