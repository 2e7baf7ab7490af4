//! Named readers of the change feed: how far each has acknowledged each store's lines.
//!
//! A position only moves forward, and only over lines that exist. Whoever reads begins behind it and acknowledges what it has
//! printed without leaving any out; so, however many processes go by one name, every line up to the position was printed by
//! one of them. The pruner spares what lies behind the slowest position ([`super::prune`]).

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

use super::{Database, StorageError};

/// A reader's position in the lines of a store.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Consumer {
    /// The name it goes by.
    pub name: String,
    /// The store's name.
    pub store: String,
    /// The last line it has acknowledged; 0 = none yet.
    pub seq: i64,
    /// The store's last line.
    pub last: i64,
    /// When it last acknowledged, or first came.
    pub at: DateTime<Utc>,
}

/// All readers, by name and store.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn list(db: &Database) -> Result<Vec<Consumer>, StorageError> {
    let sql = "/* consumers::list */ SELECT consumers.name, stores.name AS store, seq, change_seq AS last, at \
         FROM consumers JOIN stores ON stores.id = store_id ORDER BY consumers.name, stores.name";
    let statement = Statement::from_string(db.orm().get_database_backend(), sql);
    Consumer::find_by_statement(statement).all(db.orm()).await.map_err(StorageError::query("list the consumers"))
}

/// The position of a reader; one that is new is written down at the beginning, so that no more lines are forgotten before it
/// has read them.
///
/// # Errors
/// [`StorageError::BadConsumerName`], [`StorageError::Query`].
pub async fn position(db: &Database, name: &str, store_id: i64, now: DateTime<Utc>) -> Result<i64, StorageError> {
    check_name(name)?;
    let doing = "read the position of a consumer";
    let sql = "/* consumers::position */ SELECT seq FROM consumers WHERE store_id = $1 AND name = $2";
    let found = query(db.orm(), sql, [store_id.into(), name.into()]).await.map_err(StorageError::query(doing))?;
    if let Some(seq) = found {
        return Ok(seq);
    }
    // Somebody else may have been faster; then the position is theirs.
    let sql = "/* consumers::position */ INSERT INTO consumers (store_id, name, seq, at) VALUES ($1, $2, 0, $3) \
         ON CONFLICT (store_id, name) DO UPDATE SET at = consumers.at RETURNING seq";
    let values: [Value; 3] = [store_id.into(), name.into(), now.into()];
    Ok(query(db.orm(), sql, values).await.map_err(StorageError::query(doing))?.unwrap_or_default())
}

/// Moves a reader's position forward to `seq`, and gives where it then is: farther when another process of that name was
/// faster.
///
/// # Errors
/// [`StorageError::ChangesAhead`], [`StorageError::BadConsumerName`], [`StorageError::UnknownStore`],
/// [`StorageError::Query`].
pub async fn acknowledge(
    db: &Database,
    name: &str,
    store_id: i64,
    seq: i64,
    now: DateTime<Utc>,
) -> Result<i64, StorageError> {
    check_name(name)?;
    let last = super::changes::last(db, store_id).await?;
    if seq > last {
        return Err(StorageError::ChangesAhead { seq, last });
    }
    let sql = "/* consumers::acknowledge */ INSERT INTO consumers (store_id, name, seq, at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (store_id, name) DO UPDATE SET at = excluded.at, \
         seq = CASE WHEN consumers.seq < excluded.seq THEN excluded.seq ELSE consumers.seq END RETURNING seq";
    let values: [Value; 4] = [store_id.into(), name.into(), seq.into(), now.into()];
    let moved = query(db.orm(), sql, values).await.map_err(StorageError::query("move the position of a consumer"))?;
    Ok(moved.unwrap_or(seq))
}

/// Forgets a reader, of one store or of all; gives in how many it was known.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn remove(db: &Database, name: &str, store_id: Option<i64>) -> Result<u64, StorageError> {
    let only = if store_id.is_some() { "AND store_id = $2" } else { "" };
    let sql = format!("/* consumers::remove */ DELETE FROM consumers WHERE name = $1 {only}");
    let values = [Value::from(name)].into_iter().chain(store_id.map(Value::from));
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let removed = db.orm().execute_raw(statement).await.map_err(StorageError::query("remove a consumer"))?;
    Ok(removed.rows_affected())
}

/// The first column of the only row.
async fn query(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<i64>, sea_orm::DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.query_one_raw(statement).await?.map(|row| row.try_get_by_index(0)).transpose()
}

fn check_name(name: &str) -> Result<(), StorageError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(StorageError::BadConsumerName { name: name.to_owned() })
    }
}
