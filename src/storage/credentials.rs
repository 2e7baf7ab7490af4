//! The stores' credentials, sealed. Sealing and opening is the crypter's; nothing in here sees a key.
//! What the stores' answers say of them is written down in [`super::standings`].

use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, SqlErr};

use super::incidents::{self, Subject};
use super::{Database, StorageError, rotation};
use crate::domain::incident::IncidentKind;
use crate::domain::lifecycle::Standing;
use crate::domain::store::{CredentialState, Scheme};
use crate::entity::credentials::{ActiveModel, Column, Entity, Model};

/// A credential as it is to be stored.
#[derive(Clone)]
pub struct NewCredential {
    /// How it is presented.
    pub scheme: Scheme,
    /// Staff user of a user-based API key.
    pub username: Option<String>,
    /// OAuth client id.
    pub client_id: Option<String>,
    /// The key or token, sealed.
    pub secret: Vec<u8>,
    /// What buys the next token, sealed.
    pub refresh_secret: Option<Vec<u8>>,
    /// The secret of the OAuth client, sealed.
    pub client_secret: Option<Vec<u8>>,
    /// Where tokens are got, where that is not what the connector says.
    pub token_url: Option<String>,
    /// What the token allows, in the server's words.
    pub scopes: Option<String>,
    /// Which master key sealed them.
    pub key_id: String,
    /// Tells one key from another without giving it away.
    pub fingerprint: String,
    /// When the token was got, if it was.
    pub renewed_at: Option<DateTime<Utc>>,
    /// When the token expires, if it does.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A credential as it is stored, with what is known about it.
#[derive(Clone, Debug)]
pub struct SealedCredential {
    /// The store it belongs to.
    pub store_id: i64,
    /// The credential.
    pub sealed: NewCredential,
    /// Whether it is believed to work.
    pub state: CredentialState,
    /// Since when it is in that state.
    pub state_since: DateTime<Utc>,
    /// When the store last judged it.
    pub last_checked_at: Option<DateTime<Utc>>,
    /// When a call with it last succeeded.
    pub last_ok_at: Option<DateTime<Utc>>,
    /// What the store said against it, redacted; `None` once it works.
    pub last_error: Option<String>,
    /// The HTTP status that came with it; 200 when the error was in the body.
    pub last_status: Option<u16>,
    /// Refused calls in a row, see [`crate::domain::lifecycle`].
    pub refusals: u32,
    /// When it is due whatever the schedule: a key that was given up is not used by itself before, a new one is at once.
    pub next_check_at: Option<DateTime<Utc>>,
    /// When the store last refused it or could not be reached.
    pub last_failed_at: Option<DateTime<Utc>>,
}

impl SealedCredential {
    /// What its life cycle goes by.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            since: self.state_since,
            refusals: self.refusals,
            worked: self.last_ok_at.is_some(),
            next_check_at: self.next_check_at,
        }
    }

    /// Whether its last call was refused or brought no answer.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.last_failed_at.is_some_and(|failed| self.last_ok_at.is_none_or(|ok| failed >= ok))
    }
}

/// Stores the credential of a store in the place of the one before, if any. A new key starts as `ok`, unjudged. When the one
/// before was flagged, the incident about it is over and the store is due at once.
///
/// # Errors
/// [`StorageError::UnknownStore`] or [`StorageError::Query`].
pub async fn put_credential(db: &Database, store_id: i64, new: NewCredential) -> Result<(), StorageError> {
    put_sealed_by(db, store_id, || Ok(new)).await
}

