//! A product as JSON, with the asked fields only.

use std::hash::Hash;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use xxhash_rust::xxh3::Xxh3;

use super::field::{self, Holds, LISTS, SCALARS, UNTABLED, Wrapper};
use super::product::SimProduct;
use super::spelling::{Spelling, push, quote};
use super::value::{Member, SimValue};

/// The fields of an answer. SKU and InventoryID are always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    parts: Vec<Part>,
    bands: bool,
    /// Whether anything was asked at all; fields nobody asked for come only then.
    asked: bool,
    /// Tells selections apart.
    pub(super) key: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Scalar(usize),
    List(usize),
    Untabled(usize),
    Unknown,
}

impl Selection {
    /// The selection of these selectors, or those among them that no store knows or that are in `refused`.
    pub(super) fn new<'a>(selectors: &[&'a str], refused: &[String]) -> Result<Self, Vec<&'a str>> {
        let mut parts = vec![Part::Scalar(field::SKU), Part::Scalar(field::INVENTORY_ID)];
        let mut bands = false;
        let mut bad = Vec::new();
        for &selector in selectors {
            let list = LISTS.iter().position(|(name, _)| *name == selector).map(Part::List);
            let untabled = UNTABLED.iter().position(|name| *name == selector).map(Part::Untabled);
            let part = field::scalar(selector).map(Part::Scalar).or(list).or(untabled);
            match part {
                _ if refused.iter().any(|name| name == selector) => bad.push(selector),
                Some(part) => parts.push(part),
                None if selector == field::BANDS => bands = true,
                None => bad.push(selector),
            }
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        parts.push(Part::Unknown);
        parts.sort_unstable();
        parts.dedup();
        let asked = !selectors.is_empty();
        let mut key = Xxh3::new();
        (&parts, bands, asked).hash(&mut key);
        Ok(Self { parts, bands, asked, key: key.digest() })
    }
}

/// Renders the product as one JSON object.
pub(super) fn product(product: &SimProduct, selection: &Selection, spelling: Spelling) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * selection.parts.len());
    let mut object = Object::open(&mut out);
    let mut parts = std::borrow::Cow::Borrowed(&selection.parts);
    if let Some(seed) = spelling.seed() {
        parts.to_mut().shuffle(&mut SmallRng::seed_from_u64(seed));
    }
    for part in parts.iter() {
        match *part {
            Part::Scalar(place) => {
                let (name, holds) = SCALARS[place];
                object.scalar(spelling.part(name, place), name, product.scalar(place), holds);
            }
            Part::List(place) => {
                let (name, wrapper) = LISTS[place];
                object.list(spelling.part(name, 0), name, wrapper, product, selection.bands);
            }
            Part::Untabled(place) => object.as_is(product.untabled.iter().filter(|(name, _)| *name == UNTABLED[place])),
            Part::Unknown if selection.asked => object.as_is(&product.unknown),
            Part::Unknown => {}
        }
    }
    object.close();
    out
}

/// An object being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        quote(self.out, key);
        self.out.push(b':');
    }

    fn scalar(&mut self, spelling: Spelling, name: &'static str, value: &SimValue, holds: Holds) {
        let (length, empty) = (self.out.len(), self.empty);
        self.key(&spelling.key(name));
        if !spelling.write(self.out, name, value, holds) {
            self.out.truncate(length);
            self.empty = empty;
        }
    }

    fn as_is<'v>(&mut self, fields: impl IntoIterator<Item = &'v (&'static str, serde_json::Value)>) {
        for (name, value) in fields {
            self.key(name);
            serde_json::to_writer(&mut *self.out, value).expect("JSON can always be written to memory");
        }
    }

    fn list(&mut self, spelling: Spelling, name: &'static str, wrapper: Wrapper, product: &SimProduct, bands: bool) {
        let rows: Vec<Vec<u8>> = if name == "VariantInventoryIDs" {
            let native = spelling.pick("native", 2) == 1;
            let row = |id: &i64| if native { id.to_string() } else { format!("\"{id}\"") }.into_bytes();
            product.variants.iter().map(row).collect()
        } else {
            let rows = product.list(name).iter().enumerate();
            rows.map(|(place, row)| member(row, spelling.part("row", place), bands && name == "PriceGroups")).collect()
        };
        let Some(list) = wrapped(&rows, wrapper, spelling) else { return };
        self.key(&spelling.key(name));
        self.out.extend_from_slice(&list);
    }
}

