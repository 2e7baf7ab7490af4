//! Writes products whose record was in quarantine, without a run: nobody else may be at work on the store meanwhile.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::packed::{NewProducts, Source};
use super::writes::Plan;
use crate::domain::catalogue::PRODUCT;
use crate::domain::product::{Product, Value};
use crate::storage::page::Transaction;
use crate::storage::{Database, StorageError};

/// A record of the quarantine that could be normalised after all.
#[derive(Debug)]
pub struct Replay<'a> {
    /// Number of the record in quarantine.
    pub id: i64,
    /// When it was met.
    pub met_at: DateTime<Utc>,
    /// What it is.
    pub product: Product<'a>,
}

/// What became of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Their products were brought up to date.
    pub replayed: u64,
    /// Only marked: the mirror holds that version of the product, a newer one, or has seen it removed since.
    pub superseded: u64,
}

/// Writes the products and marks the records as replayed, in one transaction under the store's locks. `None` when a run of
/// the store is at work: then nothing was written.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn replay(
    db: &Database,
    store_id: i64,
    records: Vec<Replay<'_>>,
    now: DateTime<Utc>,
) -> Result<Option<Replayed>, StorageError> {
    write(db, store_id, records, now).await.map_err(StorageError::sql("replay records of the quarantine"))
}

async fn write(
    db: &Database,
    store_id: i64,
    mut records: Vec<Replay<'_>>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Replayed>> {
    let mut tx = Transaction::begin(db).await?;
    if !tx.keep_runs_out(store_id).await? {
        return Ok(None);
    }
    let numbers: Vec<i64> = records.iter().map(|record| record.id).collect();
    let ours: HashSet<i64> = tx.mark_replayed(store_id, &numbers, now).await?.into_iter().collect();
    records.retain(|record| ours.contains(&record.id));
    let all = records.len();

    let ids: Vec<i64> = records.iter().map(|record| record.product.inventory_id).collect();
    let stored = tx.load(store_id, &ids).await?;
    let removed = tx.removed_since(store_id, &ids).await?;
    let products: Vec<Product<'_>> = newest_each(records)
        .into_iter()
        .filter(|record| {
            let id = record.product.inventory_id;
            is_newer(record, stored.get(&id), removed.get(&id).copied())
        })
        .map(|record| record.product)
        .collect();

    let ids: Vec<i64> = products.iter().map(|product| product.inventory_id).collect();
    let known = tx.known(store_id, &ids).await?;
    let source = Source { store_id, run_id: None, now };
    let replayed = products.len() as u64;
    let writes = Plan::new(NewProducts::new(source), products, &known).writes(&mut tx, store_id).await?;
    tx.rows(store_id, &writes.added, writes.steps).await?;
    tx.write_out(store_id, &writes.written_out).await?;
    tx.feed(store_id, writes.feed).await?;
    tx.commit().await?;
    Ok(Some(Replayed { replayed, superseded: all as u64 - replayed }))
}

/// Of several records of one product the newest.
fn newest_each(records: Vec<Replay<'_>>) -> Vec<Replay<'_>> {
    let mut newest: HashMap<i64, Replay<'_>> = HashMap::with_capacity(records.len());
    for record in records {
        let age = |record: &Replay<'_>| (updated(&record.product), record.met_at, record.id);
        match newest.get(&record.product.inventory_id) {
            Some(other) if age(other) > age(&record) => {}
            _ => drop(newest.insert(record.product.inventory_id, record)),
        }
    }
    let mut newest: Vec<_> = newest.into_values().collect();
    newest.sort_by_key(|record| record.id);
    newest
}

/// Whether a record is certainly newer than what is stored. Where that cannot be told, the next run brings what is right,
/// so nothing is written that may be old.
fn is_newer(record: &Replay<'_>, stored: Option<&Product<'_>>, removed: Option<DateTime<Utc>>) -> bool {
    let Some(stored) = stored else { return true };
    match (updated(&record.product), updated(stored), removed) {
        (_, _, Some(removed)) => record.met_at > removed,
        (Some(record), Some(stored), None) => record > stored,
        (_, _, None) => false,
    }
}

/// When the store last edited the product.
fn updated(product: &Product<'_>) -> Option<DateTime<Utc>> {
    let column = PRODUCT.iter().position(|column| column.name == "date_updated").expect("a column of the catalogue");
    match product.fields[column] {
        Value::Time(at) => Some(at),
        _ => None,
    }
}
