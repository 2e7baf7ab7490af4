//! One record of the answer to one [`Product`]: strict, total, and without dropping anything.

use std::borrow::Cow;

use super::collection::{excerpt, extra_value};
use super::fields::{self, Slot, Target};
use super::scalar::{self, Read};
use crate::domain::catalogue::{Column, Kind, PRODUCT, TEXTS};
use crate::domain::json::{Members, Node, Tape};
use crate::domain::product::{Product, Value};

/// Why a record was put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The product's key, when it could be read.
    pub inventory_id: Option<i64>,
    /// Field, value and what was expected.
    pub reason: String,
}

/// Normalises the raw JSON of one record. `lossy` says that the page held bytes that are no UTF-8 and were replaced
/// by U+FFFD; a record that shows one is marked in `extra` (spec §8, last lines).
pub fn normalize(record: &str, lossy: bool) -> Result<Product<'_>, Reject> {
    let tape = Tape::new(record);
    let Some(members) = tape.as_ref().and_then(|tape| tape.root().members()) else {
        return Err(Reject { inventory_id: None, reason: format!("not an object: {}", excerpt(record)) });
    };
    let inventory_id = inventory_id(members.clone()).map_err(|reason| Reject { inventory_id: None, reason })?;
    let reject = |reason| Reject { inventory_id: Some(inventory_id), reason };
    let mut reading = Reading {
        product: Product::empty(inventory_id),
        filled: Vec::with_capacity(PRODUCT.len() + TEXTS.len()),
        misc: Vec::new(),
        extra: Vec::new(),
    };
    for (name, value) in members {
        reading.member(name.name(), value).map_err(reject)?;
    }
    if lossy && record.contains('\u{fffd}') {
        reading.extra.push((Cow::Borrowed("_netosync_lossy_text"), "true"));
    }
    reading.finish().map_err(reject)
}

/// `InventoryID` and `ID` are the same number and either may be absent.
fn inventory_id(members: Members<'_, '_>) -> Result<i64, String> {
    let mut found = None;
    for (name, value) in members.filter(|(name, _)| fields::is_id(*name)) {
        match scalar::read(Kind::Int, value) {
            Read::Value(Value::Null) => {}
            Read::Value(Value::Int(id)) if id > 0 => match found {
                Some(other) if other != id => return Err(format!("InventoryID and ID differ: {other} and {id}")),
                _ => found = Some(id),
            },
            _ => return Err(format!("{} {} is not a positive whole number", name.name(), excerpt(value.raw()))),
        }
    }
    found.ok_or_else(|| "InventoryID is missing".to_owned())
}

/// A record half read.
struct Reading<'a> {
    product: Product<'a>,
    /// The columns that have a value.
    filled: Vec<Filled<'a>>,
    misc: Vec<(Cow<'a, str>, &'a str)>,
    extra: Vec<(Cow<'a, str>, &'a str)>,
}

/// A column that has a value, which of its API fields gave it, and the raw text.
struct Filled<'a> {
    column: &'static Column,
    rank: usize,
    raw: &'a str,
}

impl<'a> Reading<'a> {
    fn member(&mut self, name: Cow<'a, str>, value: Node<'_, 'a>) -> Result<(), String> {
        match fields::target(&name) {
            Some(Target::Id) => {}
            Some(Target::Product(slot)) => self.column(PRODUCT, slot, name, value)?,
            Some(Target::Text(slot)) => self.column(TEXTS, slot, name, value)?,
            Some(Target::Misc) if value.is_nothing() => {}
            Some(Target::Misc) => self.misc.push((fields::misc_name(name), value.raw())),
            Some(Target::Collection(collection)) => collection.read(value, &mut self.product)?,
            Some(Target::UntabledList) if value.is_nothing() => {}
            Some(Target::UntabledList) | None => self.extra.push((name, value.raw())),
        }
        Ok(())
    }

    /// Reads a value into its column. A column may have several API fields (`DateAddedUTC`, `DateAdded`): the
    /// preferred one wins, and another value of the others stays in `extra`.
    fn column(
        &mut self,
        columns: &'static [Column],
        slot: Slot,
        name: Cow<'a, str>,
        value: Node<'_, 'a>,
    ) -> Result<(), String> {
        let column = &columns[slot.index];
        let raw = value.raw();
        let value = match scalar::read(column.kind, value) {
            Read::Value(value) => value,
            Read::Rounded(value) => {
                self.extra.push((name.clone(), raw));
                value
            }
            Read::Keep => {
                self.extra.push((name, raw));
                return Ok(());
            }
            Read::Reject(expected) => return Err(format!("{name} {} is not {expected}", excerpt(raw))),
        };
        let value = match value {
            Value::Text(text) if column.name == "parent_sku" && matches!(text.trim(), "" | "0") => Value::Null,
            other => other,
        };
        if matches!(value, Value::Null) {
            return Ok(());
        }
        let cells = if std::ptr::eq(columns, PRODUCT) { &mut self.product.fields } else { &mut self.product.texts };
        let cell = &mut cells[slot.index];
        if matches!(cell, Value::Null) {
            *cell = value;
            self.filled.push(Filled { column, rank: slot.rank, raw });
            return Ok(());
        }
        let filled = self.filled.iter_mut().find(|filled| std::ptr::eq(filled.column, column));
        let filled = filled.expect("a cell with a value was filled");
        if *cell == value {
            return Ok(());
        }
        if filled.rank <= slot.rank {
            self.extra.push((name, raw));
        } else {
            self.extra.push((Cow::Borrowed(column.api[filled.rank]), filled.raw));
            *cell = value;
            (filled.rank, filled.raw) = (slot.rank, raw);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Product<'a>, String> {
        let unstorable = || "holds text that cannot be stored".to_owned();
        let [misc, extra] = [PRODUCT.len() - 2, PRODUCT.len() - 1];
        if !self.misc.is_empty() {
            self.product.fields[misc] = extra_value(self.misc).ok_or_else(unstorable)?;
        }
        if !self.extra.is_empty() {
            self.product.fields[extra] = extra_value(self.extra).ok_or_else(unstorable)?;
        }
        self.product.order_children();
        Ok(self.product)
    }
}
