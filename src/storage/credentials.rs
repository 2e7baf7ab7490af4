//! The stores' credentials, sealed. Sealing and opening is the crypter's; nothing in here sees a key.
//!
//! Whoever judges a credential names it by its fingerprint, and the update compares it: a key that was replaced
//! meanwhile is not flagged for what its predecessor did, and not cleared for it either.

use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set, SqlErr, UpdateMany};

use super::{Database, StorageError};
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
    /// The refresh token, sealed.
    pub refresh_secret: Option<Vec<u8>>,
    /// Which master key sealed them.
    pub key_id: String,
    /// Tells one key from another without giving it away.
    pub fingerprint: String,
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
}

/// Stores the credential of a store in the place of the one before, if any. A new key starts as `ok`, unjudged.
///
/// # Errors
/// [`StorageError::UnknownStore`] or [`StorageError::Query`].
pub async fn put_credential(db: &Database, store_id: i64, new: NewCredential) -> Result<(), StorageError> {
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
        state_since: Set(db.clock().now()),
        last_checked_at: Set(None),
        last_ok_at: Set(None),
        last_error: Set(None),
    };
    let everything = <Column as sea_orm::Iterable>::iter().filter(|column| !matches!(column, Column::StoreId));
    let stored = Entity::insert(row)
        .on_conflict(OnConflict::column(Column::StoreId).update_columns(everything).to_owned())
        .exec_without_returning(db.orm())
        .await;
    stored.map(drop).map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            StorageError::UnknownStore { name: format!("number {store_id}") }
        }
        _ => StorageError::query("store the credential")(error),
    })
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

/// Replaces what is sealed of a credential and keeps what is known about it: after an OAuth token was refreshed, or
/// sealed anew with another master key. Returns `false`, and changes nothing, when `fingerprint` is not the stored
/// one any more.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn renew_credential(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    new: NewCredential,
) -> Result<bool, StorageError> {
    let update = of(store_id, fingerprint).set(ActiveModel {
        secret: Set(new.secret),
        refresh_secret: Set(new.refresh_secret),
        key_id: Set(new.key_id),
        fingerprint: Set(new.fingerprint),
        expires_at: Set(new.expires_at),
        ..Default::default()
    });
    let done = update.exec(db.orm()).await.map_err(StorageError::query("renew the credential"))?;
    Ok(done.rows_affected > 0)
}

/// Records that the store refused the credential: `state` and the evidence, which must be redacted. Returns `false`,
/// and changes nothing, when `fingerprint` is not the stored one any more.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn flag_credential(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    state: CredentialState,
    last_error: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let since = Expr::case(Column::State.eq(state.as_str()), Expr::col(Column::StateSince)).finally(now);
    let update = of(store_id, fingerprint)
        .col_expr(Column::StateSince, since.into())
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::LastCheckedAt, Expr::value(now))
        .col_expr(Column::LastError, Expr::value(last_error));
    let done = update.exec(db.orm()).await.map_err(StorageError::query("flag the credential"))?;
    Ok(done.rows_affected > 0)
}

/// Records that a call with the credential succeeded. Returns whether this took a flag away, so that it can be told
/// once. Changes nothing when `fingerprint` is not the stored one any more.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn credential_worked(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let failed = || StorageError::query("record that the credential works");
    let transaction = db.begin_write().await?;
    let ok = CredentialState::Ok.as_str();
    let restored = of(store_id, fingerprint)
        .filter(Column::State.ne(ok))
        .col_expr(Column::State, Expr::value(ok))
        .col_expr(Column::StateSince, Expr::value(now))
        .exec(&transaction)
        .await
        .map_err(failed())?;
    of(store_id, fingerprint)
        .col_expr(Column::LastCheckedAt, Expr::value(now))
        .col_expr(Column::LastOkAt, Expr::value(now))
        .col_expr(Column::LastError, Expr::value(None::<String>))
        .exec(&transaction)
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(restored.rows_affected > 0)
}

/// An update of the credential of that store, if it still is the one with that fingerprint.
fn of(store_id: i64, fingerprint: &str) -> UpdateMany<Entity> {
    Entity::update_many().filter(Column::StoreId.eq(store_id)).filter(Column::Fingerprint.eq(fingerprint))
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
        sealed: NewCredential {
            scheme: Scheme::parse(&row.scheme).ok_or_else(|| corrupt("scheme"))?,
            username: row.username,
            client_id: row.client_id,
            secret: row.secret,
            refresh_secret: row.refresh_secret,
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
