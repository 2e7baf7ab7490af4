//! What the mirror has to hold, worked out from the clean values alone.
//!
//! Only the column list is shared with the program; types are converted here by hand, and a value that does not
//! fit its column is a panic, because then one of the two lists has the wrong type.

use serde_json::{Map, Value as Json};

use super::field::SCALARS;
use super::product::SimProduct;
use super::value::{Member, SimValue};
use crate::domain::catalogue::{CHILDREN, Child, Column, Kind, PRODUCT, TEXTS};
use crate::domain::product::{Product, Row, Value};

/// The rows of a product that was asked for with every selector.
#[must_use]
pub fn expected(product: &SimProduct) -> Product<'static> {
    let mut rows = Product::empty(product.inventory_id);
    rows.fields = PRODUCT.iter().map(|column| scalar(product, column)).collect();
    rows.texts = TEXTS.iter().map(|column| scalar(product, column)).collect();
    for (child, members) in [
        (Child::Images, &product.images),
        (Child::Categories, &product.categories),
        (Child::PriceGroups, &product.price_groups),
        (Child::Stock, &product.stock),
        (Child::Specifics, &product.specifics),
        (Child::KitComponents, &product.kit_components),
        (Child::SalesChannels, &product.sales_channels),
    ] {
        rows.children[child as usize] =
            members.iter().enumerate().map(|(place, row)| member(child, place, row)).collect();
    }
    rows.children[Child::PriceBands as usize] = bands(product);
    rows.children[Child::Relations as usize] = relations(product);
    rows
}

/// Every column in which two products differ, as `table[row].column: expected …, mirrored …`. Text that is absent
/// and empty text count as the same, JSON is compared as JSON without its empty parts, and child rows whatever their
/// order.
#[must_use]
pub fn differences(expected: &Product<'_>, mirrored: &Product<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if expected.inventory_id != mirrored.inventory_id {
        found.push(format!("inventory_id: expected {}, mirrored {}", expected.inventory_id, mirrored.inventory_id));
    }
    compare("products", PRODUCT, &expected.fields, &mirrored.fields, &mut found);
    compare("product_texts", TEXTS, &expected.texts, &mirrored.texts, &mut found);
    for (place, table) in CHILDREN.iter().enumerate() {
        let (left, right) = (&expected.children[place], &mirrored.children[place]);
        if left.len() != right.len() {
            found.push(format!("{}: expected {} rows, mirrored {}", table.name, left.len(), right.len()));
            continue;
        }
        for (number, (left, right)) in by_key(left, table.key).into_iter().zip(by_key(right, table.key)).enumerate() {
            compare(&format!("{}[{number}]", table.name), table.columns, left, right, &mut found);
        }
    }
    found
}

fn by_key<'r, 'v>(rows: &'r [Row<'v>], key: usize) -> Vec<&'r Row<'v>> {
    let mut rows: Vec<_> = rows.iter().collect();
    // Keys are whole numbers and words; the width keeps numbers in order.
    rows.sort_by_cached_key(|row| {
        let part = |value: &Value<'_>| match value {
            Value::Int(number) => format!("{number:020}"),
            other => format!("{other:?}"),
        };
        row[..key].iter().map(part).collect::<Vec<_>>()
    });
    rows
}

fn compare(table: &str, columns: &[Column], expected: &[Value<'_>], mirrored: &[Value<'_>], found: &mut Vec<String>) {
    for (place, column) in columns.iter().enumerate() {
        let (left, right) = (&expected[place], mirrored.get(place).unwrap_or(&Value::Null));
        let same = match column.kind {
            Kind::Json => json(left) == json(right),
            _ => left == right || (is_nothing(left) && is_nothing(right)),
        };
        if !same {
            found.push(format!("{table}.{}: expected {left:?}, mirrored {right:?}", column.name));
        }
    }
}

fn is_nothing(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    }
}

fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Text(text) => serde_json::from_str::<Json>(text).map_or(Json::Null, without_empty),
        _ => Json::Null,
    }
}

/// JSON without the members and elements that stand for nothing; nothing at all is `null`.
fn without_empty(value: Json) -> Json {
    match value {
        Json::String(text) if text.is_empty() => Json::Null,
        Json::Array(values) => {
            let kept: Vec<Json> = values.into_iter().map(without_empty).filter(|value| !value.is_null()).collect();
            if kept.is_empty() { Json::Null } else { kept.into() }
        }
        Json::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, without_empty(value)));
            let kept: Map<_, _> = members.filter(|(_, value)| !value.is_null()).collect();
            if kept.is_empty() { Json::Null } else { kept.into() }
        }
        other => other,
    }
}

