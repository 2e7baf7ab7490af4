//! The lists of a product: pictures, prices of groups, what it is linked with, and what nobody has documented.

use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use rand::rngs::SmallRng;
use serde_json::json;

use super::super::plan::Role;
use super::super::product::SimProduct;
use super::super::value::{Member, SimValue};
use super::super::words::{COLOURS, SIZES};
use super::{HOST, pick, sku};
use SimValue::{Bool, Int};

/// Its images.
pub(super) fn pictures(product: &mut SimProduct, updated: DateTime<Utc>, rng: &mut SmallRng) {
    let id = product.inventory_id;
    let taken = updated - Duration::days(30);
    for place in 0..rng.random_range(0..4) {
        let (name, folder) = if place == 0 {
            ("Main".to_owned(), String::new())
        } else {
            (format!("Alt {place}"), format!("alt_{place}/"))
        };
        let url = |size: &str| SimValue::Text(format!("{HOST}/assets/{size}/{folder}{id}.jpg?v={place}"));
        product.images.push(Member::new(vec![
            ("Name", SimValue::Text(name)),
            ("URL", url("full")),
            ("ThumbURL", url("thumb")),
            ("MediumThumbURL", url("thumbL")),
            ("Timestamp", SimValue::Time(taken)),
        ]));
    }
    if let Some(main) = product.images.first() {
        let url = main.get("URL").clone();
        product.set("ImageURL", url);
    }
}

/// Price groups, specifics, sales channels, links to others.
pub(super) fn fill(product: &mut SimProduct, cents: i64, rng: &mut SmallRng) {
    for (group_id, name) in [(1, "A"), (2, "B"), (3, "Trade & Wholesale")].into_iter().take(rng.random_range(0..4)) {
        product.price_groups.push(price_group(group_id, name, cents * (100 - 5 * group_id) / 100, rng));
    }
    for (place, (name, words)) in [("Colour", COLOURS), ("Size", SIZES), ("Colour", COLOURS)].iter().enumerate() {
        if rng.random_bool(0.5) {
            let mut specific =
                Member::new(vec![("Name", SimValue::text(*name)), ("Value", SimValue::text(pick(rng, words)))]);
            if rng.random_bool(0.5) {
                specific.set("SortOrder", Int(place as i64));
            }
            product.specifics.push(specific);
        }
    }
    for (channel_id, name) in [(1, "Web Store"), (2, "Point of Sale"), (5, "eBay AU")] {
        product.sales_channels.push(Member::new(vec![
            ("SalesChannelID", Int(channel_id)),
            ("SalesChannelName", SimValue::text(name)),
            ("IsApproved", Bool(rng.random_bool(0.7))),
        ]));
    }
    let mut links = |most: i64| -> Vec<Member> {
        (0..rng.random_range(0..=most))
            .map(|_| Member::new(vec![("SKU", SimValue::Text(format!("HF-{}", rng.random_range(48_000..60_000))))]))
            .collect()
    };
    product.cross_sells = links(3);
    product.upsells = links(2);
    product.free_gifts = links(1);
    if rng.random_bool(0.2) {
        product.related_contents.push(Member::new(vec![
            ("ContentID", Int(512)),
            ("ContentName", SimValue::text("How to descale a kettle")),
            ("ContentTypeID", Int(3)),
            ("ContentTypeName", SimValue::text("Blog")),
            ("Priority", Int(1)),
        ]));
    }
    if rng.random_bool(0.1) {
        product.untabled.push((
            "WarehouseLocations",
            json!([{"WarehouseLocation": [{"LocationID": "A-03-2", "WarehouseID": "1", "Type": "Pick", "Priority": "1"}]}]),
        ));
        product.untabled.push(("eBayActiveItems", json!([{"eBayActiveItem": [{"eBayItemID": "256112233445"}]}])));
    }
}

fn price_group(group_id: i64, name: &str, cents: i64, rng: &mut SmallRng) -> Member {
    let mut group = Member::new(vec![
        ("GroupID", Int(group_id)),
        ("Group", SimValue::text(name)),
        ("Price", SimValue::cents(cents)),
        ("PromotionPrice", SimValue::cents(0)),
        ("MinimumQuantity", Int(1)),
        ("MaximumQuantity", Int(0)),
        ("Multiple", Int(1)),
        ("MultipleStartQuantity", Int(0)),
    ]);
    for place in 0..rng.random_range(0..3) {
        group.bands.push(Member::new(vec![
            ("Price", SimValue::cents(cents * (19 - place) / 20)),
            ("MinimumQuantity", Int(12 * (place + 1))),
            ("MaximumQuantity", Int(0)),
        ]));
    }
    group
}

/// What ties it to its parent, its variants, or its parts.
pub(super) fn family_links(product: &mut SimProduct, seed: u64, role: &Role) {
    match role {
        Role::Simple => {}
        Role::Parent { variants } => {
            product.variants = (1..=i64::from(*variants)).map(|n| product.inventory_id + n).collect();
        }
        // A parent never has an edited SKU when its variant is made: recoding one leaves the others alone.
        Role::Variant { parent, .. } => product.set("ParentSKU", SimValue::Text(format!("HF-{parent}"))),
        Role::Kit { parts } => {
            for (place, part) in parts.iter().enumerate() {
                product.kit_components.push(Member::new(vec![
                    ("ComponentSKU", SimValue::Text(sku(seed, *part, &Role::Simple))),
                    ("ComponentValue", SimValue::None),
                    ("AssembleQuantity", Int(place as i64 + 1)),
                    ("MinimumQuantity", SimValue::None),
                    ("MaximumQuantity", SimValue::None),
                    ("SortOrder", Int(place as i64)),
                ]));
            }
        }
    }
}

/// Fields and members that no documentation knows.
pub(super) fn unknown_fields(product: &mut SimProduct, rng: &mut SmallRng) {
    if rng.random_bool(0.3) {
        product.unknown.push(("FutureField", json!("not in any schema")));
    }
    if rng.random_bool(0.2) {
        product.unknown.push(("FutureObject", json!({"Nested": [{"Deep": "1", "Wide": 2.50}], "Note": "naïve"})));
    }
    if rng.random_bool(0.1) {
        product.unknown.push(("Misc53", json!("beyond the documented range")));
    }
    if rng.random_bool(0.3) {
        for image in &mut product.images {
            image.unknown.push(("AltText", json!("a kettle, seen from the left")));
        }
        for stock in &mut product.stock {
            stock.unknown.push(("WarehouseName", json!("Main")));
        }
    }
}