fn member(member: &Member, spelling: Spelling, bands: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = Object::open(&mut out);
    for (place, (name, value)) in member.fields.iter().enumerate() {
        object.scalar(spelling.part(name, place), name, value, Holds::Text);
    }
    object.as_is(&member.unknown);
    if bands {
        let rows = member.bands.iter().enumerate();
        let rows: Vec<_> = rows.map(|(place, band)| self::member(band, spelling.part("band", place), false)).collect();
        // Bands are wrapped without a list around, and are an empty text when there are none (rich sample).
        let wrapped = match (rows.as_slice(), spelling.pick("bands", 2)) {
            ([], _) => b"\"\"".to_vec(),
            ([row], 1) => [b"{\"MultiLevelBand\":", row.as_slice(), b"}"].concat(),
            _ => [b"{\"MultiLevelBand\":", array(&rows).as_slice(), b"}"].concat(),
        };
        object.key("MultilevelBands");
        object.out.extend_from_slice(&wrapped);
    }
    object.close();
    out
}

/// A list in one of the shapes of spec §5; nothing when it is not sent at all.
fn wrapped(rows: &[Vec<u8>], wrapper: Wrapper, spelling: Spelling) -> Option<Vec<u8>> {
    let Wrapper::Named(key) = wrapper else {
        return flat(rows, wrapper, spelling);
    };
    let named = |value: &[u8]| [b"{\"", key.as_bytes(), b"\":", value, b"}"].concat();
    let listed = |value: &[u8]| [b"[", value, b"]"].concat();
    Some(match (rows, spelling.pick("shape", 8)) {
        ([], 1) => b"[]".to_vec(),
        ([], 2) => b"\"\"".to_vec(),
        ([], 3) => b"[{}]".to_vec(),
        ([], 4) => b"null".to_vec(),
        ([], 5) => return None,
        ([], 6) => listed(&named(b"\"\"")),
        ([], 7) => named(b"[\"\"]"),
        ([], _) => b"[\"\"]".to_vec(),
        ([row], 1) => named(row),
        ([row], 2) => listed(&named(row)),
        ([row], 3) => row.clone(),
        (_, 4) => array(rows),
        (_, 5) => named(&array(rows)),
        (_, 6) => array(&rows.iter().map(|row| named(row)).collect::<Vec<_>>()),
        ([first, rest @ ..], 7) => array(
            &std::iter::once(named(&array(std::slice::from_ref(first))))
                .chain(rest.iter().map(|row| named(row)))
                .collect::<Vec<_>>(),
        ),
        _ => listed(&named(&array(rows))),
    })
}

fn flat(rows: &[Vec<u8>], wrapper: Wrapper, spelling: Spelling) -> Option<Vec<u8>> {
    Some(match (rows, wrapper, spelling.pick("shape", 6)) {
        ([], _, 1) => b"\"\"".to_vec(),
        ([], _, 2) => b"[\"\"]".to_vec(),
        ([], _, 3) => b"[{}]".to_vec(),
        ([], _, 4) => b"null".to_vec(),
        ([], _, 5) => return None,
        ([row], _, 1 | 2) => row.clone(),
        (_, _, 3) => [b"[\"\",", &array(rows)[1..]].concat(),
        (_, Wrapper::FlatOr(key), 4 | 5) if !rows.is_empty() => {
            [b"{\"", key.as_bytes(), b"\":", array(rows).as_slice(), b"}"].concat()
        }
        _ => array(rows),
    })
}

