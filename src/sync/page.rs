//! The records of a page: products, and those that are none.

use std::collections::HashSet;

use chrono::NaiveDateTime;
use tracing::debug;

use crate::connector::neto::{self, Page};
use crate::domain::cursor::Newest;
use crate::domain::product::{AnswerHash, Product, answer_hash};
use crate::storage::products::Quarantined;

/// Of several records of one product in a page the last is the newest.
pub fn keep_last(products: &mut Vec<Product<'_>>) {
    let mut met = HashSet::with_capacity(products.len());
    products.reverse();
    products.retain(|product| met.insert(product.inventory_id));
    products.reverse();
}

/// Takes note of the server's clock, as a page has said it, and of when its products were edited.
pub fn note_dates(newest: &mut Newest, current_time: Option<&str>, products: &[Product<'_>]) {
    let said = current_time.and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok());
    newest.server_says(said.map(|time| time.and_utc()));
    products.iter().filter_map(Product::date_updated).for_each(|edited| newest.saw(edited));
}

/// The products of a page in full detail, and the records that are none.
pub fn normalize(page: &Page) -> (Vec<Product<'_>>, Vec<Quarantined<'_>>) {
    let mut products = Vec::with_capacity(page.records().len());
    let mut quarantined = Vec::new();
    for record in page.records() {
        match normalize_record(record, page.lossy) {
            Ok(product) => products.push(Product { answer: answer(record, page.lossy), ..product }),
            Err(bad) => quarantined.push(bad),
        }
    }
    (products, quarantined)
}

/// The hash of a record by which it is known again. Bytes that were replaced have no part in it, so what held some is read anew.
pub fn answer(record: &str, lossy: bool) -> Option<AnswerHash> {
    (!lossy).then(|| answer_hash(record))
}

/// A record to a product, or to a record that is none.
pub fn normalize_record(record: &str, lossy: bool) -> Result<Product<'_>, Quarantined<'_>> {
    neto::normalize(record, lossy).map_err(|reject| {
        debug!(inventory_id = reject.inventory_id, "quarantined: {}", reject.reason);
        Quarantined { inventory_id: reject.inventory_id, reason: reject.reason, raw: record.into() }
    })
}
