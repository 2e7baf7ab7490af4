//! Rows on their way into a table: the same shape for both databases and for every table of the mirror.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;

use super::pack::Pack;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// So many behind the number that [`Rows::number_from`] is told.
    Numbered(i64),
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

/// Bytes of rows in one piece of memory, about: what is written is packed, sent and freed in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Rows for one table.
#[derive(Debug)]
pub struct Rows {
    /// Table.
    pub table: &'static str,
    /// Columns in the order of the cells.
    pub columns: Vec<(&'static str, CellKind)>,
    /// How many leading columns are the key.
    pub key: usize,
    /// What to do with rows that are there already.
    pub conflict: Conflict,
    /// The cells, row after row; none of these is empty.
    pieces: Vec<Pack>,
    count: usize,
    /// What [`Cell::Numbered`] counts from.
    first: i64,
}

const STORE: (&str, CellKind) = ("store_id", CellKind::Of(Kind::Int));
const PRODUCT_KEY: (&str, CellKind) = ("inventory_id", CellKind::Of(Kind::Int));

impl Rows {
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

    /// No rows yet for `product_change_lines`.
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
        Self::new("product_change_lines", columns, 2, Conflict::Fail)
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
        Self { table, columns, key, conflict, pieces: Vec::new(), count: 0, first: 0 }
    }

    /// Adds a row: its leading cells, then values of the catalogue.
    pub fn push(&mut self, leading: &[Cell<'_>], values: &[Value<'_>]) {
        debug_assert_eq!(leading.len() + values.len(), self.columns.len(), "{}", self.table);
        match self.pieces.last() {
            Some(piece) if piece.len() < PIECE => {}
            Some(full) => self.pieces.push(Pack::with_room_of(full)),
            None => self.pieces.push(Pack::default()),
        }
        let piece = self.pieces.last_mut().expect("there is one now");
        for cell in leading.iter().copied().chain(values.iter().map(Cell::from)) {
            piece.push(cell);
        }
        self.count += 1;
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Says what the first row is numbered with, where rows have a [`Cell::Numbered`].
    pub fn number_from(&mut self, first: i64) {
        self.first = first;
    }

    /// The cells, row after row, in pieces that each end with a row; a [`Cell::Numbered`] is the number it stands for.
    pub fn pieces(&self) -> impl Iterator<Item = impl Iterator<Item = Cell<'_>>> {
        let first = self.first;
        let told = move |cell| if let Cell::Numbered(behind) = cell { Cell::Int(first + behind) } else { cell };
        self.pieces.iter().map(move |piece| piece.cells().map(told))
    }

    /// The cells, row after row.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.pieces().flatten()
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
