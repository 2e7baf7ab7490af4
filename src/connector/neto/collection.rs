//! Lists inside a record, in every shape they come in, to rows of the child tables (spec: Neto API §4.2, §5 quirks 2-4).

use std::borrow::Cow;

use super::scalar::{self, Read};
use crate::domain::catalogue::{Child, ChildTable, Column, Kind};
use crate::domain::json::{self, Object};
use crate::domain::product::{Product, Row, Value};

/// A list of the answer and the table its elements go to.
#[derive(Debug)]
pub struct Collection {
    /// Name of the field in a record.
    pub field: &'static str,
    /// Name of the wrapper around the elements.
    member: &'static str,
    child: Child,
    /// For relations: the value of `kind`.
    relation: Option<&'static str>,
    /// The column a bare text or number stands for, where an element is not an object.
    bare: &'static str,
}

/// A list of the answer that has a table.
const fn collection(
    field: &'static str,
    member: &'static str,
    child: Child,
    relation: Option<&'static str>,
    bare: &'static str,
) -> Collection {
    Collection { field, member, child, relation, bare }
}

/// Every list that has a table. Quantity bands come inside the price groups.
pub static COLLECTIONS: &[Collection] = &[
    collection("Images", "Image", Child::Images, None, "url"),
    collection("Categories", "Category", Child::Categories, None, "category_id"),
    collection("PriceGroups", "PriceGroup", Child::PriceGroups, None, "group_id"),
    collection("WarehouseQuantity", "WarehouseQuantity", Child::Stock, None, "warehouse_id"),
    collection("ItemSpecifics", "ItemSpecific", Child::Specifics, None, "value"),
    collection("KitComponents", "KitComponent", Child::KitComponents, None, "component_sku"),
    collection("SalesChannels", "SalesChannel", Child::SalesChannels, None, "sales_channel_id"),
    collection("CrossSellProducts", "CrossSellProduct", Child::Relations, Some("cross_sell"), "sku"),
    collection("UpsellProducts", "UpsellProduct", Child::Relations, Some("upsell"), "sku"),
    collection("FreeGifts", "FreeGift", Child::Relations, Some("free_gift"), "sku"),
    collection("VariantInventoryIDs", "VariantInventoryID", Child::Relations, Some("variant"), "related_id"),
    collection("RelatedContents", "RelatedContent", Child::Relations, Some("related_content"), "related_id"),
];

static BANDS: Collection = collection("MultilevelBands", "MultiLevelBand", Child::PriceBands, None, "price");

