//! A product, normalised: what is hashed, compared and written.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use super::catalogue::{CHILD_TABLES, CHILDREN, PRODUCT, TEXTS};
use super::spelling;
use super::text::Text;

/// Counts the mapping from the answer to the tables. Raised whenever a change of the program makes the same
/// answer give other rows, so that the next full run writes every product once more.
pub const MAPPING_VERSION: u8 = 1;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing: absent, `null`, or an empty string.
    Null,
    /// Text; also JSON in canonical form for columns of that kind.
    Text(Text<'a>),
    /// Whole number.
    Int(i64),
    /// Exact decimal with the scale it was sent with.
    Decimal(Decimal),
    /// Truth value.
    Bool(bool),
    /// Instant in UTC.
    Time(DateTime<Utc>),
    /// Wall-clock time.
    LocalTime(NaiveDateTime),
    /// Calendar date.
    Date(NaiveDate),
}

impl Value<'_> {
    /// The same value, borrowing nothing ([`Text::sharing`]).
    #[must_use]
    pub fn sharing(self, page: &Arc<String>) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => Value::Text(text.sharing(page)),
            Self::Int(number) => Value::Int(number),
            Self::Decimal(number) => Value::Decimal(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Time(time) => Value::Time(time),
            Self::LocalTime(time) => Value::LocalTime(time),
            Self::Date(date) => Value::Date(date),
        }
    }
}

/// A row of a child table, in the order of its columns.
pub type Row<'a> = Vec<Value<'a>>;

/// A row without values.
#[must_use]
pub fn empty_row(columns: usize) -> Row<'static> {
    // `vec!` would clone the first value for each of the others.
    std::iter::repeat_with(|| Value::Null).take(columns).collect()
}

/// A product with its child rows, in the order of [`super::catalogue`].
///
/// Text is borrowed from the page it came in where possible. Child rows are sorted by their key; where the
/// key is a position that is the order of the store's list.
#[derive(Clone, Debug)]
pub struct Product<'a> {
    /// Key of the product in its store.
    pub inventory_id: i64,
    /// Values of [`PRODUCT`], one each.
    pub fields: Vec<Value<'a>>,
    /// Values of [`TEXTS`], one each.
    pub texts: Vec<Value<'a>>,
    /// Rows of each child table.
    pub children: [Vec<Row<'a>>; CHILD_TABLES],
    /// Hash of the record it was read from, where one record says all of it. Not part of what it is: the same product may be
    /// told in other words.
    pub answer: Option<AnswerHash>,
}

impl PartialEq for Product<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.inventory_id == other.inventory_id
            && self.fields == other.fields
            && self.texts == other.texts
            && self.children == other.children
    }
}

/// 128 bits over a record as it was sent: the same bytes again say the same again, and need not be parsed.
pub type AnswerHash = [u8; 16];

/// The [`AnswerHash`] of a record. Another mapping makes other rows of it, so it gives another hash.
#[must_use]
pub fn answer_hash(record: &str) -> AnswerHash {
    xxh3_128_with_seed(record.as_bytes(), MAPPING_VERSION.into()).to_le_bytes()
}

/// 128 bits that tell whether a product changed. Not cryptographic: it guards against accident, not malice.
pub type ContentHash = [u8; 16];

