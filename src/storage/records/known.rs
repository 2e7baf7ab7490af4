//! What the database holds of a page's records: their hashes, and both versions of those that changed.

use std::collections::HashMap;

use super::Record;
use crate::domain::json::canonical;
use crate::domain::product::ContentHash;
use crate::storage::page::{Arg, Found, Transaction};

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
        let sql = format!(
            "/* commit_page */ SELECT key, content_hash, removed_at IS NOT NULL FROM records \
             WHERE store_id = $1 AND key {} AND stream = $3",
            self.among()
        );
        let rows = self.fetch(sql, &[Arg::Int(store_id), Arg::Texts(keys), Arg::Text(stream)]).await?;
        let known = |row: &Found| {
            // A hash of another length is of another program version: it counts as different.
            let hash = ContentHash::try_from(row.bytes(1)?).unwrap_or_default();
            Ok((row.some_text(0)?, Known { hash, removed: row.truth(2)? }))
        };
        rows.iter().map(known).collect()
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
        let data: Vec<&str> = records.iter().map(|record| record.data).collect();
        let given: HashMap<&str, &str> = keys.iter().copied().zip(data.iter().copied()).collect();
        let args = [Arg::Int(store_id), Arg::Texts(&keys), Arg::Text(stream), Arg::Texts(&data)];
        let rows = match self {
            Self::Postgres(_) => {
                let sql = "/* commit_page */ SELECT records.key, records.data::text, new.data::jsonb::text \
                     FROM UNNEST($2::text[], $4::text[]) AS new(key, data) \
                     JOIN records ON store_id = $1 AND stream = $3 AND records.key = new.key";
                self.fetch(sql, &args).await?
            }
            Self::Sqlite(_) => {
                // It has no spelling of its own.
                let sql = "/* commit_page */ SELECT key, data, NULL FROM records \
                     WHERE store_id = $1 AND key IN (SELECT value FROM json_each($2)) AND stream = $3";
                self.fetch(sql, &args[..3]).await?
            }
        };
        // PostgreSQL has an order of keys and a spacing of its own.
        let spelled = |text: String| canonical(&text).unwrap_or(text);
        let version = |row: &Found| {
            let (key, old) = (row.some_text(0)?, row.some_text(1)?);
            let new = row.text(2)?.unwrap_or_else(|| given[key.as_str()].to_owned());
            Ok((key, (spelled(old), spelled(new))))
        };
        rows.iter().map(version).collect()
    }
}
