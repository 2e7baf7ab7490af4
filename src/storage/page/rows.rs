//! Rows on their way into a table: the same shape for both databases and for every table of the mirror.
//!
//! What a row takes from a product stays where it is: a row is its leading cells and a reference to the product's values.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::catalogue::{ChildTable, Column, Kind, PRODUCT, TEXTS};
use crate::domain::product::Value;

/// Type of a column on its way to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// A column of the catalogue.
    Of(Kind),
    /// A hash.
    Bytes,
    /// JSON that nobody looks into here: kept as it is written.
    Written,
}

/// One value on its way to the database.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    Null,
    Text(&'a str),
    Int(i64),
    Decimal(Decimal),
    Bool(bool),
    Time(DateTime<Utc>),
    LocalTime(NaiveDateTime),
    Date(NaiveDate),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a Value<'a>> for Cell<'a> {
    fn from(value: &'a Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Text(text) => Self::Text(text),
            Value::Int(number) => Self::Int(*number),
            Value::Decimal(number) => Self::Decimal(*number),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Time(time) => Self::Time(*time),
            Value::LocalTime(time) => Self::LocalTime(*time),
            Value::Date(date) => Self::Date(*date),
        }
    }
}

/// What to do with a row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// There is none: the caller has deleted the rows or knows that what they belong to is new.
    Fail,
    /// Overwrite every column but the key and `first_seen_at`.
    Update,
}

/// Rows for one table.
#[derive(Debug)]
pub struct Rows<'a> {
    /// Table.
    pub table: &'static str,
    /// Columns in the order of the cells.
    pub columns: Vec<(&'static str, CellKind)>,
    /// How many leading columns are the key.
    pub key: usize,
    /// What to do with rows that are there already.
    pub conflict: Conflict,
    /// The leading cells, row after row.
    leading: Vec<Cell<'a>>,
    /// What follows them, row by row.
    values: Vec<&'a [Value<'a>]>,
}

const STORE: (&str, CellKind) = ("store_id", CellKind::Of(Kind::Int));
const PRODUCT_KEY: (&str, CellKind) = ("inventory_id", CellKind::Of(Kind::Int));

impl<'a> Rows<'a> {
    /// No rows yet for `products`.
    pub fn products() -> Self {
        Self::part_of_products(PRODUCT)
    }

    /// No rows yet for `products`, with these columns of the catalogue only.
    pub fn part_of_products(fields: &'static [Column]) -> Self {
        let own = [
            ("content_hash", CellKind::Bytes),
            ("first_seen_at", CellKind::Of(Kind::Time)),
            ("changed_at", CellKind::Of(Kind::Time)),
            ("removed_at", CellKind::Of(Kind::Time)),
            ("light_hash", CellKind::Bytes),
            ("answer_hash", CellKind::Bytes),
        ];
        let fields = fields.iter().map(|column| (column.name, CellKind::Of(column.kind)));
        Self::new("products", [STORE, PRODUCT_KEY].into_iter().chain(own).chain(fields), 2, Conflict::Update)
    }

    /// No rows yet for `products`, of which it is known that they are not there.
    pub fn new_products() -> Self {
        Self { conflict: Conflict::Fail, ..Self::products() }
    }

    /// No rows yet for `product_texts`, of which it is known that they are not there.
    pub fn new_texts() -> Self {
        Self { conflict: Conflict::Fail, ..Self::texts() }
    }

    /// No rows yet for `product_texts`.
    pub fn texts() -> Self {
        let texts = TEXTS.iter().map(|column| (column.name, CellKind::Of(column.kind)));
        Self::new("product_texts", [STORE, PRODUCT_KEY].into_iter().chain(texts), 2, Conflict::Update)
    }

    /// No rows yet for a child table.
    pub fn children(table: &'static ChildTable) -> Self {
        let columns = table.columns.iter().map(|column| (column.name, CellKind::Of(column.kind)));
        Self::new(table.name, [STORE, PRODUCT_KEY].into_iter().chain(columns), 2 + table.key, Conflict::Fail)
    }

    /// No rows yet for `product_changes`.
    pub fn changes() -> Self {
        let columns = [
            STORE,
            ("seq", CellKind::Of(Kind::Int)),
            PRODUCT_KEY,
            ("sku", CellKind::Of(Kind::Text)),
            ("kind", CellKind::Of(Kind::Text)),
            ("fields", CellKind::Written),
            ("run_id", CellKind::Of(Kind::Int)),
            ("at", CellKind::Of(Kind::Time)),
        ];
        Self::new("product_changes", columns, 2, Conflict::Fail)
    }

