//! Which records a walk has met, so that a page that brings nothing new is noticed.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

/// The records met so far: eight bytes each.
#[derive(Debug, Default)]
pub struct Seen {
    products: HashSet<i64>,
    /// Records without a readable id, by their text: a page of only bad records is not the end of the list.
    unreadable: HashSet<u64>,
}

impl Seen {
    /// Notes a product; whether it is new.
    pub fn product(&mut self, inventory_id: i64) -> bool {
        self.products.insert(inventory_id)
    }

    /// Notes a record that could not be normalised; whether it is new.
    pub fn unreadable(&mut self, raw: &str) -> bool {
        self.unreadable.insert(xxh3_64(raw.as_bytes()))
    }
}
