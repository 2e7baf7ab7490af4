//! What the stores' answers say of their credentials.
//!
//! Whoever judges a credential names it by its fingerprint, and the update compares it: a key that was replaced
//! meanwhile is not flagged for what its predecessor did, and not cleared for it either.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany};

use super::incidents::{self, Subject};
use super::{Database, StorageError};
use crate::domain::incident::IncidentKind;
use crate::domain::lifecycle::{Judgement, Standing};
use crate::domain::store::CredentialState;
use crate::entity::credentials::{Column, Entity};

/// What a refusal makes of a credential.
#[derive(Clone, Copy, Debug)]
pub struct Flag<'a> {
    /// What was known when it was judged.
    pub before: Standing,
    /// What it is now.
    pub after: Judgement,
    /// What the store said, redacted.
    pub said: &'a str,
    /// The HTTP status that came with it.
    pub status: u16,
    /// What a person is told when the key counts as revoked.
    pub incident: &'a str,
}

/// Records that the store refused the credential, and opens the incident when it counts as revoked now, in one transaction.
/// Returns `false`, and changes nothing, when `fingerprint` is not the stored one any more, or when somebody else has judged it
/// since [`Flag::before`] was read.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn flag_credential(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    flag: &Flag<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let failed = || StorageError::query("flag the credential");
    let Flag { before, after, said, status, incident } = flag;
    let since = if before.state == after.state { before.since } else { now };
    let transaction = db.begin_write().await?;
    let update = of(store_id, fingerprint)
        .filter(Column::State.eq(before.state.as_str()))
        .filter(Column::Refusals.eq(i64::from(before.refusals)))
        .col_expr(Column::State, Expr::value(after.state.as_str()))
        .col_expr(Column::StateSince, Expr::value(since))
        .col_expr(Column::Refusals, Expr::value(i64::from(after.refusals)))
        .col_expr(Column::NextCheckAt, Expr::value(after.next_check_at))
        .col_expr(Column::LastCheckedAt, Expr::value(now))
        .col_expr(Column::LastFailedAt, Expr::value(now))
        .col_expr(Column::LastError, Expr::value(*said))
        .col_expr(Column::LastStatus, Expr::value(i64::from(*status)));
    if update.exec(&transaction).await.map_err(failed())?.rows_affected == 0 {
        return Ok(false);
    }
    if after.state == CredentialState::Revoked {
        incidents::begin_in(&transaction, IncidentKind::KeyRevoked, Subject::Store(store_id), incident, now)
            .await
            .map_err(failed())?;
    }
    transaction.commit().await.map_err(failed())?;
    Ok(true)
}

/// Records that the store could not be reached with the credential, which says nothing about the credential. Changes nothing
/// when `fingerprint` is not the stored one any more.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn store_not_reached(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let update = of(store_id, fingerprint).col_expr(Column::LastFailedAt, Expr::value(now));
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("record that the store was not reached"))
}

/// Moves the next call by itself with a credential that was given up. Changes nothing when `fingerprint` is not the stored one
/// any more, or when it works again.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn postpone_check(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    until: Option<DateTime<Utc>>,
) -> Result<(), StorageError> {
    let update = of(store_id, fingerprint)
        .filter(Column::State.ne(CredentialState::Ok.as_str()))
        .col_expr(Column::NextCheckAt, Expr::value(until));
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("postpone the next test of the credential"))
}

/// Records that a call with the credential succeeded; the incident about it is over. Returns whether this took a flag away, so
/// that it can be told once; the store is then due at `due`, or as its schedule says. Changes nothing when `fingerprint` is not
/// the stored one any more.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn credential_worked(
    db: &Database,
    store_id: i64,
    fingerprint: &str,
    due: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let failed = || StorageError::query("record that the credential works");
    let ok = CredentialState::Ok.as_str();
    // Nearly always there is no flag to take away, and one statement will do.
    let unflagged = heard(store_id, fingerprint, now).filter(Column::State.eq(ok));
    if unflagged.exec(db.orm()).await.map_err(failed())?.rows_affected > 0 {
        return Ok(false);
    }
    let transaction = db.begin_write().await?;
    let restored = of(store_id, fingerprint)
        .filter(Column::State.ne(ok))
        .col_expr(Column::State, Expr::value(ok))
        .col_expr(Column::StateSince, Expr::value(now))
        .col_expr(Column::Refusals, Expr::value(0))
        .col_expr(Column::NextCheckAt, Expr::value(due))
        .exec(&transaction)
        .await
        .map_err(failed())?;
    heard(store_id, fingerprint, now).exec(&transaction).await.map_err(failed())?;
    if restored.rows_affected > 0 {
        incidents::end_in(&transaction, IncidentKind::KeyRevoked, Subject::Store(store_id), now)
            .await
            .map_err(failed())?;
    }
    transaction.commit().await.map_err(failed())?;
    Ok(restored.rows_affected > 0)
}

/// What a call that succeeded says about a credential.
fn heard(store_id: i64, fingerprint: &str, now: DateTime<Utc>) -> UpdateMany<Entity> {
    of(store_id, fingerprint)
        .col_expr(Column::LastCheckedAt, Expr::value(now))
        .col_expr(Column::LastOkAt, Expr::value(now))
        .col_expr(Column::LastError, Expr::value(None::<String>))
        .col_expr(Column::LastStatus, Expr::value(None::<i64>))
}

/// An update of the credential of that store, if it still is the one with that fingerprint.
fn of(store_id: i64, fingerprint: &str) -> UpdateMany<Entity> {
    Entity::update_many().filter(Column::StoreId.eq(store_id)).filter(Column::Fingerprint.eq(fingerprint))
}
