//! Connections that were begun: the states that are waited for. Only a state's digest is kept, so that nobody who reads the
//! database can finish somebody else's connection.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

use super::{Database, StorageError};
use crate::domain::text_enum::text_enum;
use crate::entity::oauth_states::{Column, Entity, Model};

text_enum! {
    /// What is asked of the merchant.
    Purpose {
        /// His consent.
        Connect = "connect",
        /// To take it back.
        Disconnect = "disconnect",
    }
}

/// A connection that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Digest of the state.
    pub digest: String,
    /// What is asked.
    pub purpose: Purpose,
    /// The connector.
    pub connector: String,
    /// What it is bound to: the store's domain, or the address of a described connector's store.
    pub subject: String,
    /// The store's name here, if one was asked for.
    pub store_name: Option<String>,
    /// Where the answer comes to.
    pub redirect_uri: String,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// Not taken any more from then on.
    pub expires_at: DateTime<Utc>,
}

/// What is found when a state comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was waited for, and is not any more.
    Begun(Begun),
    /// It has come back before.
    Used,
    /// It comes too late.
    Expired,
    /// Nobody here has made it.
    Unknown,
}

/// Waits for a state.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn begin(db: &Database, begun: Begun) -> Result<(), StorageError> {
    let row = Model {
        digest: begun.digest,
        purpose: begun.purpose.as_str().to_owned(),
        connector: begun.connector,
        subject: begun.subject,
        store_name: begun.store_name,
        redirect_uri: begun.redirect_uri,
        created_at: begun.created_at,
        expires_at: begun.expires_at,
        used_at: None,
    };
    let row = row.into_active_model().reset_all();
    row.insert(db.orm()).await.map(drop).map_err(StorageError::query("begin a connection"))
}

/// Takes a state that came back; of all who try, one gets it.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn take(db: &Database, digest: &str, now: DateTime<Utc>) -> Result<Taken, StorageError> {
    let failed = || StorageError::query("find the connection that was begun");
    let taken = Entity::update_many()
        .filter(Column::Digest.eq(digest))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .col_expr(Column::UsedAt, Expr::value(now))
        .exec(db.orm())
        .await
        .map_err(failed())?;
    let Some(row) = Entity::find_by_id(digest).one(db.orm()).await.map_err(failed())? else {
        return Ok(Taken::Unknown);
    };
    Ok(match (taken.rows_affected, row.used_at) {
        (0, Some(_)) => Taken::Used,
        (0, None) => Taken::Expired,
        _ => Taken::Begun(begun(row)?),
    })
}

/// How many are waited for, and forgets those that ended before `forget`.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn waiting(db: &Database, forget: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, StorageError> {
    let failed = || StorageError::query("count the connections that were begun");
    Entity::delete_many().filter(Column::ExpiresAt.lt(forget)).exec(db.orm()).await.map_err(failed())?;
    let waiting = Entity::find().filter(Column::UsedAt.is_null()).filter(Column::ExpiresAt.gt(now));
    waiting.count(db.orm()).await.map_err(failed())
}

fn begun(row: Model) -> Result<Begun, StorageError> {
    let corrupt = StorageError::Corrupt { table: "oauth_states", row: row.digest.clone(), column: "purpose" };
    Ok(Begun {
        purpose: Purpose::parse(&row.purpose).ok_or(corrupt)?,
        digest: row.digest,
        connector: row.connector,
        subject: row.subject,
        store_name: row.store_name,
        redirect_uri: row.redirect_uri,
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}
