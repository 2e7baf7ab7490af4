//! What the scheduler reads: every store, the state of its credential, and when its last run of a kind began.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Database, StorageError, stores};
use crate::domain::run::RunKind;
use crate::domain::store::{CredentialState, Store};

/// A store, as the scheduler sees it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The store.
    pub store: Store,
    /// State of its credential, if it has one.
    pub credential: Option<CredentialState>,
    /// When its last run of the kind began, or was asked for if it never began.
    pub last_start: Option<DateTime<Utc>>,
}

/// All stores with what decides whether a run of `kind` is due: two statements, however many stores there are.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn rows(db: &Database, kind: RunKind) -> Result<Vec<Row>, StorageError> {
    let stores = stores::list_stores(db).await?;
    let mut known =
        last_starts(db, kind).await.map_err(StorageError::query("read when the stores were last synced"))?;
    stores
        .into_iter()
        .map(|store| {
            let (state, last_start) = known.remove(&store.id).unwrap_or_default();
            let corrupt = || StorageError::Corrupt { table: "credentials", row: store.id.to_string(), column: "state" };
            let credential = state.map(|text| CredentialState::parse(&text).ok_or_else(corrupt)).transpose()?;
            Ok(Row { store, credential, last_start })
        })
        .collect()
}

/// By store: state of the credential, and start of the newest run of the kind (through the index on store and id).
async fn last_starts(
    db: &Database,
    kind: RunKind,
) -> Result<HashMap<i64, (Option<String>, Option<DateTime<Utc>>)>, DbErr> {
    let sql = "/* schedule::last_starts */ SELECT stores.id, credentials.state, \
               (SELECT COALESCE(runs.started_at, runs.created_at) FROM runs \
               WHERE runs.store_id = stores.id AND runs.kind = $1 ORDER BY runs.id DESC LIMIT 1) \
               FROM stores LEFT JOIN credentials ON credentials.store_id = stores.id";
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [kind.as_str().into()]);
    let rows = db.orm().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, (row.try_get_by_index(1)?, row.try_get_by_index(2)?))))
        .collect()
}
