//! Lists inside a record, in every shape they come in, to rows of the child tables (spec: Neto API §4.2, §5 quirks 2-4).

use std::borrow::Cow;
use std::sync::LazyLock;

use super::scalar::{self, Read};
use crate::domain::catalogue::{CHILD_TABLES, CHILDREN, Child, ChildTable, Column, Kind};
use crate::domain::json::{self, Node};
use crate::domain::product::{Product, Row, Value, empty_row};

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

/// Columns of a child table that no member of an element fills.
#[derive(Clone, Copy, Default)]
struct Derived {
    position: Option<usize>,
    kind: Option<usize>,
    group: Option<usize>,
}

static DERIVED: LazyLock<[Derived; CHILD_TABLES]> = LazyLock::new(|| {
    std::array::from_fn(|child| {
        let place = |name| CHILDREN[child].columns.iter().position(|column| column.name == name);
        Derived { position: place("position"), kind: place("kind"), group: place("group_id") }
    })
});

/// Where an element is in its list, and the price group it is in, if it is in one.
#[derive(Clone, Copy)]
struct At {
    position: usize,
    group: Option<i64>,
}

impl Collection {
    /// Adds the elements of `list` to the product. The error says what is wrong, for the quarantine.
    pub fn read<'a>(&'static self, list: Node<'_, 'a>, product: &mut Product<'a>) -> Result<(), String> {
        self.read_elements(list, None, product)
    }

    fn read_elements<'a>(
        &'static self,
        list: Node<'_, 'a>,
        group: Option<i64>,
        product: &mut Product<'a>,
    ) -> Result<(), String> {
        let mut elements = Vec::new();
        flatten(list, self.member, 0, &mut elements).ok_or_else(|| format!("{}: not a readable list", self.field))?;
        product.children[self.child as usize].reserve(elements.len());
        for (position, element) in elements.into_iter().enumerate() {
            let (row, bands) = self
                .row(element, At { position, group })
                .map_err(|reason| format!("{}[{position}]: {reason}", self.field))?;
            if let (Some(bands), Some(Value::Int(group))) = (bands, row.first()) {
                BANDS.read_elements(bands, Some(*group), product)?;
            }
            product.children[self.child as usize].push(row);
        }
        Ok(())
    }

    /// One element to a row; the second part is the list of the quantity bands inside a price group.
    fn row<'t, 'a>(&self, element: Node<'t, 'a>, at: At) -> Result<(Row<'a>, Option<Node<'t, 'a>>), String> {
        let table = self.child.table();
        let mut row = empty_row(table.columns.len());
        let mut extra: Vec<(Cow<'a, str>, &'a str)> = Vec::new();
        let mut bands = None;
        let derived = DERIVED[self.child as usize];
        if let Some(column) = derived.position {
            row[column] = Value::Int(at.position as i64);
        }
        if let Some(column) = derived.kind {
            row[column] = Value::Text(self.relation.unwrap_or_default().into());
        }
        if let (Some(column), Some(group)) = (derived.group, at.group) {
            row[column] = Value::Int(group);
        }
        let mut set =
            |index: usize, name: Cow<'a, str>, value: Node<'t, 'a>, extra: &mut Vec<(Cow<'a, str>, &'a str)>| {
                let read = scalar::read(table.columns[index].kind, value);
                let value = value.raw();
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
        if element.first() == b'{' {
            let mut next = 0;
            for (name, value) in element.members().ok_or("not a readable object")? {
                if let Some(index) = column_of(table, name, next) {
                    next = index + 1;
                    set(index, name.name(), value, &mut extra)?;
                } else if self.child == Child::PriceGroups && name.is(BANDS.field) {
                    bands = Some(value);
                } else {
                    extra.push((name.name(), value.raw()));
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
    json::canonical_object(members).map(|text| Value::Text(text.into()))
}

/// The column that a member of an element fills. Members mostly come in the order of the columns, so `next` is tried first.
fn column_of(table: &ChildTable, name: Node<'_, '_>, next: usize) -> Option<usize> {
    let named = |column: &Column| column.kind != Kind::Json && column.api.iter().any(|api| name.is(api));
    if table.columns.get(next).is_some_and(named) {
        return Some(next);
    }
    table.columns.iter().position(named)
}

/// Takes a list apart whatever its shape: wrapped, listed, single or nothing. `None` when it nests too deep or has a name
/// that is no text.
fn flatten<'t, 'a>(list: Node<'t, 'a>, member: &str, depth: usize, out: &mut Vec<Node<'t, 'a>>) -> Option<()> {
    if depth > json::MAX_DEPTH {
        return None;
    }
    match list.first() {
        b'[' => {
            for element in list.elements() {
                flatten(element, member, depth + 1, out)?;
            }
        }
        b'{' => {
            let members = list.members()?;
            let mut wrapped = members.clone().filter(|(name, _)| name.is(member)).peekable();
            if wrapped.peek().is_some() {
                for (_, value) in wrapped {
                    flatten(value, member, depth + 1, out)?;
                }
            } else if !members.map(|(_, value)| value).all(Node::is_nothing) {
                out.push(list);
            }
        }
        _ if list.is_nothing() => {}
        _ => out.push(list),
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