fn scalar(product: &SimProduct, column: &Column) -> Value<'static> {
    match column.name {
        "misc" => object(SCALARS.iter().filter(|(name, _)| name.starts_with("Misc")).filter_map(|(name, _)| {
            let text = product.get(name).as_text().filter(|text| !text.is_empty())?;
            Some(((*name).to_owned(), Json::from(text)))
        })),
        "extra" => extra(product.untabled.iter().chain(&product.unknown)),
        _ => {
            let values = column.api.iter().map(|name| product.get(name));
            convert(values.into_iter().find(|value| **value != SimValue::None), column)
        }
    }
}

fn extra<'a>(fields: impl IntoIterator<Item = &'a (&'static str, Json)>) -> Value<'static> {
    object(fields.into_iter().map(|(name, value)| ((*name).to_owned(), value.clone())))
}

fn object(members: impl Iterator<Item = (String, Json)>) -> Value<'static> {
    let members: Map<String, Json> = members.collect();
    if members.is_empty() { Value::Null } else { text(Json::Object(members).to_string()) }
}

fn text(text: String) -> Value<'static> {
    Value::Text(text.into())
}

fn convert(value: Option<&SimValue>, column: &Column) -> Value<'static> {
    match (value, column.kind) {
        (None | Some(SimValue::None), _) => Value::Null,
        (Some(SimValue::Text(words)), Kind::Text) => text(words.clone()),
        (Some(SimValue::Int(number)), Kind::Int) => Value::Int(*number),
        (Some(SimValue::Int(number)), Kind::Decimal) => Value::Decimal((*number).into()),
        (Some(SimValue::Decimal(digits)), Kind::Decimal) => {
            Value::Decimal(digits.parse().expect("the simulator's decimals are exact"))
        }
        (Some(SimValue::Bool(truth)), Kind::Bool) => Value::Bool(*truth),
        (Some(SimValue::Time(at)), Kind::Time) => Value::Time(*at),
        (Some(SimValue::LocalTime(at)), Kind::LocalTime) => Value::LocalTime(*at),
        (Some(SimValue::Date(date)), Kind::Date) => Value::Date(*date),
        (Some(other), kind) => panic!("column {} holds {kind:?}, but the store has {other:?}", column.name),
    }
}

fn member(child: Child, place: usize, member: &Member) -> Row<'static> {
    let cell = |column: &Column| match column.name {
        "position" => Value::Int(place as i64),
        "extra" => extra(&member.unknown),
        _ => convert(column.api.iter().map(|name| member.get(name)).next(), column),
    };
    child.table().columns.iter().map(cell).collect()
}

fn bands(product: &SimProduct) -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for group in &product.price_groups {
        for (place, band) in group.bands.iter().enumerate() {
            let mut row = member(Child::PriceBands, place, band);
            row[0] = Value::Int(group.get("GroupID").as_int().expect("every price group has an id"));
            rows.push(row);
        }
    }
    rows
}

fn relations(product: &SimProduct) -> Vec<Row<'static>> {
    let variants: Vec<Member> =
        product.variants.iter().map(|id| Member::new(vec![("ContentID", SimValue::Int(*id))])).collect();
    let mut rows = Vec::new();
    for (kind, members) in [
        ("cross_sell", &product.cross_sells),
        ("free_gift", &product.free_gifts),
        ("related_content", &product.related_contents),
        ("upsell", &product.upsells),
        ("variant", &variants),
    ] {
        for (place, link) in members.iter().enumerate() {
            let mut row = member(Child::Relations, place, link);
            row[0] = text(kind.to_owned());
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::*;

    #[test]
    fn every_value_of_a_catalogue_fits_its_column() {
        for product in Catalogue::new(300, 4, true).products() {
            let rows = expected(&product);
            assert_eq!(rows.sku(), Some(product.sku()));
            assert_eq!(differences(&rows, &rows), Vec::<String>::new());
        }
    }

    #[test]
    fn a_difference_is_named_with_table_row_and_column() {
        let mut catalogue = Catalogue::new(300, 4, true);
        let product = catalogue.products().find(|product| product.stock.len() == 2).unwrap();
        catalogue.move_stock(product.inventory_id);
        let moved = catalogue.product(product.inventory_id).unwrap();
        let found = differences(&expected(&product), &expected(&moved));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("products.available_sell_quantity: expected Int("), "{found:?}");
        assert!(found[1].starts_with("product_stock[0].quantity: expected Decimal("), "{found:?}");
    }

    #[test]
    fn empty_text_and_no_text_are_the_same_and_so_is_json_in_another_order() {
        let mut left = Product::empty(1);
        let mut right = Product::empty(1);
        left.fields[1] = text(String::new());
        let extra = PRODUCT.iter().position(|column| column.name == "extra").unwrap();
        left.fields[extra] = text("{\"A\":\"1\",\"B\":[{}]}".into());
        right.fields[extra] = text("{ \"A\": \"1\" }".into());
        assert_eq!(differences(&left, &right), Vec::<String>::new());
    }
}
