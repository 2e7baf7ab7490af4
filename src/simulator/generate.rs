//! Makes a product out of a seed, its key and its role; the same three always give the same product.
//!
//! Products are made when they are looked at, so that a catalogue of 200,000 costs a few megabytes.

mod lists;

use chrono::{DateTime, Duration, NaiveDate, TimeZone, Utc};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::plan::Role;
use super::product::SimProduct;
use super::value::{Member, SimValue};
use super::words::{BRANDS, COLOURS, COUNTRIES, SENTENCES, SIZES, STYLES, SUPPLIERS, THINGS};
use SimValue::{Bool, Int};

const HOST: &str = "https://www.kitchen.example";

/// What a product is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe<'a> {
    pub(super) seed: u64,
    pub(super) id: i64,
    pub(super) role: &'a Role,
    pub(super) updated: DateTime<Utc>,
    /// Whether fields and members occur that no documentation knows.
    pub(super) unknowns: bool,
}

/// A number for a key that depends on nothing but it and the seed.
pub(super) fn mix(seed: u64, id: i64, salt: &str) -> u64 {
    xxh3_64_with_seed(salt.as_bytes(), seed ^ id.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// SKU of a product that was never edited: contains the key, so no two are the same.
pub(super) fn sku(seed: u64, id: i64, role: &Role) -> String {
    match role {
        Role::Variant { parent, number } => format!("HF-{parent}-{number}"),
        Role::Kit { .. } => format!("KIT-{id}"),
        // Leading zeros and lower case: a SKU is text, and its case matters.
        Role::Simple if mix(seed, id, "sku").is_multiple_of(20) => format!("{id:08}"),
        Role::Simple if mix(seed, id, "sku").is_multiple_of(21) => format!("hf/{id} b"),
        Role::Simple | Role::Parent { .. } => format!("HF-{id}"),
    }
}

/// When a product that was never edited was edited last: always before 2026.
pub(super) fn first_updated(seed: u64, id: i64) -> DateTime<Utc> {
    let seconds = i64::try_from(mix(seed, id, "updated") % (400 * 86_400)).expect("400 days fit");
    Utc.with_ymd_and_hms(2024, 11, 1, 0, 0, 0).single().expect("a valid date") + Duration::seconds(seconds)
}

/// Whether a product that was never edited is active.
pub(super) fn first_active(seed: u64, id: i64) -> bool {
    !mix(seed, id, "active").is_multiple_of(12)
}

/// Makes the product.
pub(super) fn product(recipe: &Recipe<'_>) -> SimProduct {
    let Recipe { seed, id, role, updated, unknowns } = *recipe;
    // The members of a family share their look.
    let family = if let Role::Variant { parent, .. } = role { *parent } else { id };
    let mut shared = SmallRng::seed_from_u64(mix(seed, family, "family"));
    let mut rng = SmallRng::seed_from_u64(mix(seed, id, "product"));
    let mut product = SimProduct::new(id, &sku(seed, id, role));

    identity(&mut product, role, &mut shared);
    let cents = prices(&mut product, &mut shared, &mut rng);
    flags(&mut product, role, first_active(seed, id));
    stock(&mut product, role, &mut rng);
    sizes(&mut product, &mut rng);
    texts(&mut product, &mut rng);
    dates(&mut product, updated, &mut rng);
    codes(&mut product, &mut rng);
    lists::pictures(&mut product, updated, &mut rng);
    lists::fill(&mut product, cents, &mut rng);
    lists::family_links(&mut product, seed, role);
    if unknowns {
        lists::unknown_fields(&mut product, &mut rng);
    }
    product
}

fn pick<'a>(rng: &mut SmallRng, words: &[&'a str]) -> &'a str {
    words.choose(rng).expect("no vocabulary is empty")
}

