//! A simulated product: the truth about it, as clean typed values.

use chrono::{DateTime, Duration, SubsecRound, Utc};
use serde_json::Value;

use super::field::{self, SCALARS};
use super::value::{Member, SimValue};

/// How far the simulated store's clock is ahead of UTC. Its zone has no daylight saving.
pub const STORE_OFFSET_HOURS: i32 = 10;

/// A product as the simulated store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimProduct {
    /// The stable key.
    pub inventory_id: i64,
    scalars: Vec<SimValue>,
    /// `Images`, the main one first.
    pub images: Vec<Member>,
    /// `Categories`.
    pub categories: Vec<Member>,
    /// `PriceGroups`, with their bands.
    pub price_groups: Vec<Member>,
    /// `WarehouseQuantity`.
    pub stock: Vec<Member>,
    /// `ItemSpecifics`.
    pub specifics: Vec<Member>,
    /// `KitComponents`.
    pub kit_components: Vec<Member>,
    /// `CrossSellProducts`.
    pub cross_sells: Vec<Member>,
    /// `UpsellProducts`.
    pub upsells: Vec<Member>,
    /// `FreeGifts`.
    pub free_gifts: Vec<Member>,
    /// `RelatedContents`.
    pub related_contents: Vec<Member>,
    /// `SalesChannels`.
    pub sales_channels: Vec<Member>,
    /// `VariantInventoryIDs`: what a parent's variants are.
    pub variants: Vec<i64>,
    /// Documented fields without a table of ours ([`field::UNTABLED`]), sent as they are here.
    pub untabled: Vec<(&'static str, Value)>,
    /// Fields no documentation knows, sent unasked and as they are here. Only with quirks.
    pub unknown: Vec<(&'static str, Value)>,
}

impl SimProduct {
    /// A product with a key and nothing else.
    #[must_use]
    pub fn new(inventory_id: i64, sku: &str) -> Self {
        let mut product = Self {
            inventory_id,
            scalars: vec![SimValue::None; SCALARS.len()],
            images: Vec::new(),
            categories: Vec::new(),
            price_groups: Vec::new(),
            stock: Vec::new(),
            specifics: Vec::new(),
            kit_components: Vec::new(),
            cross_sells: Vec::new(),
            upsells: Vec::new(),
            free_gifts: Vec::new(),
            related_contents: Vec::new(),
            sales_channels: Vec::new(),
            variants: Vec::new(),
            untabled: Vec::new(),
            unknown: Vec::new(),
        };
        product.set("InventoryID", SimValue::Int(inventory_id));
        product.set("ID", SimValue::Int(inventory_id));
        product.set("SKU", SimValue::text(sku));
        product
    }

    /// The value of a scalar by its API name.
    ///
    /// # Panics
    /// When the API has no such scalar: a test that asks for it has a typing error.
    #[must_use]
    pub fn get(&self, name: &str) -> &SimValue {
        &self.scalars[field::scalar(name).unwrap_or_else(|| panic!("the API has no scalar {name}"))]
    }

    /// Sets a scalar by its API name.
    ///
    /// # Panics
    /// When the API has no such scalar.
    pub fn set(&mut self, name: &str, value: SimValue) {
        let place = field::scalar(name).unwrap_or_else(|| panic!("the API has no scalar {name}"));
        self.scalars[place] = value;
    }

    /// The SKU.
    #[must_use]
    pub fn sku(&self) -> &str {
        self.get("SKU").as_text().unwrap_or_default()
    }

    /// Whether it is active.
    #[must_use]
    pub fn is_active(&self) -> bool {
        *self.get("IsActive") == SimValue::Bool(true)
    }

    /// Sets `name`, `nameUTC` and `nameLocal`, as far as the API has them, from one instant.
    pub fn set_time(&mut self, name: &str, at: DateTime<Utc>) {
        let at = at.trunc_subsecs(0);
        let local = at.naive_utc() + Duration::hours(i64::from(STORE_OFFSET_HOURS));
        for (field, value) in [
            (name.to_owned(), SimValue::Time(at)),
            (format!("{name}UTC"), SimValue::Time(at)),
            (format!("{name}Local"), SimValue::LocalTime(local)),
        ] {
            if let Some(place) = field::scalar(&field) {
                self.scalars[place] = value;
            }
        }
    }

    /// The scalar at a place of [`SCALARS`].
    pub(super) fn scalar(&self, place: usize) -> &SimValue {
        &self.scalars[place]
    }

    /// The members of a list by the list's API name; `VariantInventoryIDs` is not one of members.
    pub(super) fn list(&self, name: &str) -> &[Member] {
        match name {
            "Images" => &self.images,
            "Categories" => &self.categories,
            "PriceGroups" => &self.price_groups,
            "WarehouseQuantity" => &self.stock,
            "ItemSpecifics" => &self.specifics,
            "KitComponents" => &self.kit_components,
            "CrossSellProducts" => &self.cross_sells,
            "UpsellProducts" => &self.upsells,
            "FreeGifts" => &self.free_gifts,
            "RelatedContents" => &self.related_contents,
            "SalesChannels" => &self.sales_channels,
            other => unreachable!("{other} is not a list of members"),
        }
    }
}