impl Product<'_> {
    /// A product without values.
    #[must_use]
    pub fn empty(inventory_id: i64) -> Self {
        Self {
            inventory_id,
            fields: empty_row(PRODUCT.len()),
            texts: empty_row(TEXTS.len()),
            children: std::array::from_fn(|_| Vec::new()),
            answer: None,
        }
    }

    /// The same product, borrowing nothing: it may be handed to another task. Texts that stand in `page` share it, others are copied;
    /// rows keep their memory.
    #[must_use]
    pub fn sharing(self, page: &Arc<String>) -> Product<'static> {
        let values =
            |row: Vec<Value<'_>>| -> Row<'static> { row.into_iter().map(|value| value.sharing(page)).collect() };
        Product {
            inventory_id: self.inventory_id,
            fields: values(self.fields),
            texts: values(self.texts),
            children: self.children.map(|rows| rows.into_iter().map(values).collect()),
            answer: self.answer,
        }
    }

    /// The SKU, if it has one.
    #[must_use]
    pub fn sku(&self) -> Option<&str> {
        match &self.fields[0] {
            Value::Text(sku) => Some(sku),
            _ => None,
        }
    }

    /// When it was last edited, in the server's time, if it says so.
    #[must_use]
    pub fn date_updated(&self) -> Option<DateTime<Utc>> {
        static PLACE: LazyLock<usize> = LazyLock::new(|| {
            PRODUCT.iter().position(|column| column.name == "date_updated").expect("a column of the catalogue")
        });
        match &self.fields[*PLACE] {
            Value::Time(edited) => Some(*edited),
            _ => None,
        }
    }

    /// Hash over all values and child rows. Numbers count by value: `12.50` and `12.5` are the same.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        let mut content = Content::new();
        content.row(&self.fields);
        content.row(&self.texts);
        for rows in &self.children {
            content.rows(rows);
        }
        content.hash()
    }

    /// Brings the rows of every child table into the order of their keys; of rows with the same key the last wins.
    pub fn order_children(&mut self) {
        for (table, rows) in CHILDREN.iter().zip(&mut self.children) {
            if rows.is_sorted_by(|a, b| compare_keys(&a[..table.key], &b[..table.key]).is_lt()) {
                continue; // as nearly all are, and then no key is there twice
            }
            rows.sort_by(|a, b| compare_keys(&a[..table.key], &b[..table.key]));
            rows.reverse();
            rows.dedup_by(|earlier, kept| earlier[..table.key] == kept[..table.key]);
            rows.reverse();
        }
    }
}

/// Keys are whole numbers and texts.
fn compare_keys(a: &[Value<'_>], b: &[Value<'_>]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|pair| match pair {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => (**a).cmp(b),
            _ => Ordering::Equal,
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What is hashed of a product. Gathered first: two hundred pieces cost twice what the whole does.
pub(super) struct Content(Vec<u8>);

impl Content {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(4096);
        bytes.push(MAPPING_VERSION);
        Self(bytes)
    }

    pub(super) fn hash(&self) -> ContentHash {
        xxh3_128(&self.0).to_le_bytes()
    }

    /// Adds how many rows there are, and each.
    pub(super) fn rows(&mut self, rows: &[Row<'_>]) {
        self.0.extend((rows.len() as u64).to_le_bytes());
        for row in rows {
            self.row(row);
        }
    }

    pub(super) fn row(&mut self, row: &[Value<'_>]) {
        for value in row {
            self.value(value);
        }
    }

    pub(super) fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => self.0.push(0),
            Value::Text(text) => {
                self.put(1, (text.len() as u64).to_le_bytes());
                self.0.extend_from_slice(text.as_bytes());
            }
            Value::Int(number) => self.put(2, number.to_le_bytes()),
            Value::Decimal(number) => self.put(3, spelling::normalized(*number).serialize()),
            Value::Bool(truth) => self.put(4, [u8::from(*truth)]),
            Value::Time(time) => self.put(5, time.timestamp_micros().to_le_bytes()),
            Value::LocalTime(time) => self.put(6, time.and_utc().timestamp_micros().to_le_bytes()),
            Value::Date(date) => {
                self.0.push(7);
                match spelling::date(*date) {
                    Some(text) => self.0.extend_from_slice(&text),
                    None => self.0.extend_from_slice(date.to_string().as_bytes()),
                }
            }
        }
    }

    /// Adds a value after the number of its kind.
    fn put<const N: usize>(&mut self, kind: u8, bytes: [u8; N]) {
        self.0.reserve(N + 1);
        self.0.push(kind);
        self.0.extend_from_slice(&bytes);
    }
}
