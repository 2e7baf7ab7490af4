//! What differs between two versions of a product: which tables to write, and the fields for the change feed.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use super::catalogue::{CHILD_TABLES, CHILDREN, Column, PRODUCT, TEXTS};
use super::product::{Product, Row, Value};

/// The difference between the stored and the new version of a product.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// Whether `product_texts` has to be written.
    pub texts: bool,
    /// Which child tables have to be written.
    pub children: [bool; CHILD_TABLES],
    /// Column or child table to `[old, new]`; what `product_changes.fields` holds. Decimals are JSON strings.
    pub fields: Map<String, Json>,
}

impl Change {
    /// Compares two versions of the same product.
    #[must_use]
    pub fn between(old: &Product<'_>, new: &Product<'_>) -> Self {
        let mut fields = Map::new();
        columns(PRODUCT, &old.fields, &new.fields, &mut fields);
        let texts = columns(TEXTS, &old.texts, &new.texts, &mut fields);
        let children = std::array::from_fn(|child| {
            let (was, is) = (&old.children[child], &new.children[child]);
            let changed = was != is;
            if changed {
                let columns = CHILDREN[child].columns;
                fields.insert(CHILDREN[child].name.to_owned(), json!([rows(columns, was), rows(columns, is)]));
            }
            changed
        });
        Self { texts, children, fields }
    }
}

fn columns(columns: &[Column], old: &[Value<'_>], new: &[Value<'_>], fields: &mut Map<String, Json>) -> bool {
    let mut changed = false;
    for ((column, old), new) in columns.iter().zip(old).zip(new).filter(|((_, old), new)| old != new) {
        fields.insert(column.name.to_owned(), json!([to_json(old), to_json(new)]));
        changed = true;
    }
    changed
}

fn rows(columns: &[Column], rows: &[Row<'_>]) -> Json {
    let object = |row: &Row<'_>| -> Json {
        let set = columns.iter().zip(row).filter(|(_, value)| **value != Value::Null);
        set.map(|(column, value)| (column.name.to_owned(), to_json(value))).collect::<Map<_, _>>().into()
    };
    rows.iter().map(object).collect()
}

/// A value for people and programs that read JSON.
fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::String(Cow::as_ref(text).to_owned()),
        Value::Int(number) => json!(number),
        // SQLite does not keep trailing zeros, so nobody is shown them.
        Value::Decimal(number) => Json::String(number.normalize().to_string()),
        Value::Bool(truth) => json!(truth),
        Value::Time(time) => Json::String(time.to_rfc3339()),
        Value::LocalTime(time) => Json::String(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()),
        Value::Date(date) => Json::String(date.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalogue::Child;

    #[test]
    fn only_what_differs_is_named() {
        let mut old = Product::empty(1);
        old.fields[0] = Value::Text("A".into());
        let mut new = old.clone();
        assert_eq!(
            Change::between(&old, &new),
            Change { texts: false, children: [false; CHILD_TABLES], fields: Map::new() }
        );
        new.fields[0] = Value::Text("B".into());
        new.children[Child::Stock as usize] =
            vec![vec![Value::Int(2), Value::Decimal("5.0".parse().unwrap()), Value::Null]];
        let change = Change::between(&old, &new);
        assert!(!change.texts && change.children[Child::Stock as usize]);
        assert_eq!(
            Json::from(change.fields),
            json!({"sku": ["A", "B"], "product_stock": [[], [{"warehouse_id": 2, "quantity": "5"}]]})
        );
    }
}
