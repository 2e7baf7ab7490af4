//! What differs between two versions of a product: which tables to write, and the fields for the change feed.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use super::catalogue::{CHILD_TABLES, CHILDREN, Column, PRODUCT, TEXTS};
use super::product::{Product, Row, Value};
use super::{json, spelling};

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

/// Where a name of the change feed comes from, and what is written before its value when there was none before.
struct Entry {
    before: String,
    from: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Field(usize),
    Text(usize),
    Child(usize),
}

/// The columns and child tables in the order of their names, as the change feed has them.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let names = |columns: &'static [Column]| columns.iter().map(|column| column.name).enumerate();
    let fields = names(PRODUCT).map(|(place, name)| (name, Source::Field(place)));
    let texts = names(TEXTS).map(|(place, name)| (name, Source::Text(place)));
    let children = CHILDREN.iter().enumerate().map(|(place, table)| (table.name, Source::Child(place)));
    let mut entries: Vec<_> = fields.chain(texts).chain(children).collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    let entry = |(name, from)| match from {
        Source::Child(_) => Entry { before: format!("\"{name}\":[[],"), from },
        Source::Field(_) | Source::Text(_) => Entry { before: format!("\"{name}\":[null,"), from },
    };
    entries.into_iter().map(entry).collect()
});

/// The columns of each child table in the order of their names: what is written before a value, and its place in a row.
static MEMBERS: LazyLock<[Vec<(String, usize)>; CHILD_TABLES]> = LazyLock::new(|| {
    std::array::from_fn(|child| {
        let mut columns: Vec<_> = CHILDREN[child].columns.iter().map(|column| column.name).enumerate().collect();
        columns.sort_unstable_by_key(|(_, name)| *name);
        columns.into_iter().map(|(place, name)| (format!("\"{name}\":"), place)).collect()
    })
});

impl Change {
    /// Writes what the change feed says of a product that was not there before: the `fields` of [`Change::between`] an empty product and
    /// it, as JSON. A reader of a new catalogue gets it for every product, so it is written straight away.
    pub fn added(product: &Product<'_>, out: &mut String) {
        out.push('{');
        for Entry { before, from } in &*ENTRIES {
            let value = match *from {
                Source::Field(place) => &product.fields[place],
                Source::Text(place) => &product.texts[place],
                Source::Child(child) => {
                    if !product.children[child].is_empty() {
                        next(out, b'{', before);
                        write_rows(&MEMBERS[child], &product.children[child], out);
                        out.push(']');
                    }
                    continue;
                }
            };
            if !matches!(value, Value::Null) {
                next(out, b'{', before);
                write_value(value, out);
                out.push(']');
            }
        }
        out.push('}');
    }
}

/// Writes what stands before a member or an element, with the comma unless it is the first after `opening`.
fn next(out: &mut String, opening: u8, before: &str) {
    if out.as_bytes().last() != Some(&opening) {
        out.push(',');
    }
    out.push_str(before);
}

fn write_rows(members: &[(String, usize)], rows: &[Row<'_>], out: &mut String) {
    out.push('[');
    for row in rows {
        next(out, b'[', "{");
        for (before, place) in members {
            if !matches!(row[*place], Value::Null) {
                next(out, b'{', before);
                write_value(&row[*place], out);
            }
        }
        out.push('}');
    }
    out.push(']');
}

/// Writes what [`to_json`] gives.
fn write_value(value: &Value<'_>, out: &mut String) {
    let spelled = match value {
        Value::Text(text) if json::is_plain(text) => return quoted(text, out),
        Value::Decimal(number) => {
            out.push('"');
            spelling::decimal(*number, out);
            return out.push('"');
        }
        Value::Int(number) => return out.push_str(itoa::Buffer::new().format(*number)),
        Value::Bool(truth) => return out.push_str(if *truth { "true" } else { "false" }),
        Value::Time(time) => spelling::time(time.naive_utc()).map(|text| (text, "+00:00")),
        Value::LocalTime(time) => spelling::time(*time).map(|text| (text, "")),
        _ => None,
    };
    match spelled {
        Some((text, zone)) => {
            out.push('"');
            out.push_str(spelling::ascii(&text));
            out.push_str(zone);
            out.push('"');
        }
        None => write!(out, "{}", to_json(value)).expect("a String takes every write"),
    }
}

fn quoted(plain: &str, out: &mut String) {
    out.push('"');
    out.push_str(plain);
    out.push('"');
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
        Value::Text(text) => Json::String(text.to_string()),
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
