//! One record of the answer to one [`Product`]: strict, total, and without dropping anything.

use std::borrow::Cow;

use super::collection::{excerpt, extra_value};
use super::fields::{self, Slot, Target};
use super::scalar::{self, Read};
use crate::domain::catalogue::{Column, PRODUCT, TEXTS};
use crate::domain::json::{self, Object};
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
    let Some(Object(members)) = json::object(record) else {
        return Err(Reject { inventory_id: None, reason: format!("not an object: {}", excerpt(record)) });
    };
    let inventory_id = inventory_id(&members).map_err(|reason| Reject { inventory_id: None, reason })?;
    let reject = |reason| Reject { inventory_id: Some(inventory_id), reason };
    let mut reading = Reading {
        product: Product::empty(inventory_id),
        filled: vec![None; PRODUCT.len() + TEXTS.len()],
        misc: Vec::new(),
        extra: Vec::new(),
    };
    for (name, value) in members {
        reading.member(name, value).map_err(reject)?;
    }
    if lossy && record.contains('\u{fffd}') {
        reading.extra.push((Cow::Borrowed("_netosync_lossy_text"), "true"));
    }
    reading.finish().map_err(reject)
}

/// `InventoryID` and `ID` are the same number and either may be absent.
fn inventory_id(members: &[(Cow<'_, str>, &str)]) -> Result<i64, String> {
    let mut found = None;
    for (name, value) in members.iter().filter(|(name, _)| matches!(fields::target(name), Some(Target::Id))) {
        match scalar::read(crate::domain::catalogue::Kind::Int, value) {
            Read::Value(Value::Null) => {}
            Read::Value(Value::Int(id)) if id > 0 => match found {
                Some(other) if other != id => return Err(format!("InventoryID and ID differ: {other} and {id}")),
                _ => found = Some(id),
            },
            _ => return Err(format!("{name} {} is not a positive whole number", excerpt(value))),
        }
    }
    found.ok_or_else(|| "InventoryID is missing".to_owned())
}

/// A record half read.
struct Reading<'a> {
    product: Product<'a>,
    /// For every column that has a value: which of its API fields gave it, and the raw text.
    filled: Vec<Option<(usize, &'a str)>>,
    misc: Vec<(Cow<'a, str>, &'a str)>,
    extra: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Reading<'a> {
    fn member(&mut self, name: Cow<'a, str>, value: &'a str) -> Result<(), String> {
        match fields::target(&name) {
            Some(Target::Id) => {}
            Some(Target::Product(slot)) => self.column(PRODUCT, slot, name, value)?,
            Some(Target::Text(slot)) => self.column(TEXTS, slot, name, value)?,
            Some(Target::Misc) if json::is_nothing(value) => {}
            Some(Target::Misc) => self.misc.push((Cow::Owned(fields::misc_name(&name)), value)),
            Some(Target::Collection(collection)) => collection.read(value, &mut self.product)?,
            Some(Target::UntabledList) if json::is_nothing(value) => {}
            Some(Target::UntabledList) | None => self.extra.push((name, value)),
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
        raw: &'a str,
    ) -> Result<(), String> {
        let column = &columns[slot.index];
        let value = match scalar::read(column.kind, raw) {
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
        if value == Value::Null {
            return Ok(());
        }
        let (cells, filled) = if std::ptr::eq(columns, PRODUCT) {
            (&mut self.product.fields, &mut self.filled[slot.index])
        } else {
            (&mut self.product.texts, &mut self.filled[PRODUCT.len() + slot.index])
        };
        match *filled {
            Some(_) if cells[slot.index] == value => {}
            Some((rank, _)) if rank <= slot.rank => self.extra.push((name, raw)),
            earlier => {
                if let Some((rank, raw)) = earlier {
                    self.extra.push((Cow::Borrowed(column.api[rank]), raw));
                }
                cells[slot.index] = value;
                *filled = Some((slot.rank, raw));
            }
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