fn array(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, "[");
    out.extend_from_slice(&rows.join(&b','));
    push(&mut out, "]");
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;
    use crate::simulator::Catalogue;

    fn everything() -> Selection {
        let lists = LISTS.iter().map(|(name, _)| *name);
        let scalars = SCALARS.iter().map(|(name, _)| *name);
        let names: Vec<_> = scalars.chain(lists).chain(UNTABLED.iter().copied()).chain([field::BANDS]).collect();
        Selection::new(&names, &[]).unwrap()
    }

    #[test]
    fn a_documented_product_looks_like_the_sample() {
        let mut kettle = SimProduct::new(48_211, "HF-KETTLE");
        kettle.set("DefaultPrice", SimValue::Decimal("89.95".into()));
        kettle.set("IsActive", SimValue::Bool(true));
        let category = vec![("CategoryID", SimValue::Int(104)), ("CategoryName", SimValue::text("Kettles"))];
        kettle.categories.push(Member::new(category));
        let mut group = Member::new(vec![("GroupID", SimValue::Int(1))]);
        group.bands.push(Member::new(vec![("Price", SimValue::cents(6400))]));
        kettle.price_groups.push(group);
        let asked =
            ["DefaultPrice", "IsActive", "DateArrival", "Categories", "KitComponents", "PriceGroups", field::BANDS];
        let out = product(&kettle, &Selection::new(&asked, &[]).unwrap(), Spelling::DOCUMENTED);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"SKU\":\"HF-KETTLE\",\"InventoryID\":\"48211\",\"IsActive\":\"True\",\"DefaultPrice\":\"89.95\",\
             \"DateArrival\":\"0000-00-00\",\"KitComponents\":[\"\"],\"PriceGroups\":[{\"PriceGroup\":[{\"GroupID\":\"1\",\
             \"MultilevelBands\":{\"MultiLevelBand\":[{\"Price\":\"64.00\"}]}}]}],\"Categories\":[{\"Category\":\
             [{\"CategoryID\":\"104\",\"CategoryName\":\"Kettles\"}]}]}"
        );
    }

    #[test]
    fn without_selectors_there_are_two_fields_even_with_quirks() {
        let nothing = Selection::new(&[], &[]).unwrap();
        for (seed, truth) in (0..).zip(Catalogue::new(100, 1, true).products()) {
            let row: Map<String, Value> =
                serde_json::from_slice(&product(&truth, &nothing, Spelling::quirky(seed))).unwrap();
            assert_eq!(row.len(), 2);
        }
    }

    #[test]
    fn a_product_is_spelled_the_same_in_every_answer_whatever_else_was_asked() {
        let truth = Catalogue::new(30, 1, true).products().last().unwrap();
        let few = Selection::new(&["DefaultPrice", "IsActive", "Categories"], &[]).unwrap();
        let read = |selection: &Selection| -> Map<String, Value> {
            serde_json::from_slice(&product(&truth, selection, Spelling::quirky(9))).unwrap()
        };
        let all = read(&everything());
        assert!(read(&few).iter().all(|(key, value)| all.get(key) == Some(value)));
    }

    #[test]
    fn every_hostile_spelling_still_tells_the_truth() {
        let selection = everything();
        for (seed, truth) in (0..).zip(Catalogue::new(400, 2, true).products()) {
            let row: Map<String, Value> =
                serde_json::from_slice(&product(&truth, &selection, Spelling::quirky(seed))).unwrap();
            let row: Map<String, Value> = row.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
            for (name, holds) in SCALARS {
                let told = row.get(&name.to_lowercase()).unwrap_or(&Value::Null);
                assert!(tells(told, truth.get(name), *holds), "{name} of {}: {told}", truth.inventory_id);
            }
            for (name, _) in LISTS {
                let told = members(row.get(&name.to_lowercase()).unwrap_or(&Value::Null));
                let count = if *name == "VariantInventoryIDs" { truth.variants.len() } else { truth.list(name).len() };
                assert_eq!(told, count, "{name} of {}", truth.inventory_id);
            }
            let extra = truth.untabled.iter().chain(&truth.unknown);
            assert!(extra.into_iter().all(|(name, value)| row.get(&name.to_lowercase()) == Some(value)));
        }
    }

    /// Whether a value on the wire means the clean value; reads no times beyond their digits.
    fn tells(told: &Value, truth: &SimValue, holds: Holds) -> bool {
        let told = match told {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let number = |text: &str| text.replace(',', "").parse::<rust_decimal::Decimal>().ok();
        match truth {
            SimValue::None => matches!(told.as_str(), "" | "0" | "0000-00-00" | "0000-00-00 00:00:00"),
            SimValue::Text(text) => told == *text,
            SimValue::Int(value) => number(&told) == Some((*value).into()),
            SimValue::Decimal(digits) => number(&told) == number(digits),
            SimValue::Bool(value) => {
                ["true", "1", "y", "yes"].contains(&told.to_lowercase().as_str()) == *value && !told.is_empty()
            }
            SimValue::Time(_) | SimValue::LocalTime(_) | SimValue::Date(_) => {
                told.len() >= 10 && matches!(holds, Holds::Time | Holds::LocalTime | Holds::Date)
            }
        }
    }

    /// Counts the members of a list in any shape.
    fn members(value: &Value) -> usize {
        let wrapper = |object: &Map<String, Value>| {
            let named = LISTS.iter().filter_map(|(_, wrapper)| match wrapper {
                Wrapper::Named(key) | Wrapper::FlatOr(key) => object.get(*key),
                Wrapper::Flat => None,
            });
            named.into_iter().next().cloned()
        };
        match value {
            Value::Null => 0,
            Value::String(text) => usize::from(!text.is_empty()),
            Value::Array(values) => values.iter().map(members).sum(),
            Value::Object(object) => wrapper(object).map_or(usize::from(!object.is_empty()), |inner| members(&inner)),
            _ => 1,
        }
    }
}
