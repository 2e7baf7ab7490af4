//! What a GetItem request asks, and which products answer it.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use super::catalogue::Catalogue;
use super::render::Selection;

/// Rows of a page when the request names no `Limit`. The vendor's own number is not known.
const DEFAULT_LIMIT: usize = 100;

/// Which products, in which order: everything of a request but page and fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) ids: Option<Vec<i64>>,
    pub(super) skus: Option<Vec<String>>,
    active: Option<Vec<bool>>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    by_date: bool,
    descending: bool,
}

/// A request, understood.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) filter: Filter,
    pub(super) page: usize,
    pub(super) limit: usize,
    pub(super) selection: Selection,
    /// Names of the filters and selectors.
    pub(super) parts: Vec<String>,
}

/// What a store may do differently from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect<'a> {
    pub(super) page_cap: Option<usize>,
    pub(super) refused_selectors: &'a [String],
    /// Without `IsActive` some stores answer active products only.
    pub(super) active_only: bool,
}

impl Query {
    /// Reads the request, or says everything that is wrong with it, in the words of the answer.
    pub(super) fn read(body: &[u8], dialect: Dialect<'_>) -> Result<Self, Vec<String>> {
        let body: Value = serde_json::from_slice(body).map_err(|_| vec!["JSON Error".to_owned()])?;
        let none = Map::new();
        let filter = body.get("Filter").and_then(Value::as_object).unwrap_or(&none);
        let mut wrong = Vec::new();
        let mut query = Filter::default();
        let (mut page, mut limit) = (0, DEFAULT_LIMIT);
        let mut selectors = Vec::new();
        for (name, value) in filter {
            let values = texts(value);
            let refused = || format!("Value not allowed in {name}: {}", values.join(", "));
            let read = match name.as_str() {
                "Page" => number(&values).map(|number| page = number),
                "Limit" => number(&values).map(|number| limit = if number == 0 { DEFAULT_LIMIT } else { number }),
                "InventoryID" => {
                    values.iter().map(|id| id.parse().ok()).collect::<Option<_>>().map(|ids| query.ids = Some(ids))
                }
                "SKU" => {
                    query.skus = Some(values.clone());
                    Some(())
                }
                "IsActive" => {
                    values.iter().map(|text| truth(text)).collect::<Option<_>>().map(|all| query.active = Some(all))
                }
                "DateUpdatedFrom" => time(&values).map(|at| query.from = Some(at)),
                "DateUpdatedTo" => time(&values).map(|at| query.to = Some(at)),
                "OrderBy" => order(&values).map(|by_date| query.by_date = by_date),
                "OrderDirection" => direction(&values).map(|descending| query.descending = descending),
                "OutputSelector" => {
                    selectors.clone_from(&values);
                    Some(())
                }
                _ => {
                    // Ignoring a filter would answer other rows than asked, and a test would believe them.
                    wrong.push(format!("Filter not simulated: {name}"));
                    Some(())
                }
            };
            if read.is_none() {
                wrong.push(refused());
            }
        }
        if query.active.is_none() && dialect.active_only {
            query.active = Some(vec![true]);
        }
        let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
        match Selection::new(&selectors, dialect.refused_selectors) {
            Ok(selection) if wrong.is_empty() => {
                let limit = limit.min(dialect.page_cap.unwrap_or(usize::MAX));
                let parts = filter.keys().map(String::as_str).chain(selectors).map(str::to_owned).collect();
                Ok(Self { filter: query, page, limit, selection, parts })
            }
            Ok(_) => Err(wrong),
            Err(bad) => {
                wrong.extend(bad.into_iter().map(|name| format!("Value not allowed in OutputSelector: {name}")));
                Err(wrong)
            }
        }
    }
}

impl Filter {
    /// The keys of the products that answer, in order.
    pub(super) fn matching(&self, catalogue: &Catalogue) -> Vec<i64> {
        let asked: Option<HashSet<i64>> = self.ids.as_ref().map(|ids| ids.iter().copied().collect());
        let skus: Option<HashSet<&str>> = self.skus.as_ref().map(|skus| skus.iter().map(String::as_str).collect());
        let mut found: Vec<_> = catalogue
            .entries()
            .iter()
            .filter(|entry| {
                asked.as_ref().is_none_or(|ids| ids.contains(&entry.id))
                    && self.active.as_ref().is_none_or(|states| states.contains(&entry.active))
                    && self.from.is_none_or(|from| entry.updated >= from)
                    && self.to.is_none_or(|to| entry.updated <= to)
                    && skus.as_ref().is_none_or(|skus| skus.contains(catalogue.sku(entry).as_str()))
            })
            .collect();
        if self.by_date {
            found.sort_by_key(|entry| (entry.updated, entry.id));
        }
        if self.descending {
            found.reverse();
        }
        found.into_iter().map(|entry| entry.id).collect()
    }
}

