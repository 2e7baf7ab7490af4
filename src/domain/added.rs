//! The line of the feed of a product that is new: all it has, spelled as [`super::change::Change`] between nothing and the
//! product. Most lines of a first load are of this kind and larger than the product's rows, so it is written without a tree of
//! values in between.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::catalogue::{CHILDREN, Column, PRODUCT, TEXTS};
use super::moment;
use super::product::{Product, Row, Value};

/// Where a field of the line stands in the product.
#[derive(Clone, Copy)]
enum Place {
    Field(usize),
    Text(usize),
    Child(usize),
}

/// All fields of a line, by name.
static ORDER: LazyLock<Vec<(&'static str, Place)>> = LazyLock::new(|| {
    let fields = PRODUCT.iter().enumerate().map(|(place, column)| (column.name, Place::Field(place)));
    let texts = TEXTS.iter().enumerate().map(|(place, column)| (column.name, Place::Text(place)));
    let children = CHILDREN.iter().enumerate().map(|(place, table)| (table.name, Place::Child(place)));
    let mut order: Vec<_> = fields.chain(texts).chain(children).collect();
    order.sort_by_key(|(name, _)| *name);
    order
});

/// The columns of each child table, by name.
static CHILD_ORDER: LazyLock<Vec<Vec<(usize, &'static Column)>>> = LazyLock::new(|| {
    let by_name = |columns: &'static [Column]| {
        let mut order: Vec<_> = columns.iter().enumerate().collect();
        order.sort_by_key(|(_, column)| column.name);
        order
    };
    CHILDREN.iter().map(|table| by_name(table.columns)).collect()
});

/// Room for the line of a usual product.
const USUAL: usize = 4096;

/// The fields of the line, `{"brand":[null,"…"],…}`.
#[must_use]
pub fn fields(product: &Product<'_>) -> String {
    let mut out = String::with_capacity(USUAL);
    out.push('{');
    let mut name = |name: &str, out: &mut String| {
        out.push_str(if out.len() == 1 { "\"" } else { ",\"" });
        out.push_str(name);
        out.push_str("\":[");
    };
    for (called, place) in ORDER.iter() {
        let single = match *place {
            Place::Field(place) => &product.fields[place],
            Place::Text(place) => &product.texts[place],
            Place::Child(place) => {
                let list = &product.children[place];
                if !list.is_empty() {
                    name(called, &mut out);
                    out.push_str("[],");
                    rows(&CHILD_ORDER[place], list, &mut out);
                    out.push(']');
                }
                continue;
            }
        };
        if *single != Value::Null {
            name(called, &mut out);
            out.push_str("null,");
            value(single, &mut out);
            out.push(']');
        }
    }
    out.push('}');
    out
}

fn rows(columns: &[(usize, &Column)], list: &[Row<'_>], out: &mut String) {
    for (number, row) in list.iter().enumerate() {
        out.push(if number == 0 { '[' } else { ',' });
        let mut before = '{';
        for (place, column) in columns.iter().filter(|(place, _)| row[*place] != Value::Null) {
            out.push(before);
            out.push('"');
            out.push_str(column.name);
            out.push_str("\":");
            value(&row[*place], out);
            before = ',';
        }
        out.push_str(if before == '{' { "{}" } else { "}" });
    }
    out.push(']');
}

fn value(value: &Value<'_>, out: &mut String) {
    const TAKES: &str = "a string takes everything";
    match value {
        Value::Null => out.push_str("null"),
        Value::Text(text) => string(text, out),
        Value::Int(number) => write!(out, "{number}").expect(TAKES),
        // SQLite does not keep trailing zeros, so nobody is shown them.
        Value::Decimal(number) => write!(out, "\"{}\"", number.normalize()).expect(TAKES),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Time(time) => {
            out.push('"');
            moment::write(time.naive_utc(), out);
            out.push_str("+00:00\"");
        }
        Value::LocalTime(time) => {
            out.push('"');
            moment::write(*time, out);
            out.push('"');
        }
        Value::Date(date) => write!(out, "\"{date}\"").expect(TAKES),
    }
}

fn string(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(&serde_json::to_string(text).expect("a text is JSON"));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};

    use super::*;
    use crate::domain::catalogue::Kind;
    use crate::domain::change::Change;

    /// One product with every column, each kind in a spelling of its own by place.
    fn full() -> Product<'static> {
        let value = |place: usize, column: &Column| {
            let number = place as i64;
            let time = DateTime::from_timestamp(1_700_000_000 + number, [0, 5_000_000, 70_000, 9][place % 4]).unwrap();
            match column.kind {
                Kind::Text => Value::Text(["plain", "a \"quoted\" one", "ü\n\u{1}\u{8}\t\\", ""][place % 4].into()),
                Kind::Json => Value::Text("{\"A\":\"b\"}".into()),
                Kind::Int => Value::Int(-number),
                Kind::Decimal => Value::Decimal(["0.00", "-12.50", "1000", "0.0005"][place % 4].parse().unwrap()),
                Kind::Bool => Value::Bool(place.is_multiple_of(2)),
                Kind::Time => Value::Time(time),
                Kind::LocalTime => Value::LocalTime(time.naive_utc()),
                Kind::Date => Value::Date(NaiveDate::from_ymd_opt(2026, 1, 1 + place as u32 % 28).unwrap()),
            }
        };
        let row = |columns: &[Column]| -> Row<'static> {
            columns.iter().enumerate().map(|(place, column)| value(place, column)).collect()
        };
        let mut product = Product { fields: row(PRODUCT), texts: row(TEXTS), ..Product::empty(7) };
        for (list, table) in product.children.iter_mut().zip(CHILDREN) {
            *list = vec![row(table.columns), vec![Value::Null; table.columns.len()], row(table.columns)];
        }
        product
    }

    #[test]
    fn a_line_is_spelled_as_the_change_from_nothing() {
        let mut some = full();
        some.fields.iter_mut().step_by(3).for_each(|value| *value = Value::Null);
        some.children[2].clear();
        for product in [Product::empty(7), full(), some] {
            let change = Change::between(&Product::empty(7), &product);
            assert_eq!(fields(&product), serde_json::Value::from(change.fields).to_string());
        }
    }
}
