//! The decoder against every recorded payload, and the rules that no payload shows.

use std::sync::Arc;

use super::*;
use crate::domain::catalogue::{Child, PRODUCT, TEXTS};
use crate::domain::change::Change;
use crate::domain::error::ErrorClass;
use crate::domain::light;
use crate::domain::product::{Product, Value};

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/neto/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page(name: &str) -> Page {
    decode(fixture(name), false).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn products(page: &Page) -> Vec<Product<'_>> {
    page.records().map(|record| normalize(record, page.lossy).unwrap()).collect()
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Time(time) => time.to_rfc3339(),
        Value::LocalTime(time) => time.to_string(),
        Value::Date(date) => date.to_string(),
    }
}

fn field(product: &Product<'_>, column: &str) -> String {
    let index = PRODUCT.iter().position(|known| known.name == column);
    let text = || TEXTS.iter().position(|known| known.name == column).map(|index| &product.texts[index]);
    shown(index.map(|index| &product.fields[index]).or_else(text).unwrap_or_else(|| panic!("no column {column}")))
}

fn rows(product: &Product<'_>, child: Child) -> Vec<String> {
    let line = |row: &Vec<Value<'_>>| row.iter().map(shown).collect::<Vec<_>>().join("|");
    product.children[child as usize].iter().map(line).collect()
}

fn one(record: &str) -> Product<'_> {
    normalize(record, false).unwrap()
}

fn reason(record: &str) -> String {
    normalize(record, false).unwrap_err().reason
}

