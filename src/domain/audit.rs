//! An audit: a random sample of products compared with the store field by field, and all IDs.
//!
//! It asks one thing: is the copy what the store says? A product that the store has edited since the last sync is no answer to
//! that; it is told apart and does not count.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::confidence::{CONFIDENCE, least_right};
use super::digest::IdDigest;
use super::light;
use super::product::Product;
use super::sample::Sample;
use super::text_enum::text_enum;

/// Products of a sample nobody has chosen the size of.
pub const USUAL_SAMPLE: u32 = 400;
/// So many differences, and products of each kind, are named.
pub const NAMED: usize = 100;
/// Characters of a value that is quoted.
const QUOTED: usize = 200;

/// What a person asks an audit to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRequest {
    /// How many products are compared; `None` = all.
    pub sample: Option<u32>,
    /// What the sample is drawn with: the same seed draws the same sample from the same products.
    pub seed: u32,
    /// Whether what is found is repaired.
    pub repair: bool,
}

impl Default for AuditRequest {
    fn default() -> Self {
        Self { sample: Some(USUAL_SAMPLE), seed: 0, repair: false }
    }
}

text_enum! {
    /// What is wrong about a product of the copy.
    DifferenceKind {
        /// A field is not what the store says, and the store has not edited the product since the last sync.
        Wrong = "wrong",
        /// Only prices or stock are not what the store says. They move without a date, so it may have been since the last sync.
        Moved = "moved",
        /// The store, asked for it by its ID, does not have it.
        Absent = "absent",
        /// What the store says of it cannot be read.
        Unreadable = "unreadable",
    }
}

/// A difference between the copy and the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The product.
    pub inventory_id: i64,
    /// Its SKU in the copy.
    pub sku: Option<String>,
    /// What is wrong about it.
    pub kind: DifferenceKind,
    /// Column or child table; `None` where it is about the whole product.
    pub field: Option<String>,
    /// What the copy has. Of a list only the rows that differ; long texts are cut.
    pub held: Json,
    /// What the store says, likewise.
    pub at_store: Json,
}

/// Products, counted, of which the first are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// How many there are.
    pub products: u64,
    /// The first of them.
    pub first: Vec<i64>,
}

impl Extend<i64> for Named {
    fn extend<T: IntoIterator<Item = i64>>(&mut self, ids: T) {
        for id in ids {
            self.products += 1;
            if self.first.len() < NAMED {
                self.first.push(id);
            }
        }
    }
}

/// All IDs on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// Products the store lists.
    pub at_store: u64,
    /// Products the copy has.
    pub held: u64,
    /// Digest of the former.
    pub store_digest: IdDigest,
    /// Digest of the latter.
    pub held_digest: IdDigest,
    /// Whether the store's list was read whole; else nothing of this can be relied on.
    pub whole: bool,
    /// Listed and not held, and not new either.
    pub not_held: Named,
    /// Listed and not held, and edited since the last sync.
    pub new: Named,
    /// Held and not listed; says nothing where the list was not read whole.
    pub not_listed: Named,
}

/// What an audit has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFindings {
    /// From how many products the sample was drawn.
    pub among: u64,
    /// Products of it that are what the store says, field by field.
    pub identical: u64,
    /// Products of it that are not.
    pub different: u64,
    /// Those of them that differ in nothing but prices or stock.
    pub moved: u64,
    /// Products of it that the store has edited since the last sync: they count for neither.
    pub edited: Named,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// All IDs.
    pub ids: Ids,
}

/// An audit under way. Travels in the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// What it compares, once that is drawn.
    pub sample: Option<Sample>,
    /// Products of it up to this ID are done.
    pub upto: Option<i64>,
    /// What it has found so far.
    pub found: AuditFindings,
}

/// What is compared: a product of the copy with what the store says of it.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// What the store edited up to here must be in the copy; `None` = that is not known.
    pub known_upto: Option<DateTime<Utc>>,
}