    /// No rows yet for `records`.
    pub fn records() -> Self {
        let columns = [
            STORE,
            ("stream", CellKind::Of(Kind::Text)),
            ("key", CellKind::Of(Kind::Text)),
            ("data", CellKind::Of(Kind::Json)),
            ("content_hash", CellKind::Bytes),
            ("first_seen_at", CellKind::Of(Kind::Time)),
            ("changed_at", CellKind::Of(Kind::Time)),
            ("removed_at", CellKind::Of(Kind::Time)),
        ];
        Self::new("records", columns, 3, Conflict::Update)
    }

    /// No rows yet for `record_changes`.
    pub fn record_changes() -> Self {
        let columns = [
            STORE,
            ("seq", CellKind::Of(Kind::Int)),
            ("stream", CellKind::Of(Kind::Text)),
            ("key", CellKind::Of(Kind::Text)),
            ("kind", CellKind::Of(Kind::Text)),
            ("fields", CellKind::Of(Kind::Json)),
            ("run_id", CellKind::Of(Kind::Int)),
            ("at", CellKind::Of(Kind::Time)),
        ];
        Self::new("record_changes", columns, 2, Conflict::Fail)
    }

    /// No rows yet for `quarantine`.
    pub fn quarantine() -> Self {
        let columns = [
            STORE,
            ("run_id", CellKind::Of(Kind::Int)),
            PRODUCT_KEY,
            ("reason", CellKind::Of(Kind::Text)),
            ("raw", CellKind::Of(Kind::Text)),
            ("at", CellKind::Of(Kind::Time)),
        ];
        Self::new("quarantine", columns, 0, Conflict::Fail)
    }

    /// No rows yet for `findings`.
    pub fn findings() -> Self {
        let columns = [("run_id", CellKind::Of(Kind::Int)), PRODUCT_KEY, ("kind", CellKind::Of(Kind::Text))];
        Self::new("findings", columns, 2, Conflict::Update)
    }

    fn new(
        table: &'static str,
        columns: impl IntoIterator<Item = (&'static str, CellKind)>,
        key: usize,
        conflict: Conflict,
    ) -> Self {
        let columns = columns.into_iter().collect();
        Self { table, columns, key, conflict, leading: Vec::new(), values: Vec::new() }
    }

    /// Adds a row: its leading cells, then values of the catalogue. All rows of a table have as many of either.
    pub fn push(&mut self, leading: &[Cell<'a>], values: &'a [Value<'a>]) {
        debug_assert_eq!(leading.len() + values.len(), self.columns.len(), "{}", self.table);
        self.leading.extend_from_slice(leading);
        self.values.push(values);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The rows, each its leading cells and the values behind them.
    pub fn iter(&self) -> impl Iterator<Item = (&[Cell<'a>], &'a [Value<'a>])> {
        let width = self.leading.len() / self.len().max(1);
        self.leading.chunks_exact(width.max(1)).zip(self.values.iter().copied())
    }

    /// The cells of one column, row by row.
    pub fn column(&self, column: usize) -> impl Iterator<Item = Cell<'a>> {
        self.iter().map(move |(leading, values)| match leading.get(column) {
            Some(cell) => *cell,
            None => Cell::from(&values[column - leading.len()]),
        })
    }

    /// Table and columns as a statement names them, `"t" ("a", "b")`.
    pub fn target(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("\"{}\" ({})", self.table, names.join(", "))
    }

    /// The start of a statement that inserts (`verb`), `INSERT INTO "t" ("a", "b") `.
    pub fn insert_head(&self, verb: &str) -> String {
        format!("/* commit_page */ {verb} INTO {} ", self.target())
    }

    /// The end of the statement: nothing, or what to do with rows that are there.
    pub fn insert_tail(&self) -> String {
        if self.conflict == Conflict::Fail {
            return String::new();
        }
        let quoted = |(name, _): &(&str, CellKind)| format!("\"{name}\"");
        let key: Vec<_> = self.columns[..self.key].iter().map(quoted).collect();
        let set: Vec<_> = self.columns[self.key..]
            .iter()
            .filter(|(name, _)| *name != "first_seen_at")
            .map(|(name, _)| format!("\"{name}\" = excluded.\"{name}\""))
            .collect();
        format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), set.join(", "))
    }
}