fn identity(product: &mut SimProduct, role: &Role, shared: &mut SmallRng) {
    let (thing, kind, category) = *THINGS.choose(shared).expect("no vocabulary is empty");
    let (brand, style) = (pick(shared, BRANDS), pick(shared, STYLES));
    let name = match role {
        Role::Simple | Role::Parent { .. } => format!("{brand} {style} {thing}"),
        Role::Variant { number, .. } => format!("{brand} {style} {thing} - {}", variant_name(*number)),
        Role::Kit { parts } => format!("{brand} {style} {thing} (set of {})", parts.len()),
    };
    product.set("Name", SimValue::text(&name));
    product.set("Brand", SimValue::text(brand));
    product.set("Model", SimValue::text(format!("{style} {thing}")));
    product.set("Type", SimValue::text("Kitchen"));
    product.set("SubType", SimValue::text(kind));
    product.set("Subtitle", SimValue::text(format!("{style} {}", thing.to_lowercase())));
    product.set("SEOPageTitle", SimValue::text(&name));
    product.set("SEOPageHeading", SimValue::text(format!("{style} {thing}")));
    product.set("SEOMetaKeywords", SimValue::text(format!("{},{}", style.to_lowercase(), kind.to_lowercase())));
    product.set("SEOMetaDescription", SimValue::text(format!("{name}, from our kitchen to yours.")));
    product.set("SearchKeywords", SimValue::text(format!("{thing}, {style}, {kind}")));
    product.set("ItemURL", SimValue::text(format!("{}~{}", kind.to_lowercase(), product.inventory_id)));
    product.set("Group", SimValue::text(if shared.random_bool(0.8) { "0" } else { "12" }));
    if !matches!(role, Role::Variant { .. }) {
        product.categories = vec![category_member(category, kind, 1), category_member(97, "Kitchen", 4)];
        if shared.random_bool(0.3) {
            product.categories.truncate(1);
        }
    }
}

fn category_member(id: i64, name: &str, priority: i64) -> Member {
    Member::new(vec![("CategoryID", Int(id)), ("Priority", Int(priority)), ("CategoryName", SimValue::text(name))])
}

fn variant_name(number: u8) -> String {
    let place = usize::from(number) - 1;
    format!("{} / {}", COLOURS[place % COLOURS.len()], SIZES[place % SIZES.len()])
}

/// Returns the selling price in cents.
fn prices(product: &mut SimProduct, shared: &mut SmallRng, rng: &mut SmallRng) -> i64 {
    // One in fifty costs thousands, which is where the separators of spec §5 appear.
    let cents = if shared.random_bool(0.02) {
        shared.random_range(100_000..9_000_000)
    } else {
        shared.random_range(250..40_000) / 5 * 5
    };
    product.set("DefaultPrice", SimValue::cents(cents));
    product.set("RRP", if rng.random_bool(0.8) { SimValue::cents(cents * 5 / 4) } else { SimValue::None });
    product.set("CostPrice", SimValue::Decimal(format!("{}.{:04}", cents / 230, rng.random_range(0..10_000))));
    product.set("DefaultPurchasePrice", SimValue::thousandths(cents * 4));
    product.set("MonthlySpendRequirement", SimValue::cents(0));
    if rng.random_bool(0.25) {
        product.set("PromotionPrice", SimValue::cents(cents * 4 / 5));
        product.set("PromotionTag", SimValue::text("Autumn"));
        let start = Utc.with_ymd_and_hms(2026, 3, 31, 14, 0, 0).single().expect("a valid date");
        product.set_time("PromotionStartDate", start);
        product.set_time("PromotionExpiryDate", start + Duration::days(14) - Duration::seconds(1));
    } else {
        product.set("PromotionPrice", SimValue::cents(0));
    }
    cents
}