impl Since {
    /// Whether the store has edited a product since the last sync, by its own date.
    #[must_use]
    pub fn edited(&self, held: Option<&Product<'_>>, at_store: &Product<'_>) -> bool {
        let newer = at_store.date_updated() > held.and_then(Product::date_updated);
        match (held, self.known_upto) {
            // Nothing was ever listed whole, so nothing is known to be new.
            (None, None) => false,
            (Some(_), None) => newer,
            (_, Some(known)) => newer && at_store.date_updated() > Some(known),
        }
    }
}

impl AuditFindings {
    /// Products of the sample that count.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.identical + self.different
    }

    /// The share of the products that is identical at least, from 0 to 1; of those that were not edited since the last sync.
    #[must_use]
    pub fn at_least(&self) -> f64 {
        least_right(self.among.saturating_sub(self.edited.products), self.compared(), self.different)
    }

    /// Whether everything is as it should be, as far as that is known.
    #[must_use]
    pub fn clean(&self) -> bool {
        let listed = !self.ids.whole || self.ids.not_listed.products == 0;
        self.different == 0 && self.ids.not_held.products == 0 && listed
    }

    /// Takes note of a product and of how it differs, as the change feed would tell it: field to `[held, at the store]`.
    pub fn differs(&mut self, held: &Product<'_>, fields: Map<String, Json>) {
        let kind = if light::only_amounts(fields.keys()) { DifferenceKind::Moved } else { DifferenceKind::Wrong };
        self.different += 1;
        self.moved += u64::from(kind == DifferenceKind::Moved);
        for (field, pair) in fields {
            let (held_value, at_store) = quoted(pair);
            self.name(held, kind, Some(field), held_value, at_store);
        }
    }

    /// Takes note of a product of which the store has nothing to compare.
    pub fn nothing_to_compare(&mut self, held: &Product<'_>, kind: DifferenceKind, why: Option<String>) {
        self.different += 1;
        self.name(held, kind, None, Json::Null, why.map_or(Json::Null, |why| cut(Json::String(why))));
    }

    fn name(&mut self, held: &Product<'_>, kind: DifferenceKind, field: Option<String>, value: Json, at_store: Json) {
        if self.differences.len() < NAMED {
            let (inventory_id, sku) = (held.inventory_id, held.sku().map(str::to_owned));
            self.differences.push(Difference { inventory_id, sku, kind, field, held: value, at_store });
        }
    }

    /// What the sample says, in a sentence.
    #[must_use]
    pub fn identity(&self) -> String {
        let compared = self.compared();
        let least = match self.at_least() {
            _ if compared == 0 => return "nothing was compared".to_owned(),
            least if compared + self.edited.products >= self.among => format!("{} are identical", percent(least)),
            least => format!(
                "with {:.0} % confidence at least {} of the products are identical",
                CONFIDENCE * 100.0,
                percent(least)
            ),
        };
        let plural = if self.different == 1 { "" } else { "s" };
        format!("{} difference{plural} in {compared} of {} products: {least}", self.different, self.among)
    }
}

/// A share in percent, rounded down: never more than is known.
fn percent(share: f64) -> String {
    format!("{} %", (share * 10_000.0 + 1e-7).floor() / 100.0)
}

/// Both values of a field as they are shown.
fn quoted(pair: Json) -> (Json, Json) {
    let Json::Array(pair) = pair else { return (Json::Null, pair) };
    let mut pair = pair.into_iter();
    match (pair.next().unwrap_or_default(), pair.next().unwrap_or_default()) {
        (Json::Array(held), Json::Array(at_store)) => {
            let but = |rows: &[Json], others: &[Json]| {
                rows.iter().filter(|row| !others.contains(row)).cloned().map(cut).collect::<Vec<_>>()
            };
            (cut_list(but(&held, &at_store)), cut_list(but(&at_store, &held)))
        }
        (held, at_store) => (cut(held), cut(at_store)),
    }
}

/// Rows of a list that are shown.
const ROWS: usize = 5;

