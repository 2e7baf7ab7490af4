//! What the stores of a connector say together, and what the end of an outage does to them.
//!
//! The count reads every credential. That is a table of one short row a store, and it is asked once a tick and when a refusal is
//! judged outside of a known outage; an index on four times that change with every run would cost more than it saves.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

use super::incidents::{self, Subject};
use super::{Database, StorageError};
use crate::domain::incident::IncidentKind;
use crate::domain::outage::Tally;

/// Which stores are counted.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Of this connector only.
    pub connector: Option<&'a str>,
    /// Without this store.
    pub except: Option<i64>,
    /// Calls since then.
    pub since: DateTime<Utc>,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// Counts the stores by connector. A connector without stores that count is not there.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn tallies(db: &Database, question: &Question<'_>) -> Result<Vec<(String, Tally)>, StorageError> {
    count(db, question).await.map_err(StorageError::query("count the stores that fail"))
}

/// [`tallies`] of one connector.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn tally(db: &Database, question: &Question<'_>) -> Result<Tally, StorageError> {
    Ok(tallies(db, question).await?.pop().map(|(_, tally)| tally).unwrap_or_default())
}

async fn count(db: &Database, question: &Question<'_>) -> Result<Vec<(String, Tally)>, DbErr> {
    let Question { connector, except, since, now } = *question;
    let sql = "/* vendor::tallies */ SELECT s.connector, COUNT(*), \
               COUNT(CASE WHEN c.last_ok_at >= $2 OR c.last_failed_at >= $2 THEN 1 END), \
               COUNT(CASE WHEN c.last_failed_at >= $2 AND (c.last_ok_at IS NULL OR c.last_failed_at >= c.last_ok_at) \
               THEN 1 END), \
               MAX(CASE WHEN c.last_failed_at IS NULL OR c.last_failed_at < c.last_ok_at THEN c.last_ok_at END) \
               FROM credentials c JOIN stores s ON s.id = c.store_id \
               WHERE c.state <> 'revoked' AND (s.paused_at IS NULL OR s.paused_until <= $1) \
               AND (CAST($3 AS BIGINT) IS NULL OR s.id <> $3) AND (CAST($4 AS TEXT) IS NULL OR s.connector = $4) \
               GROUP BY s.connector";
    let values: [Value; 4] = [now.into(), since.into(), except.into(), connector.into()];
    let statement = Statement::from_sql_and_values(db.orm().get_database_backend(), sql, values);
    let rows = db.orm().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let counted = |at| row.try_get_by_index::<i64>(at).map(i64::unsigned_abs);
            let (active, tried, failing) = (counted(1)?, counted(2)?, counted(3)?);
            let tally = Tally { active, tried, failing, answered_at: row.try_get_by_index(4)? };
            Ok((row.try_get_by_index(0)?, tally))
        })
        .collect()
}

/// Ends the outage of a connector and makes good what it has done, in one transaction: runs that rest because of it go on now,
/// and a key that was given up since `reach`, right before the outage was noticed, is asked again now. Gives whether it was open.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn end_outage(
    db: &Database,
    connector: &str,
    reach: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let failed = || StorageError::query("end an outage of the vendor");
    let tx = db.begin_write().await?;
    let subject = Subject::Connector(connector);
    if !incidents::end_in(&tx, IncidentKind::VendorOutage, subject, now).await.map_err(failed())? {
        return Ok(false);
    }
    let ours = "store_id IN (SELECT id FROM stores WHERE connector = $1)";
    let keys = format!(
        "/* end_outage */ UPDATE credentials SET next_check_at = $2 \
         WHERE {ours} AND state <> 'ok' AND next_check_at > $2 AND state_since >= $3"
    );
    let runs = format!(
        "/* end_outage */ UPDATE runs SET scheduled_at = $2 WHERE {ours} AND state = 'queued' \
         AND scheduled_at > $2 AND error_class IN ('unauthorized', 'transient')"
    );
    let values: [Value; 3] = [connector.into(), now.into(), reach.into()];
    for (sql, values) in [(keys, &values[..]), (runs, &values[..2])] {
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values.to_vec());
        tx.execute_raw(statement).await.map_err(failed())?;
    }
    tx.commit().await.map_err(failed())?;
    Ok(true)
}