impl Collection {
    /// Adds the elements of `raw` to the product. The error says what is wrong, for the quarantine.
    pub fn read<'a>(&'static self, raw: &'a str, product: &mut Product<'a>) -> Result<(), String> {
        self.read_elements(raw, None, product)
    }

    fn read_elements<'a>(
        &'static self,
        raw: &'a str,
        group_id: Option<i64>,
        product: &mut Product<'a>,
    ) -> Result<(), String> {
        let mut elements = Vec::new();
        flatten(raw, self.member, 0, &mut elements).ok_or_else(|| format!("{}: not a readable list", self.field))?;
        for (position, element) in elements.into_iter().enumerate() {
            let (row, bands) = self
                .row(element, position as i64, group_id)
                .map_err(|reason| format!("{}[{position}]: {reason}", self.field))?;
            if let (Some(bands), Some(Value::Int(group))) = (bands, row.first()) {
                BANDS.read_elements(bands, Some(*group), product)?;
            }
            product.children[self.child as usize].push(row);
        }
        Ok(())
    }

    /// One element to a row; the second part is the raw text of the quantity bands inside a price group.
    fn row<'a>(
        &self,
        element: &'a str,
        position: i64,
        group_id: Option<i64>,
    ) -> Result<(Row<'a>, Option<&'a str>), String> {
        let table = self.child.table();
        let mut row = vec![Value::Null; table.columns.len()];
        let mut extra: Vec<(Cow<'a, str>, &'a str)> = Vec::new();
        let mut bands = None;
        for (index, column) in table.columns.iter().enumerate() {
            match column.name {
                "position" => row[index] = Value::Int(position),
                "kind" => row[index] = Value::Text(Cow::Borrowed(self.relation.unwrap_or_default())),
                "group_id" => row[index] = group_id.map_or(Value::Null, Value::Int),
                _ => {}
            }
        }
        let mut set = |index: usize, name: Cow<'a, str>, value: &'a str, extra: &mut Vec<(Cow<'a, str>, &'a str)>| {
            let read = scalar::read(table.columns[index].kind, value);
            match read {
                Read::Value(value) => row[index] = value,
                Read::Rounded(read) => {
                    row[index] = read;
                    extra.push((name, value));
                }
                Read::Keep => extra.push((name, value)),
                Read::Reject(expected) => return Err(format!("{name} {} is not {expected}", excerpt(value))),
            }
            Ok(())
        };
        if element.starts_with('{') {
            let Object(members) = json::object(element).ok_or("not a readable object")?;
            for (name, value) in members {
                if name.eq_ignore_ascii_case(BANDS.field) && self.child == Child::PriceGroups {
                    bands = Some(value);
                } else if let Some(index) = column_of(table, &name) {
                    set(index, name, value, &mut extra)?;
                } else {
                    extra.push((name, value));
                }
            }
        } else {
            let index = table.columns.iter().position(|column| column.name == self.bare);
            let index = index.expect("every collection names a column of its table for bare elements");
            set(index, Cow::Borrowed(self.bare), element, &mut extra)?;
        }
        if !extra.is_empty() {
            let last = row.len() - 1;
            row[last] = extra_value(extra).ok_or("holds text that cannot be stored")?;
        }
        if let Some((column, _)) = table.columns[..table.key].iter().zip(&row).find(|(_, value)| **value == Value::Null)
        {
            return Err(format!("{} is missing", column.api.first().unwrap_or(&column.name)));
        }
        Ok((row, bands))
    }
}

/// Members without a column as one canonical JSON object; `None` when one of them cannot be stored.
pub fn extra_value<'a>(members: Vec<(Cow<'_, str>, &str)>) -> Option<Value<'a>> {
    let mut json = String::from("{");
    for (name, value) in members {
        if json.len() > 1 {
            json.push(',');
        }
        json::write_string(&name, &mut json);
        json.push(':');
        json.push_str(value);
    }
    json.push('}');
    json::canonical(&json).map(|text| Value::Text(Cow::Owned(text)))
}

fn column_of(table: &ChildTable, name: &str) -> Option<usize> {
    let named =
        |column: &Column| column.kind != Kind::Json && column.api.iter().any(|api| api.eq_ignore_ascii_case(name));
    table.columns.iter().position(named)
}

/// Takes a list apart whatever its shape: wrapped, listed, single or nothing. `None` when it nests too deep or is
/// no valid JSON.
fn flatten<'a>(raw: &'a str, member: &str, depth: usize, out: &mut Vec<&'a str>) -> Option<()> {
    if depth > json::MAX_DEPTH {
        return None;
    }
    match raw.as_bytes().first() {
        Some(b'[') => {
            for element in json::list(raw)? {
                flatten(element, member, depth + 1, out)?;
            }
        }
        Some(b'{') => {
            let Object(members) = json::object(raw)?;
            let mut wrapped = members.iter().filter(|(name, _)| name.eq_ignore_ascii_case(member)).peekable();
            if wrapped.peek().is_some() {
                for (_, value) in wrapped {
                    flatten(value, member, depth + 1, out)?;
                }
            } else if !members.iter().all(|(_, value)| json::is_nothing(value)) {
                out.push(raw);
            }
        }
        _ if json::is_nothing(raw) => {}
        _ => out.push(raw),
    }
    Some(())
}

/// The start of a value, for a reason in the quarantine.
pub fn excerpt(raw: &str) -> String {
    let mut text: String = raw.chars().take(60).collect();
    if text.len() < raw.len() {
        text.push('…');
    }
    text
}