#[test]
fn a_rich_record_fills_every_column_it_has_a_value_for() {
    let page = page("getitem-page-rich.json");
    let products = products(&page);
    assert_eq!(products.iter().map(|product| product.inventory_id).collect::<Vec<_>>(), [48211, 50300, 51990]);
    let kettle = &products[0];
    let unfilled: Vec<_> = PRODUCT
        .iter()
        .zip(&kettle.fields)
        .chain(TEXTS.iter().zip(&kettle.texts))
        .filter(|(_, value)| **value == Value::Null)
        .map(|(column, _)| column.name)
        .collect();
    assert_eq!(unfilled, ["parent_sku"]);
    for (column, expected) in [
        ("default_price", "89.95"),
        ("default_purchase_price", "38.5000"),
        ("promotion_start", "2026-03-31T14:00:00+00:00"),
        ("promotion_start_local", "2026-04-01 00:00:00"),
        ("date_arrival", "2026-05-02"),
        ("available_sell_quantity", "31"),
        ("upc3", "0000702110"),
        (
            "misc",
            r#"{"Misc01":"n","Misc02":"2.1500","Misc08":"WF:SAGE","Misc14":"AU-ONLY","Misc38":"3998812000000417093","Misc52":"loyalty-x2"}"#,
        ),
        ("seo_page_heading", "Sage Stovetop Kettle"),
    ] {
        assert_eq!(field(kettle, column), expected, "{column}");
    }
    assert!(field(kettle, "extra").starts_with(r#"{"WarehouseLocations":["#), "{}", field(kettle, "extra"));
    assert_eq!(rows(kettle, Child::Categories), ["97|Kitchen|4|NULL", "104|Kettles|1|NULL"]);
    assert_eq!(rows(kettle, Child::PriceBands), ["3|0|64.00|12|47|NULL", "3|1|59.50|48|0|NULL"]);
    assert_eq!(rows(kettle, Child::Images).len(), 3);
    assert_eq!(
        rows(kettle, Child::Relations),
        [
            "cross_sell|0|HF-MUG-SET4|NULL|NULL|NULL|NULL|NULL|NULL",
            "cross_sell|1|HF-TRIVET|NULL|NULL|NULL|NULL|NULL|NULL",
            "free_gift|0|HF-TEATOWEL|NULL|NULL|NULL|NULL|NULL|NULL",
            "related_content|0|NULL|512|How to descale a kettle|3|Blog|1|NULL",
            "related_content|1|NULL|77|Harbour & Fern|5|Brand|1|NULL",
            "upsell|0|HF-KETTLE-25|NULL|NULL|NULL|NULL|NULL|NULL",
            "upsell|1|HF-KETTLE-ELEC|NULL|NULL|NULL|NULL|NULL|NULL",
        ]
    );
    assert_eq!(rows(&products[1], Child::Relations).iter().filter(|row| row.starts_with("variant|")).count(), 4);
    assert_eq!(rows(&products[2], Child::KitComponents).len(), 4);
}

#[test]
fn every_quirk_of_the_hostile_page_gives_the_plain_meaning() {
    let page = page("getitem-page-quirks.json");
    let products = products(&page);
    let [object, empty, empty_members, native, again] = &products[..] else { panic!("five records") };

    assert_eq!(object.content_hash(), again.content_hash());
    for (column, expected) in [
        ("parent_sku", "NULL"),
        ("approved", "true"),
        ("visible", "true"),
        ("default_price", "12.50000000"),
        ("rrp", "NULL"),
        ("cost_price", "0.000121000"),
        ("available_sell_quantity", "5"),
        ("extra", "NULL"),
    ] {
        assert_eq!(field(object, column), expected, "{column}");
    }
    assert_eq!(
        rows(object, Child::Images),
        ["0|Main|https://www.quirks.example/assets/full/QK-OBJ.jpg|NULL|NULL|NULL|NULL"]
    );
    assert_eq!(rows(object, Child::PriceGroups), ["1|A|12.50|NULL|NULL|NULL|NULL|NULL|NULL"]);
    assert_eq!(rows(object, Child::PriceBands), ["1|0|11.00|10|0|NULL"]);
    assert_eq!(rows(object, Child::Stock), ["2|5|NULL"]);
    assert_eq!(rows(object, Child::Relations), ["variant|0|NULL|60002|NULL|NULL|NULL|NULL|NULL"]);

    let given = |product: &Product<'_>| product.children.iter().map(Vec::len).sum::<usize>();
    assert_eq!((given(empty), given(empty_members)), (0, 0));
    assert_eq!(field(empty, "date_updated"), "NULL");
    assert_eq!(field(empty_members, "default_price"), "1234.50");
    assert_eq!(field(empty_members, "date_added"), "2026-04-01T00:00:00+00:00");

    for (column, expected) in [
        ("sku", "00060004"),
        ("name", "Quirk: native types &amp; flat lists &#39;quoted&#39;"),
        ("default_price", "19.9"),
        ("available_sell_quantity", "-3"),
        ("pre_order_quantity", "2"),
        ("sub_type", "Old spelling"),
        (
            "extra",
            r#"{"FutureField":"not in any schema","FutureObject":{"Nested":[{"Deep":"1"}]},"Misc53":"beyond the documented range"}"#,
        ),
        ("date_added", "2038-01-19T03:14:08+00:00"),
    ] {
        assert_eq!(field(native, column), expected, "{column}");
    }
    assert_eq!(rows(native, Child::Categories), ["12|Flat|1|NULL", "13|Flat two|2|NULL"]);
    assert_eq!(rows(native, Child::PriceGroups).len(), 2);
    assert_eq!(rows(native, Child::Specifics), ["0|Size|XL|1|NULL", "1|Size|XXL|2|NULL"]);
    assert_eq!(rows(native, Child::Stock), [r#"1|-3|{"WarehouseName":"Main","WarehouseReference":"MAIN"}"#]);
    assert_eq!(rows(native, Child::Relations).len(), 2);
    assert!(rows(native, Child::Images)[1].ends_with(r#"{"AltText":"unknown field"}"#));
}

#[test]
fn every_page_of_the_samples_decodes_to_its_records() {
    for (name, records) in [
        ("getitem-page-rich.json", 3),
        ("getitem-page-variants.json", 4),
        ("getitem-page-idscan.json", 6),
        ("getitem-page-quirks.json", 5),
        ("getitem-page-single-object.json", 1),
        ("getitem-page-wrapped.json", 1),
        ("getitem-page-empty.json", 0),
        ("getitem-page-empty-string.json", 0),
        ("getitem-page-empty-missing.json", 0),
        ("ack-warning.json", 1),
        ("ack-warning-no-items.json", 0),
    ] {
        let page = page(name);
        assert_eq!(products(&page).len(), records, "{name}");
    }
    assert_eq!(
        page("ack-warning-no-items.json").warnings,
        ["Cannot find Item HF-GONE-01", "Cannot find Item HF-GONE-02"]
    );
}

#[test]
fn every_documented_field_has_a_place() {
    let documented: Vec<serde_json::Value> = serde_json::from_str(&fixture("getitem-fields.json")).unwrap();
    for entry in documented {
        let name = entry["name"].as_str().unwrap();
        assert!(name == "PriceGroups.MultilevelBands" || fields::target(name).is_some(), "{name} has no place");
        assert!(fields::target(&name.to_uppercase()).is_some() || name.contains('.'), "{name} in capitals");
    }
}

#[test]
fn a_refused_call_is_an_error_of_its_class_and_never_an_empty_page() {
    for (name, class) in [
        ("ack-error-invalid-key.json", ErrorClass::Unauthorized),
        ("ack-error-invalid-token-array.json", ErrorClass::Unauthorized),
        ("ack-error-many-array.json", ErrorClass::Rejected),
        ("ack-error-json.json", ErrorClass::Rejected),
    ] {
        assert_eq!(decode(fixture(name), false).unwrap_err().class, class, "{name}");
    }
    for (body, class) in [
        ("", ErrorClass::Transient),
        ("{}", ErrorClass::Transient),
        ("[]", ErrorClass::Transient),
        ("null", ErrorClass::Transient),
        (r#"{"Item":[]}"#, ErrorClass::Transient),
        (r#"{"Item":[],"Ack":""}"#, ErrorClass::Transient),
        (r#"{"Item":[],"Ack":"Maybe"}"#, ErrorClass::Transient),
        (r#"{"Item":[{"InventoryID":"1"}],"Ack":"Succ"#, ErrorClass::Transient),
        ("<!DOCTYPE html><html></html>", ErrorClass::Transient),
        ("<?xml version=\"1.0\"?><GetItemResponse/>", ErrorClass::Transient),
        (r#"{"Item":"surprise","Ack":"Success"}"#, ErrorClass::Data),
        (r#"{"Item":7,"Ack":"Success"}"#, ErrorClass::Data),
        (r#"{"Error":{"Message":"Invalid API Key"}}"#, ErrorClass::Unauthorized),
        (r#"{"Errors":[{"ErrorCode":"1","Description":"Too many requests"}]}"#, ErrorClass::RateLimited),
        (r#"{"ack":"ERROR","messages":""}"#, ErrorClass::Rejected),
        (r#"{"Ack":"Error","Messages":{"Error":{"Message":"Please try again later"}}}"#, ErrorClass::Transient),
    ] {
        assert_eq!(decode(body.into(), false).unwrap_err().class, class, "{body}");
    }
}

#[test]
fn a_bad_record_says_which_field_and_why() {
    assert_eq!(reason("[1]"), "not an object: [1]");
    assert_eq!(reason(r#"{"SKU":"A"}"#), "InventoryID is missing");
    assert_eq!(reason(r#"{"InventoryID":"-4"}"#), r#"InventoryID "-4" is not a positive whole number"#);
    assert_eq!(reason(r#"{"InventoryID":"4","ID":"5"}"#), "InventoryID and ID differ: 4 and 5");
    assert_eq!(reason(r#"{"InventoryID":"4","RRP":"cheap"}"#), r#"RRP "cheap" is not a decimal of at most 28 digits"#);
    assert_eq!(reason(r#"{"ID":4,"Categories":[{"CategoryName":"x"}]}"#), "Categories[0]: CategoryID is missing");
    assert_eq!(reason(r#"{"ID":4,"Brand":"\ud800"}"#), r#"Brand "\ud800" is not valid text"#);
    assert_eq!(reason(r#"{"ID":4,"New":"\ud800"}"#), "holds text that cannot be stored");
}

#[test]
fn nothing_is_dropped_where_two_fields_claim_one_column() {
    let product = one(r#"{"ID":1,"DateAdded":"2020-01-01 00:00:00","DateAddedUTC":"2021-01-01 00:00:00"}"#);
    assert_eq!(field(&product, "date_added"), "2021-01-01T00:00:00+00:00");
    assert_eq!(field(&product, "extra"), r#"{"DateAdded":"2020-01-01 00:00:00"}"#);
    let product = one(r#"{"ID":1,"DateAddedUTC":"","DateAdded":"2020-01-01 00:00:00"}"#);
    assert_eq!(field(&product, "date_added"), "2020-01-01T00:00:00+00:00");
    let product = one(r#"{"ID":1,"Subtype":"a","SubType":"b"}"#);
    assert_eq!((field(&product, "sub_type"), field(&product, "extra")), ("a".into(), r#"{"SubType":"b"}"#.into()));
    let product = one(r#"{"ID":1,"IsActive":"perhaps","RRP":"1234567890123456.5"}"#);
    assert_eq!(field(&product, "extra"), r#"{"IsActive":"perhaps","RRP":"1234567890123456.5"}"#);
}

#[test]
fn the_order_of_keys_and_of_keyed_lists_makes_no_change() {
    let a = r#"{"ID":1,"SKU":"A","RRP":"5.00","Categories":[{"CategoryID":1},{"CategoryID":2}],"X":{"a":1,"b":2}}"#;
    let b = r#"{"X":{"b":2,"a":1},"Categories":[{"CategoryID":2},{"CategoryID":1}],"RRP":"5.0","SKU":"A","ID":"1"}"#;
    assert_eq!(one(a).content_hash(), one(b).content_hash());
    let c = r#"{"ID":1,"SKU":"A","RRP":"5.01","Categories":[{"CategoryID":1},{"CategoryID":2}],"X":{"a":1,"b":2}}"#;
    assert_ne!(one(a).content_hash(), one(c).content_hash());
}

/// Every product of every recorded page.
fn recorded() -> Vec<Product<'static>> {
    const PAGES: [&str; 8] = [
        "getitem-page-rich.json",
        "getitem-page-variants.json",
        "getitem-page-idscan.json",
        "getitem-page-quirks.json",
        "getitem-page-single-object.json",
        "getitem-page-wrapped.json",
        "ack-warning.json",
        "getitem-page-empty.json",
    ];
    let of_page = |name: &str| {
        let page = page(name);
        products(&page).into_iter().map(|product| product.sharing(&page.body)).collect::<Vec<_>>()
    };
    PAGES.iter().flat_map(|name| of_page(name)).collect()
}

#[test]
fn a_product_outlives_its_page_unchanged() {
    let page = page("getitem-page-rich.json");
    for product in products(&page) {
        assert_eq!(product.clone().sharing(&page.body), product);
        assert_eq!(product.clone().sharing(&Arc::default()), product);
    }
}

/// The hashes are in every user's database: another hash for the same answer rewrites every product there, which is
/// what [`crate::domain::product::MAPPING_VERSION`] is for and nothing else.
#[test]
fn the_hashes_of_recorded_products_never_change() {
    let hex = |hash: [u8; 16]| format!("{:032x}", u128::from_be_bytes(hash));
    let hashes: Vec<_> = recorded()
        .iter()
        .map(|product| (product.inventory_id, hex(product.content_hash()), hex(light::hash(product))))
        .collect();
    let hashes: Vec<_> = hashes.iter().map(|(id, content, light)| (*id, content.as_str(), light.as_str())).collect();
    assert_eq!(
        hashes,
        [
            (48211, "e1795ef330d344c220024a3d1021b9ab", "394987d727aba0f9abe042de2418df54"),
            (50300, "8f1a9de394e50cd949e6aae36a835a4d", "b3e51793bb301ca806993ad7818247c3"),
            (51990, "d48cd0639e221a4302b6a85c81c64c58", "49dfb424fe519bd86d785c82e0dc9952"),
            (50301, "82909f7896a640ad94616b3962c6de99", "387a7e99e7986e7dd475e2da8157629b"),
            (50302, "8d43c6cbb4fe377b7fac0786bf80bd0b", "6be6b2b3b2e75c29816af986cd347e4c"),
            (50303, "05bfd3a8c7c1246e462863c1b08bf614", "8cbea7cb232cca0c2ac3c37dea7ec81d"),
            (50304, "179a07af79af35cba33ee76ac95303cd", "f98ee8e68c6eb73fcddf09f1f185f797"),
            (48000, "106174f664aadd2dbdc8c3d0225cf035", "4401d0ce561ee6a3c7893df5de4bcd89"),
            (48001, "2d316613c9181713a8e8f810c1d2189a", "f0cc33fe7a12cdb6a05d8c4aa79946df"),
            (48002, "118f76a7cc685bf4a49ce63b7cdafdb3", "b86d4b34b7713d9b93f98cb83cecaa04"),
            (48003, "9e0ac86b82203df176c8cd1f50d2a890", "8f805dc9ffd7d625418ba6d58ef79c2d"),
            (48004, "d6b812094d22a377e76d0d582fdd134a", "1e3bb0848a0507e51701c4e2fb0b3fab"),
            (48005, "0172896ee58f5ecab9e30f07a129d476", "4bd1f0016f8fc16d7bee8864bcbea6c5"),
            (60001, "c5b07732e671bc6b46304e6c58124782", "da7410df6ee8283212ae70d649b1a193"),
            (60002, "3df40e6967da0318ee63258d45fabe2d", "5f838fd30e5abd215e5243eb12de6e7a"),
            (60003, "26cc279ee102028f08e1b1587f1bf63d", "5434a8380dae836e167e4dbf201a206b"),
            (60004, "f6ecb8b0b2b291d295356e769bcf3d3b", "a11e49c65307289c0b97ee3df0a3fe56"),
            (60001, "c5b07732e671bc6b46304e6c58124782", "da7410df6ee8283212ae70d649b1a193"),
            (60001, "131a12e3c4e4945eae3411ffbcca53e3", "dc8260b74c73ee42ec9a808270a23bb0"),
            (60010, "42d2a9cd7d214366b0908fae8edbb42f", "80b3affd026b20afd5615656061a37cc"),
            (48211, "9755794784156c2fe7d7630119c3a4b3", "705b75bc6e62685c1674ca5d8803f5c4"),
        ]
    );
}

#[test]
fn the_feed_of_a_product_that_is_new_is_its_difference_from_nothing() {
    for product in recorded().into_iter().chain([Product::empty(1)]) {
        let fields = Change::between(&Product::empty(product.inventory_id), &product).fields;
        // Behind others, as it is written.
        let mut text = "{}".to_owned();
        Change::added(&product, &mut text);
        assert_eq!(text, format!("{{}}{}", serde_json::Value::from(fields)));
    }
}

#[test]
fn bare_values_stand_for_their_objects() {
    let product = one(
        r#"{"ID":1,"CrossSellProducts":["A","B"],"VariantInventoryIDs":{"VariantInventoryID":["7"]},"Images":"https://x.example/i.png"}"#,
    );
    let related: Vec<_> = rows(&product, Child::Relations);
    assert_eq!(related[0], "cross_sell|0|A|NULL|NULL|NULL|NULL|NULL|NULL");
    assert_eq!(related[2], "variant|0|NULL|7|NULL|NULL|NULL|NULL|NULL");
    assert_eq!(rows(&product, Child::Images), ["0|NULL|https://x.example/i.png|NULL|NULL|NULL|NULL"]);
}

proptest::proptest! {
    #[test]
    fn decoding_and_normalising_arbitrary_text_never_panics(body in "\\PC*", id in 1..9i64, field in "[A-Za-z]{1,12}", raw in "\\PC{0,40}") {
        if let Ok(page) = decode(body, false) {
            page.records().for_each(|record| drop(normalize(record, false)));
        }
        let record = format!(r#"{{"InventoryID":{id},"{field}":{raw}}}"#);
        let _ = normalize(&record, true);
        let quoted = serde_json::to_string(&raw).unwrap();
        for name in ["Images", "Categories", "PriceGroups", "RRP", "IsActive", "DateAdded", "SKU"] {
            let _ = normalize(&format!(r#"{{"InventoryID":{id},"{name}":{quoted}}}"#), true);
        }
    }
}
