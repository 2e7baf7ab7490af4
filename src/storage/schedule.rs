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
    /// When it is due whatever its schedule, because of its credential.
    pub next_check_at: Option<DateTime<Utc>>,
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
            let Known { state, next_check_at, last_start } = known.remove(&store.id).unwrap_or_default();
            let corrupt = || StorageError::Corrupt { table: "credentials", row: store.id.to_string(), column: "state" };
            let credential = state.map(|text| CredentialState::parse(&text).ok_or_else(corrupt)).transpose()?;
            Ok(Row { store, credential, next_check_at, last_start })
        })
        .collect()
}

/// What is known beside the store itself.
#[derive(Default)]
struct Known {
    state: Option<String>,
    next_check_at: Option<DateTime<Utc>>,
    last_start: Option<DateTime<Utc>>,
}

/// By store: its credential, and the start of the newest run of the kind (through the index on store and id).
async fn last_starts(db: &Database, kind: RunKind) -> Result<HashMap<i64, Known>, DbErr> {
    let sql = "/* schedule::last_starts */ SELECT stores.id, credentials.state, credentials.next_check_at, \
               (SELECT COALESCE(runs.started_at, runs.created_at) FROM runs \
               WHERE runs.store_id = stores.id AND runs.kind = $1 ORDER BY runs.id DESC LIMIT 1) \
               FROM stores LEFT JOIN credentials ON credentials.store_id = stores.id";
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, [kind.as_str().into()]);
    let rows = db.orm().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let known = Known {
                state: row.try_get_by_index(1)?,
                next_check_at: row.try_get_by_index(2)?,
                last_start: row.try_get_by_index(3)?,
            };
            Ok((row.try_get_by_index(0)?, known))
        })
        .collect()
}