/// The values of a filter: one or a list, strings, numbers or booleans.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

fn number(values: &[String]) -> Option<usize> {
    let [one] = values else { return None };
    one.parse().ok()
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "y" => Some(true),
        "false" | "0" | "n" => Some(false),
        _ => None,
    }
}

fn time(values: &[String]) -> Option<DateTime<Utc>> {
    let [text] = values else { return None };
    let spaced = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S");
    let joined = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S");
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(chrono::NaiveTime::MIN));
    spaced.or_else(|_| joined()).or_else(|_| date()).ok().map(|at| at.and_utc())
}

/// Whether the order is by date; `None` for an order that is not simulated.
fn order(values: &[String]) -> Option<bool> {
    match values {
        [one] if one == "ID" => Some(false),
        [one] if one == "DateUpdated" => Some(true),
        _ => None,
    }
}

fn direction(values: &[String]) -> Option<bool> {
    match values {
        [one] if one == "ASC" => Some(false),
        [one] if one == "DESC" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(filter: &Value) -> Result<Query, Vec<String>> {
        let dialect = Dialect { page_cap: Some(500), refused_selectors: &["Misc07".into()], active_only: false };
        Query::read(json!({"Filter": filter}).to_string().as_bytes(), dialect)
    }

    #[test]
    fn numbers_may_be_texts_and_lists_may_be_single_values() {
        let query =
            read(&json!({"Page": "2", "Limit": 1000, "InventoryID": "48001", "IsActive": [true, "False"]})).unwrap();
        assert_eq!((query.page, query.limit), (2, 500), "the cap holds");
        assert_eq!(query.filter.ids, Some(vec![48_001]));
        assert_eq!(query.filter.active, Some(vec![true, false]));
    }

    #[test]
    fn every_wrong_value_is_named() {
        let wrong = read(&json!({
            "OutputSelector": ["Name", "Colour", "Misc07"],
            "DateUpdatedFrom": "yesterday",
            "Brand": "Øvn"
        }));
        assert_eq!(
            wrong.unwrap_err(),
            [
                "Filter not simulated: Brand",
                "Value not allowed in DateUpdatedFrom: yesterday",
                "Value not allowed in OutputSelector: Colour",
                "Value not allowed in OutputSelector: Misc07",
            ]
        );
    }

    #[test]
    fn dates_bound_the_answer_on_both_sides_and_order_it() {
        let mut catalogue = Catalogue::new(40, 1, false);
        let ids: Vec<i64> = catalogue.ids().collect();
        for (minute, id) in [(3, ids[5]), (1, ids[9]), (2, ids[7])] {
            catalogue.edit_price(id, format!("2026-04-03T10:0{minute}:00Z").parse().unwrap());
        }
        let window = json!({"DateUpdatedFrom": "2026-04-03 10:01:00", "DateUpdatedTo": "2026-04-03T10:02:00"});
        assert_eq!(read(&window).unwrap().filter.matching(&catalogue), [ids[7], ids[9]]);
        let newest = json!({"DateUpdatedFrom": "2026-04-03", "OrderBy": "DateUpdated", "OrderDirection": "DESC"});
        assert_eq!(read(&newest).unwrap().filter.matching(&catalogue), [ids[5], ids[7], ids[9]]);
    }

    #[test]
    fn a_product_is_found_by_sku_and_by_state() {
        let mut catalogue = Catalogue::new(40, 1, false);
        let id = catalogue.ids().nth(3).unwrap();
        let at = "2026-04-03T10:00:00Z".parse().unwrap();
        catalogue.change(id, at, |product| product.set("SKU", super::super::value::SimValue::text("NEW-SKU")));
        assert_eq!(read(&json!({"SKU": ["NEW-SKU", "GONE"]})).unwrap().filter.matching(&catalogue), [id]);
        catalogue.set_active(id, false, at);
        assert!(read(&json!({"IsActive": "False"})).unwrap().filter.matching(&catalogue).contains(&id));
        assert!(!read(&json!({"IsActive": ["True"]})).unwrap().filter.matching(&catalogue).contains(&id));
    }
}
