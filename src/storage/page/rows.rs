//! Rows on their way into a table: the same shape for both databases and for every table of the mirror.

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

impl<'a> From<&'a Value<'_>> for Cell<'a> {
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
    /// There is none: the caller has deleted the rows or knows that the product is new.
    Fail,
    /// Overwrite every column but the key and `first_seen_at`.
    Update,
}

/// Rows for one table, one cell after the other.
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
    /// Row after row.
    pub cells: Vec<Cell<'a>>,
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
            ("fields", CellKind::Of(Kind::Json)),
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
        Self { table, columns: columns.into_iter().collect(), key, conflict, cells: Vec::new() }
    }

    /// Adds a row: its leading cells, then values of the catalogue.
    pub fn push(&mut self, leading: &[Cell<'a>], values: &'a [Value<'_>]) {
        debug_assert_eq!(leading.len() + values.len(), self.columns.len(), "{}", self.table);
        self.cells.extend_from_slice(leading);
        self.cells.extend(values.iter().map(Cell::from));
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len() / self.columns.len()
    }

    /// The start of the statement, `INSERT INTO "t" ("a", "b") `.
    pub fn insert_head(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("/* commit_page */ INSERT INTO \"{}\" ({}) ", self.table, names.join(", "))
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
