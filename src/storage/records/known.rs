//! What the database holds of a page's records: their hashes, and both versions of those that changed.

use std::collections::HashMap;

use sqlx::types::Json;

use super::Record;
use crate::domain::json::canonical;
use crate::domain::product::ContentHash;
use crate::storage::page::Transaction;

/// What the database knows of a record before its page is written.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub hash: ContentHash,
    pub removed: bool,
}

impl Transaction {
    /// Hash and state of those of the records that are stored.
    pub(super) async fn known_records(
        &mut self,
        store_id: i64,
        stream: &str,
        keys: &[&str],
    ) -> sqlx::Result<HashMap<String, Known>> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(String, Vec<u8>, bool)> = match self {
            Self::Postgres(tx) => {
                let sql = "/* commit_page */ SELECT key, content_hash, removed_at IS NOT NULL FROM records \
                     WHERE store_id = $1 AND stream = $2 AND key = ANY($3)";
                sqlx::query_as(sql).bind(store_id).bind(stream).bind(keys).fetch_all(&mut **tx).await?
            }
            Self::Sqlite(tx) => {
                let sql = "/* commit_page */ SELECT key, content_hash, removed_at IS NOT NULL FROM records \
                     WHERE store_id = $1 AND stream = $2 AND key IN (SELECT value FROM json_each($3))";
                sqlx::query_as(sql).bind(store_id).bind(stream).bind(Json(keys)).fetch_all(&mut **tx).await?
            }
        };
        // A hash of another length is of another program version: it counts as different.
        let known =
            |(key, hash, removed)| (key, Known { hash: ContentHash::try_from(hash).unwrap_or_default(), removed });
        Ok(rows.into_iter().map(known).collect())
    }

    /// What is stored of records and what is to be, both in the database's spelling of numbers, so that what differs did change.
    /// Old before new, by key.
    pub(super) async fn versions(
        &mut self,
        store_id: i64,
        stream: &str,
        records: &[Record<'_>],
    ) -> sqlx::Result<HashMap<String, (String, String)>> {
        if records.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<&str> = records.iter().map(|record| record.key).collect();
        let rows: Vec<(String, String, String)> = match self {
            Self::Postgres(tx) => {
                let data: Vec<&str> = records.iter().map(|record| record.data).collect();
                let sql = "/* commit_page */ SELECT records.key, records.data::text, new.data::jsonb::text \
                     FROM UNNEST($3::text[], $4::text[]) AS new(key, data) \
                     JOIN records ON store_id = $1 AND stream = $2 AND records.key = new.key";
                let query = sqlx::query_as(sql).bind(store_id).bind(stream).bind(&keys).bind(&data);
                query.fetch_all(&mut **tx).await?
            }
            Self::Sqlite(tx) => {
                let sql = "/* commit_page */ SELECT key, data FROM records \
                     WHERE store_id = $1 AND stream = $2 AND key IN (SELECT value FROM json_each($3))";
                let query = sqlx::query_as(sql).bind(store_id).bind(stream).bind(Json(&keys));
                let stored: Vec<(String, String)> = query.fetch_all(&mut **tx).await?;
                let new: HashMap<&str, &str> = records.iter().map(|record| (record.key, record.data)).collect();
                let beside = |(key, old): (String, String)| {
                    let new = new[key.as_str()].to_owned();
                    (key, old, new)
                };
                stored.into_iter().map(beside).collect()
            }
        };
        // PostgreSQL has an order of keys and a spacing of its own.
        let spelled = |text: String| canonical(&text).unwrap_or(text);
        Ok(rows.into_iter().map(|(key, old, new)| (key, (spelled(old), spelled(new)))).collect())
    }
}
