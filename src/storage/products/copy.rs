//! Copies what a run reads of the products that are held into another database, for a plan ([`crate::storage::scratch`]).
//!
//! A run compares hashes, and where the light parts differ, light parts. Another light part is another content, so nothing it
//! decides hangs on the rest: texts, images and the like stay where they are, which is most of a catalogue. The exception are
//! products whose hash of the light part is not that of what is held, as another version of the program may have left it: of
//! them a run compares everything, and everything is copied.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::catalogue::CHILDREN;
use crate::domain::light;
use crate::domain::product::Product;
use crate::storage::page::{Cell, Rows, Transaction};
use crate::storage::{Database, Pools, StorageError};

/// Products copied at once.
const CHUNK: i64 = 2000;

/// What is ours of a product: ID, content hash, first seen, changed, removed, hashes of the light part and of the answer.
type Own = (i64, Vec<u8>, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Copies what is ours of every product of a store, removed ones included, and its light part.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn copy_light(from: &Database, to: &Database, store_id: i64) -> Result<(), StorageError> {
    let mut after = i64::MIN;
    loop {
        let copied = chunk(from, to, store_id, after).await;
        match copied.map_err(StorageError::sql("copy the products for a plan"))? {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Copies the next products and gives the ID of the last; `None` when there are no more.
async fn chunk(from: &Database, to: &Database, store_id: i64, after: i64) -> sqlx::Result<Option<i64>> {
    let own = own(from, store_id, after).await?;
    let ids: Vec<i64> = own.iter().map(|own| own.0).collect();
    let Some(last) = ids.last().copied() else { return Ok(None) };
    let mut source = Transaction::snapshot(from).await?;
    let fields = source.select("products", &light::COMPARED, store_id, &ids).await?;
    let fields: HashMap<_, _> = fields.into_iter().collect();
    let mut lists = Vec::new();
    for list in light::LISTS {
        let table = &CHILDREN[list as usize];
        lists.push((list, table, source.select(table.name, table.columns, store_id, &ids).await?));
    }
    let mut parts: HashMap<i64, Product<'static>> =
        fields.iter().map(|(id, fields)| (*id, light::of_compared(*id, fields))).collect();
    for (list, _, rows) in &lists {
        for (id, row) in rows {
            parts.entry(*id).and_modify(|part| part.children[*list as usize].push(row.clone()));
        }
    }
    parts.values_mut().for_each(Product::order_children);
    let odd = |own: &&Own| {
        own.5.as_ref().is_some_and(|held| parts.get(&own.0).is_some_and(|part| light::hash(part)[..] != held[..]))
    };
    let odd: Vec<i64> = own.iter().filter(odd).map(|own| own.0).collect();
    let whole = source.load(store_id, &odd).await?;

    let mut target = Transaction::begin(to).await?;
    let (mut rows, mut wholes, mut texts) = (Rows::part_of_products(&light::COMPARED), Rows::products(), Rows::texts());
    for (id, hash, first_seen, changed, removed, light, answer) in &own {
        let leading = [
            Cell::Int(store_id),
            Cell::Int(*id),
            Cell::Bytes(hash),
            Cell::Time(*first_seen),
            Cell::Time(*changed),
            removed.map_or(Cell::Null, Cell::Time),
            light.as_deref().map_or(Cell::Null, Cell::Bytes),
            answer.as_deref().map_or(Cell::Null, Cell::Bytes),
        ];
        if let Some(whole) = whole.get(id) {
            wholes.push(&leading, &whole.fields);
            texts.push(&leading[..2], &whole.texts);
        } else if let Some(fields) = fields.get(id) {
            // One that is gone by now was taken away with its store.
            rows.push(&leading, fields);
        }
    }
    for rows in [rows, wholes, texts] {
        target.insert(rows).await?;
    }
    for (_, table, held) in &lists {
        let mut rows = Rows::children(table);
        for (id, row) in held.iter().filter(|(id, _)| !whole.contains_key(id)) {
            rows.push(&[Cell::Int(store_id), Cell::Int(*id)], row);
        }
        target.insert(rows).await?;
    }
    for (child, table) in CHILDREN.iter().enumerate() {
        let mut rows = Rows::children(table);
        for (id, product) in &whole {
            for row in &product.children[child] {
                rows.push(&[Cell::Int(store_id), Cell::Int(*id)], row);
            }
        }
        target.insert(rows).await?;
    }
    target.commit().await?;
    Ok(Some(last))
}

async fn own(db: &Database, store_id: i64, after: i64) -> sqlx::Result<Vec<Own>> {
    const SQL: &str = "/* copy_light */ SELECT inventory_id, content_hash, first_seen_at, changed_at, removed_at, light_hash, answer_hash \
         FROM products WHERE store_id = $1 AND inventory_id > $2 ORDER BY inventory_id LIMIT $3";
    match db.pools() {
        Pools::Postgres(pool) => sqlx::query_as(SQL).bind(store_id).bind(after).bind(CHUNK).fetch_all(pool).await,
        Pools::Sqlite(pool) => sqlx::query_as(SQL).bind(store_id).bind(after).bind(CHUNK).fetch_all(pool).await,
    }
}