/// [`put_credential`] that is sealed by `seal` when nobody can forget a master key any more before it is stored
/// ([`super::rotation::unless_in_use`]).
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`], or that of `seal`; then nothing is stored.
pub async fn put_sealed_by<E: From<StorageError>>(
    db: &Database,
    store_id: i64,
    seal: impl FnOnce() -> Result<NewCredential, E>,
) -> Result<(), E> {
    let transaction = db.begin_write().await?;
    put_sealed_in(db, &transaction, store_id, seal).await?;
    Ok(transaction.commit().await.map_err(StorageError::query("store the credential"))?)
}

/// [`put_sealed_by`] within a transaction.
pub(super) async fn put_sealed_in<E: From<StorageError>>(
    db: &Database,
    transaction: &DatabaseTransaction,
    store_id: i64,
    seal: impl FnOnce() -> Result<NewCredential, E>,
) -> Result<(), E> {
    let doing = "store the credential";
    let now = db.clock().now();
    rotation::hold_keys(db, transaction).await?;
    let new = seal()?;
    let row = ActiveModel {
        store_id: Set(store_id),
        scheme: Set(new.scheme.as_str().to_owned()),
        username: Set(new.username),
        client_id: Set(new.client_id),
        secret: Set(new.secret),
        refresh_secret: Set(new.refresh_secret),
        key_id: Set(new.key_id),
        fingerprint: Set(new.fingerprint),
        expires_at: Set(new.expires_at),
        state: Set(CredentialState::Ok.as_str().to_owned()),
        state_since: Set(now),
        last_checked_at: Set(None),
        last_ok_at: Set(None),
        last_error: Set(None),
        refusals: Set(0),
        next_check_at: Set(None),
        last_failed_at: Set(None),
        last_status: Set(None),
        client_secret: Set(new.client_secret),
        token_url: Set(new.token_url),
        scopes: Set(new.scopes),
        renewed_at: Set(new.renewed_at),
        renewing_by: Set(None),
        renewing_until: Set(None),
    };
    let kept = |column: &Column| matches!(column, Column::StoreId | Column::NextCheckAt);
    let replaced = <Column as sea_orm::Iterable>::iter().filter(|column| !kept(column));
    let flagged = Expr::col((Entity, Column::State)).ne(CredentialState::Ok.as_str());
    let due = Expr::case(flagged, now).finally(None::<DateTime<Utc>>);
    let stored = Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::StoreId).update_columns(replaced).value(Column::NextCheckAt, due).to_owned(),
        )
        .exec_without_returning(transaction)
        .await;
    stored.map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            StorageError::UnknownStore { name: format!("number {store_id}") }
        }
        _ => StorageError::query(doing)(error),
    })?;
    incidents::end_in(transaction, IncidentKind::KeyRevoked, Subject::Store(store_id), now)
        .await
        .map_err(StorageError::query(doing))?;
    Ok(())
}

/// Forgets the credential of a store, secrets and all; the incident about it is over.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn forget(db: &Database, store_id: i64) -> Result<(), StorageError> {
    let failed = || StorageError::query("forget the credential");
    let transaction = db.begin_write().await?;
    Entity::delete_by_id(store_id).exec(&transaction).await.map_err(failed())?;
    incidents::end_in(&transaction, IncidentKind::KeyRevoked, Subject::Store(store_id), db.clock().now())
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// The credential of a store; `None` when it has none yet.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn load_credential(db: &Database, store_id: i64) -> Result<Option<SealedCredential>, StorageError> {
    let row = Entity::find_by_id(store_id).one(db.orm()).await.map_err(StorageError::query("read the credential"))?;
    row.map(sealed_of).transpose()
}

/// All credentials, by store.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn list_credentials(db: &Database) -> Result<Vec<SealedCredential>, StorageError> {
    let rows = Entity::find().order_by_asc(Column::StoreId).all(db.orm()).await;
    rows.map_err(StorageError::query("list the credentials"))?.into_iter().map(sealed_of).collect()
}

/// Up to so many credentials behind a store's, by store.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn list_after(
    db: &Database,
    store_id: Option<i64>,
    most: u64,
) -> Result<Vec<SealedCredential>, StorageError> {
    let mut find = Entity::find().order_by_asc(Column::StoreId).limit(most);
    if let Some(store_id) = store_id {
        find = find.filter(Column::StoreId.gt(store_id));
    }
    let rows = find.all(db.orm()).await.map_err(StorageError::query("list the credentials"))?;
    rows.into_iter().map(sealed_of).collect()
}

/// Which master keys the credentials are sealed with.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn list_key_ids(db: &Database) -> Result<Vec<String>, StorageError> {
    let find = Entity::find().select_only().column(Column::KeyId).distinct().order_by_asc(Column::KeyId);
    find.into_tuple().all(db.orm()).await.map_err(StorageError::query("list the keys of the credentials"))
}

fn sealed_of(row: Model) -> Result<SealedCredential, StorageError> {
    let corrupt = |column| StorageError::Corrupt { table: "credentials", row: row.store_id.to_string(), column };
    Ok(SealedCredential {
        store_id: row.store_id,
        state: CredentialState::parse(&row.state).ok_or_else(|| corrupt("state"))?,
        state_since: row.state_since,
        last_checked_at: row.last_checked_at,
        last_ok_at: row.last_ok_at,
        last_error: row.last_error,
        last_status: row.last_status.and_then(|status| u16::try_from(status).ok()),
        refusals: u32::try_from(row.refusals).map_err(|_| corrupt("refusals"))?,
        next_check_at: row.next_check_at,
        last_failed_at: row.last_failed_at,
        sealed: NewCredential {
            scheme: Scheme::parse(&row.scheme).ok_or_else(|| corrupt("scheme"))?,
            username: row.username,
            client_id: row.client_id,
            secret: row.secret,
            refresh_secret: row.refresh_secret,
            client_secret: row.client_secret,
            token_url: row.token_url,
            scopes: row.scopes,
            renewed_at: row.renewed_at,
            key_id: row.key_id,
            fingerprint: row.fingerprint,
            expires_at: row.expires_at,
        },
    })
}

impl fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCredential")
            .field("scheme", &self.scheme)
            .field("key_id", &self.key_id)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
