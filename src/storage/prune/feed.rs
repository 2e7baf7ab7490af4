//! Forgets the oldest lines of the change feed.
//!
//! Only ever the oldest, so that what is left has no gap: a line that has to stay keeps all after it.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::{BATCH, Cutoffs};
use crate::storage::{Database, StorageError};

/// Whether a line has to stay: it is young, or a consumer of its store has yet to read it and may still be waited for.
/// `$1` and `$2` are the cut-offs, `line` is the table.
const STAYS: &str = "line.at >= $1 OR line.at >= $2 AND line.seq > COALESCE(\
    (SELECT MIN(consumers.seq) FROM consumers WHERE consumers.store_id = line.store_id), line.seq)";

/// The tables the feed is in; a store has lines in one of them.
const TABLES: [&str; 2] = ["product_change_lines", "record_changes"];

/// Forgets one batch.
pub async fn batch(db: &Database, cutoffs: &Cutoffs) -> Result<u64, StorageError> {
    let Some(values) = values(cutoffs) else { return Ok(0) };
    let mut forgotten = 0;
    for table in TABLES {
        forgotten += batch_of(db, table, &values).await?;
        if forgotten >= BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(forgotten)
}

async fn batch_of(db: &Database, table: &str, values: &[Value]) -> Result<u64, StorageError> {
    let doing = "forget old lines of the change feed";
    let statement =
        |sql: &str, values: Vec<Value>| Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let old = format!(
        "/* prune::feed */ SELECT id FROM stores WHERE \
         (SELECT at FROM {table} WHERE store_id = stores.id ORDER BY seq LIMIT 1) < $1"
    );
    let stores = db.orm().query_all_raw(statement(&old, values[..1].to_vec())).await;
    let forget = format!(
        "/* prune::feed */ DELETE FROM {table} WHERE store_id = $3 AND seq < (\
         SELECT COALESCE(MIN(CASE WHEN stays THEN seq END), MAX(seq) + 1) FROM (\
         SELECT line.seq, ({STAYS}) AS stays FROM {table} line \
         WHERE line.store_id = $3 ORDER BY line.seq LIMIT {BATCH}) oldest)"
    );
    let mut forgotten = 0;
    for store in stores.map_err(StorageError::query(doing))? {
        let store_id: i64 = store.try_get_by_index(0).map_err(StorageError::query(doing))?;
        let values = values.iter().cloned().chain([store_id.into()]).collect();
        let deleted = db.orm().execute_raw(statement(&forget, values)).await;
        forgotten += deleted.map_err(StorageError::query(doing))?.rows_affected();
        if forgotten >= BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(forgotten)
}

/// How many lines could be forgotten in all, as SQL with its values; `None` = they are kept for ever.
pub fn count(cutoffs: &Cutoffs) -> Option<(String, Vec<Value>)> {
    let of = |table: &str| {
        format!(
            "(SELECT COUNT(*) FROM {table} gone WHERE gone.seq < COALESCE(\
             (SELECT MIN(line.seq) FROM {table} line WHERE line.store_id = gone.store_id AND ({STAYS})), gone.seq + 1))"
        )
    };
    let sql = format!("/* prune::feed */ SELECT {}", TABLES.map(of).join(" + "));
    values(cutoffs).map(|values| (sql, values))
}

/// The cut-offs as values; where consumers are waited for without end, no line is too old for them.
fn values(cutoffs: &Cutoffs) -> Option<Vec<Value>> {
    let waited_for = cutoffs.unread_changes_before.unwrap_or_default();
    cutoffs.changes_before.map(|before| vec![before.into(), waited_for.into()])
}