fn cut_list(mut rows: Vec<Json>) -> Json {
    let more = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    if more > 0 {
        rows.push(Json::String(format!("… and {more} more")));
    }
    Json::Array(rows)
}

fn cut(value: Json) -> Json {
    match value {
        Json::String(text) if text.chars().count() > QUOTED => {
            Json::String(text.chars().take(QUOTED).chain(['…']).collect())
        }
        Json::Object(row) => Json::Object(row.into_iter().map(|(name, value)| (name, cut(value))).collect()),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::domain::catalogue::PRODUCT;
    use crate::domain::product::Value;

    fn findings(among: u64, identical: u64, different: u64) -> AuditFindings {
        AuditFindings { among, identical, different, ..AuditFindings::default() }
    }

    #[test]
    fn what_a_sample_says_is_never_more_than_is_known() {
        assert_eq!(
            findings(100_000_000, 400, 0).identity(),
            "0 differences in 400 of 100000000 products: with 95 % confidence at least 99.25 % of the products are identical"
        );
        assert_eq!(findings(40, 40, 0).identity(), "0 differences in 40 of 40 products: 100 % are identical");
        assert_eq!(findings(40, 39, 1).identity(), "1 difference in 40 of 40 products: 97.5 % are identical");
        assert_eq!(
            findings(30_001, 30_000, 1).identity(),
            "1 difference in 30001 of 30001 products: 99.99 % are identical"
        );
        assert_eq!(findings(0, 0, 0).identity(), "nothing was compared");
        let mut edited = findings(40, 38, 0);
        edited.edited.extend([1, 2]);
        assert_eq!(edited.at_least().to_bits(), 1.0_f64.to_bits(), "of those that were not edited since");
    }

    #[test]
    fn an_edit_is_newer_than_the_last_sync_or_it_was_missed() {
        let at = |hour: i64| DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + TimeDelta::hours(hour);
        let product = |hour: i64| {
            let mut product = Product::empty(1);
            let place = PRODUCT.iter().position(|column| column.name == "date_updated").expect("a column");
            product.fields[place] = Value::Time(at(hour));
            product
        };
        let since = Since { known_upto: Some(at(5)) };
        assert!(since.edited(Some(&product(1)), &product(6)));
        assert!(!since.edited(Some(&product(1)), &product(4)), "the last sync should have brought it");
        assert!(!since.edited(Some(&product(6)), &product(6)));
        assert!(since.edited(None, &product(6)) && !since.edited(None, &product(4)));
        let nothing = Since { known_upto: None };
        assert!(nothing.edited(Some(&product(1)), &product(2)) && !nothing.edited(None, &product(2)));
        assert!(!since.edited(Some(&product(1)), &Product::empty(1)), "without a date it is not newer");
    }

    #[test]
    fn differences_are_named_by_field_and_of_lists_the_rows_that_differ() {
        let mut found = AuditFindings::default();
        let held = Product::empty(7);
        let pair = json!([[{"id": 1}, {"id": 2}], [{"id": 1}, {"id": 3}]]);
        found.differs(&held, Map::from_iter([("product_stock".to_owned(), pair)]));
        found.differs(&held, Map::from_iter([("name".to_owned(), json!(["x".repeat(900), null]))]));
        assert_eq!((found.different, found.moved), (2, 1));
        let [stock, name] = &found.differences[..] else { panic!("two: {found:?}") };
        assert_eq!(
            (stock.kind, &stock.held, &stock.at_store),
            (DifferenceKind::Moved, &json!([{"id": 2}]), &json!([{"id": 3}]))
        );
        assert_eq!((name.kind, &name.at_store), (DifferenceKind::Wrong, &Json::Null));
        assert_eq!(name.held.as_str().map(|text| text.chars().count()), Some(QUOTED + 1));
        for _ in 0..300 {
            found.nothing_to_compare(&held, DifferenceKind::Absent, None);
        }
        assert_eq!((found.different, found.differences.len()), (302, NAMED));
    }
}
