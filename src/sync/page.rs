//! The records of a page: products, and those that are none.

use std::collections::HashSet;

use chrono::NaiveDateTime;
use tracing::debug;

use crate::connector::neto::{self, Page};
use crate::domain::cursor::Newest;
use crate::domain::product::Product;
use crate::storage::products::Quarantined;

/// Of several records of one product in a page the last is the newest.
pub fn keep_last(products: &mut Vec<Product<'_>>) {
    let mut met = HashSet::with_capacity(products.len());
    products.reverse();
    products.retain(|product| met.insert(product.inventory_id));
    products.reverse();
}

/// Takes note of the server's clock and of when the products of a page were edited.
pub fn note_dates(newest: &mut Newest, page: &Page, products: &[Product<'_>]) {
    let said =
        page.current_time.as_deref().and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok());
    newest.server_says(said.map(|time| time.and_utc()));
    products.iter().filter_map(Product::date_updated).for_each(|edited| newest.saw(edited));
}

/// The products of a page, and the records that are none.
pub fn normalize(page: &Page) -> (Vec<Product<'_>>, Vec<Quarantined<'_>>) {
    let mut products = Vec::with_capacity(page.records().len());
    let mut quarantined = Vec::new();
    for record in page.records() {
        match neto::normalize(record, page.lossy) {
            Ok(product) => products.push(product),
            Err(reject) => {
                debug!(inventory_id = reject.inventory_id, "quarantined: {}", reject.reason);
                quarantined.push(Quarantined { inventory_id: reject.inventory_id, reason: reject.reason, raw: record });
            }
        }
    }
    (products, quarantined)
}
