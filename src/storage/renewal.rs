//! The right to get a new token for a credential, and the place where the token then goes.
//!
//! A refresh token is often good for one use, so two instances must not use it at once. Whoever is about to takes the right in
//! the credential's row first ([`claim`]); everybody else waits for the new token to appear there, or for the right to run out.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, Set};

use super::credentials::NewCredential;
use super::{Database, StorageError, rotation};
use crate::entity::credentials::{ActiveModel, Column, Entity};

/// Who may get a new token, for what, and until when.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The store.
    pub store_id: i64,
    /// The credential whose token is to be replaced.
    pub fingerprint: String,
    /// Who asks; no two at a time have the same name.
    pub by: String,
}

impl Claim {
    fn row(&self) -> Condition {
        Condition::all().add(Column::StoreId.eq(self.store_id)).add(Column::Fingerprint.eq(self.fingerprint.as_str()))
    }

    /// The credential, as long as the right to renew it is ours.
    fn held(&self) -> Condition {
        self.row().add(Column::RenewingBy.eq(self.by.as_str()))
    }
}

/// Takes the right until then, or prolongs it. `false` when somebody else has it, or the credential is another by now.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn claim(
    db: &Database,
    claim: &Claim,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let free = Condition::any()
        .add(Column::RenewingUntil.is_null())
        .add(Column::RenewingUntil.lte(now))
        .add(Column::RenewingBy.eq(claim.by.as_str()));
    let update = Entity::update_many()
        .filter(claim.row())
        .filter(free)
        .col_expr(Column::RenewingBy, Expr::value(claim.by.as_str()))
        .col_expr(Column::RenewingUntil, Expr::value(until));
    let done = update.exec(db.orm()).await.map_err(StorageError::query("take the right to renew a token"))?;
    Ok(done.rows_affected > 0)
}

/// Gives the right back, when no token came of it.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn release(db: &Database, claim: &Claim) -> Result<(), StorageError> {
    let update = Entity::update_many()
        .filter(claim.held())
        .col_expr(Column::RenewingBy, Expr::value(None::<String>))
        .col_expr(Column::RenewingUntil, Expr::value(None::<DateTime<Utc>>));
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("give back the right to renew a token"))
}

/// Puts what `seal` gives in the place of the credential, keeps what is known about it, and gives the right back. `false`, and
/// nothing is stored, when the credential was replaced meanwhile.
///
/// # Errors
/// [`StorageError::Query`], or that of `seal`.
pub async fn store<E: From<StorageError>>(
    db: &Database,
    claim: &Claim,
    seal: impl FnOnce() -> Result<NewCredential, E>,
) -> Result<bool, E> {
    let failed = || StorageError::query("store the new token");
    let transaction = db.begin_write().await?;
    rotation::hold_keys(db, &transaction).await?;
    let new = seal()?;
    let update = Entity::update_many().filter(claim.held()).set(ActiveModel {
        username: Set(new.username),
        secret: Set(new.secret),
        refresh_secret: Set(new.refresh_secret),
        client_secret: Set(new.client_secret),
        key_id: Set(new.key_id),
        fingerprint: Set(new.fingerprint),
        scopes: Set(new.scopes),
        renewed_at: Set(new.renewed_at),
        expires_at: Set(new.expires_at),
        renewing_by: Set(None),
        renewing_until: Set(None),
        ..Default::default()
    });
    let done = update.exec(&transaction).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(done.rows_affected > 0)
}

/// Takes what bought tokens away, because the server has refused it for good: nobody sends it again.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn forget_refresh(db: &Database, claim: &Claim) -> Result<(), StorageError> {
    let update = Entity::update_many()
        .filter(claim.held())
        .col_expr(Column::RefreshSecret, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::RenewingBy, Expr::value(None::<String>))
        .col_expr(Column::RenewingUntil, Expr::value(None::<DateTime<Utc>>));
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("forget a refresh token that is dead"))
}