fn flags(product: &mut SimProduct, role: &Role, active: bool) {
    let variant = matches!(role, Role::Variant { .. });
    for (name, value) in [
        ("IsActive", active),
        ("Approved", true),
        ("ApprovedForPOS", true),
        ("ApprovedForMobileStore", false),
        ("Visible", !variant),
        ("Virtual", false),
        ("IsVariant", variant),
        ("IsNetoUtility", false),
        ("IsGiftVoucher", false),
        ("IsInventoried", !matches!(role, Role::Parent { .. })),
        ("IsBought", true),
        ("IsSold", true),
        ("IsAsset", false),
        ("IsServiceItem", false),
        ("EditableKitBundle", matches!(role, Role::Kit { .. })),
        ("RequiresPackaging", true),
        ("SerialTracking", false),
        ("SplitForWarehousePicking", false),
        ("AutomaticURL", true),
        ("TaxFreeItem", false),
        ("TaxInclusive", true),
        ("AuGstExempt", false),
        ("NzGstExempt", false),
    ] {
        product.set(name, Bool(value));
    }
}

fn stock(product: &mut SimProduct, role: &Role, rng: &mut SmallRng) {
    let parent = matches!(role, Role::Parent { .. });
    // Oversold stock is negative.
    let quantity = if parent { 0 } else { rng.random_range(-4..60) };
    let elsewhere = rng.random_range(0..10);
    if !parent {
        product.stock.push(Member::new(vec![("WarehouseID", Int(1)), ("Quantity", Int(quantity))]));
        if rng.random_bool(0.6) {
            product.stock.push(Member::new(vec![("WarehouseID", Int(4)), ("Quantity", Int(elsewhere))]));
        }
    }
    product.set("AvailableSellQuantity", Int(quantity));
    for (name, most) in [("CommittedQuantity", 6), ("PreOrderQuantity", 3), ("SortOrder1", 100), ("SortOrder2", 9)] {
        product.set(name, Int(rng.random_range(0..most)));
    }
    for name in ["BuyUnitQuantity", "SellUnitQuantity", "QuantityPerScan", "NumbersOfLabelsToPrint", "HandlingTime"] {
        product.set(name, Int(1));
    }
    for name in ["RestockQty", "ReorderQty", "RestockWarningLevel"] {
        product.set(name, if rng.random_bool(0.5) { Int(rng.random_range(1..50)) } else { SimValue::None });
    }
    if rng.random_bool(0.1) {
        product.set("DateArrival", SimValue::Date(NaiveDate::from_ymd_opt(2026, 5, 2).expect("a valid date")));
        product.set("DateArrivalUTC", SimValue::Date(NaiveDate::from_ymd_opt(2026, 5, 1).expect("a valid date")));
    }
}

fn sizes(product: &mut SimProduct, rng: &mut SmallRng) {
    for name in ["ItemLength", "ItemWidth", "ItemHeight", "ShippingLength", "ShippingWidth", "ShippingHeight"] {
        product.set(name, SimValue::thousandths(rng.random_range(10..900)));
    }
    product.set(
        "ShippingWeight",
        SimValue::Decimal(format!("{}.{:04}", rng.random_range(0..9), rng.random_range(1..10_000))),
    );
    product.set("CubicWeight", SimValue::Decimal(format!("0.{:09}", rng.random_range(1..1_000_000_000))));
    product.set("BaseUnitPerQuantity", SimValue::thousandths(1000));
}

fn texts(product: &mut SimProduct, rng: &mut SmallRng) {
    let sentences = if rng.random_bool(0.02) { rng.random_range(100..300) } else { rng.random_range(2..7) };
    let description: String = (0..sentences).map(|_| pick(rng, SENTENCES)).collect();
    product.set("Description", SimValue::Text(description));
    product.set("ShortDescription", SimValue::text("Made to be used every day, and to outlast the cook."));
    product.set("Features", SimValue::text(pick(rng, SENTENCES)));
    product.set("Specifications", SimValue::text(SENTENCES[5]));
    product.set("Warranty", SimValue::text("24 months"));
    if rng.random_bool(0.4) {
        product.set("eBayDescription", SimValue::text(pick(rng, SENTENCES)));
        product.set("InternalNotes", SimValue::text("Check enamel on arrival. Ask: is the 2nd-choice price OK?"));
        product.set("AvailabilityDescription", SimValue::text("Ships next business day"));
        product.set("TermsAndConditions", SimValue::text("Change of mind returns within 30 days."));
    }
}

fn dates(product: &mut SimProduct, updated: DateTime<Utc>, rng: &mut SmallRng) {
    let added = updated - Duration::seconds(rng.random_range(3600..150_000_000));
    product.set_time("DateAdded", added);
    product.set_time("DateCreated", added + Duration::seconds(1));
    product.set_time("DateUpdated", updated);
}

fn codes(product: &mut SimProduct, rng: &mut SmallRng) {
    let id = product.inventory_id;
    product.set("UPC", SimValue::Text(format!("93{:011}", id * 7)));
    product.set("UPC3", SimValue::Text(format!("{id:010}")));
    product.set("ModelNumber", SimValue::Text(format!("M{id}")));
    product.set("ReferenceNumber", Int(id + 22_000));
    product.set("BarcodeHeight", Int(25));
    product.set("OriginCountry", SimValue::text(pick(rng, COUNTRIES)));
    product.set("PrimarySupplier", SimValue::text(pick(rng, SUPPLIERS)));
    product.set("SupplierItemCode", SimValue::Text(format!("S-{id}")));
    for (name, text) in [
        ("AccountingCode", "200-SALES"),
        ("UnitOfMeasure", "EA"),
        ("BaseUnitOfMeasure", "EA"),
        ("PickPriority", "FIFO"),
        ("PickZone", "A-GROUND"),
        ("TaxCategory", "GST"),
        ("PurchaseTaxCode", "GST"),
        ("IncomeAccount", "4-1000"),
        ("ExpenseAccount", "5-1000"),
        ("CostOfSalesAccount", "5-1100"),
        ("AssetAccount", "1-1300"),
        ("ShippingCategory", "2"),
        ("DisplayTemplate", "product_default"),
        ("WhenToRepeatOnStandingOrders", "always"),
        ("HSTariffNumber", "7323.94.00"),
    ] {
        product.set(name, SimValue::text(text));
    }
    product.set("Misc01", SimValue::text(if rng.random_bool(0.5) { "n" } else { "y" }));
    product.set("Misc02", SimValue::text("2.1500"));
    product.set("Misc38", SimValue::Text(format!("39988120000004{id:08}")));
    if rng.random_bool(0.3) {
        product.set("Misc08", SimValue::text("WF:SAGE &amp; CLAY"));
        product.set("Misc52", SimValue::text("loyalty-x2"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::field::{Holds, SCALARS};

    fn make(id: i64, role: &Role) -> SimProduct {
        product(&Recipe { seed: 1, id, role, updated: first_updated(1, id), unknowns: true })
    }

    #[test]
    fn the_same_seed_and_key_always_give_the_same_product() {
        assert_eq!(make(48_123, &Role::Simple), make(48_123, &Role::Simple));
        assert_ne!(make(48_123, &Role::Simple), make(48_124, &Role::Simple));
    }

    #[test]
    fn every_value_has_the_documented_type() {
        for id in 48_000..48_300 {
            let role = if id % 3 == 0 { Role::Parent { variants: 3 } } else { Role::Kit { parts: [48_001].into() } };
            let product = make(id, &role);
            for (name, holds) in SCALARS {
                let fits = match product.get(name) {
                    SimValue::None => true,
                    SimValue::Text(_) => *holds == Holds::Text,
                    Int(_) => *holds == Holds::Int,
                    SimValue::Decimal(_) => *holds == Holds::Decimal,
                    Bool(_) => *holds == Holds::Bool,
                    SimValue::Time(_) => *holds == Holds::Time,
                    SimValue::LocalTime(_) => *holds == Holds::LocalTime,
                    SimValue::Date(_) => *holds == Holds::Date,
                };
                assert!(fits, "{name} of {id}: {:?}", product.get(name));
            }
        }
    }

    #[test]
    fn products_are_rich_enough_to_be_realistic() {
        let product = make(48_003, &Role::Simple);
        let filled = SCALARS.iter().filter(|(name, _)| *product.get(name) != SimValue::None).count();
        assert!(filled > 80, "only {filled} scalars are filled");
    }
}
