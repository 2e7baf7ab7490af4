//! The fields a simulated store answers, with the types of the vendor's documentation.
//!
//! Written down apart from [`crate::domain::catalogue`] although the two overlap: a wrong type there would
//! otherwise be wrong here in the same way, and no test would notice.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a scalar holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// Whole number.
    Int,
    /// Exact decimal.
    Decimal,
    /// Truth value.
    Bool,
    /// Instant, UTC.
    Time,
    /// Wall-clock time of the store.
    LocalTime,
    /// Calendar date.
    Date,
}

use Holds::{Bool, Date, Decimal, Int, LocalTime, Text, Time};

/// Every scalar that can be asked for, in the order in which a well-behaved store answers them.
pub static SCALARS: &[(&str, Holds)] = &[
    ("SKU", Text),
    ("InventoryID", Int),
    ("ID", Int),
    ("ParentSKU", Text),
    ("Brand", Text),
    ("Model", Text),
    ("Virtual", Bool),
    ("Name", Text),
    ("PrimarySupplier", Text),
    ("Approved", Bool),
    ("IsActive", Bool),
    ("IsNetoUtility", Bool),
    ("AuGstExempt", Bool),
    ("NzGstExempt", Bool),
    ("IsGiftVoucher", Bool),
    ("OriginCountry", Text),
    ("ItemLength", Decimal),
    ("ItemWidth", Decimal),
    ("ItemHeight", Decimal),
    ("ShippingLength", Decimal),
    ("ShippingWidth", Decimal),
    ("ShippingHeight", Decimal),
    ("ShippingWeight", Decimal),
    ("CubicWeight", Decimal),
    ("HandlingTime", Int),
    ("CommittedQuantity", Int),
    ("AvailableSellQuantity", Int),
    ("AccountingCode", Text),
    ("SortOrder1", Int),
    ("SortOrder2", Int),
    ("RRP", Decimal),
    ("DefaultPrice", Decimal),
    ("DefaultPurchasePrice", Decimal),
    ("PromotionPrice", Decimal),
    ("PromotionStartDate", Time),
    ("PromotionStartDateLocal", LocalTime),
    ("PromotionStartDateUTC", Time),
    ("PromotionExpiryDate", Time),
    ("PromotionExpiryDateLocal", LocalTime),
    ("PromotionExpiryDateUTC", Time),
    ("DateArrival", Date),
    ("DateArrivalUTC", Date),
    ("CostPrice", Decimal),
    ("UnitOfMeasure", Text),
    ("BaseUnitOfMeasure", Text),
    ("BaseUnitPerQuantity", Decimal),
    ("QuantityPerScan", Int),
    ("BuyUnitQuantity", Int),
    ("SellUnitQuantity", Int),
    ("PreOrderQuantity", Int),
    ("PickPriority", Text),
    ("PickZone", Text),
    ("TaxCategory", Text),
    ("TaxFreeItem", Bool),
    ("TaxInclusive", Bool),
    ("SearchKeywords", Text),
    ("ShortDescription", Text),
    ("Description", Text),
    ("Features", Text),
    ("Specifications", Text),
    ("Warranty", Text),
    ("eBayDescription", Text),
    ("TermsAndConditions", Text),
    ("ArtistOrAuthor", Text),
    ("Format", Text),
    ("ModelNumber", Text),
    ("Subtitle", Text),
    ("AvailabilityDescription", Text),
    ("ImageURL", Text),
    ("BrochureURL", Text),
    ("ProductURL", Text),
    ("DateAdded", Time),
    ("DateAddedLocal", LocalTime),
    ("DateAddedUTC", Time),
    ("DateCreatedLocal", LocalTime),
    ("DateCreatedUTC", Time),
    ("DateUpdated", Time),
    ("DateUpdatedLocal", LocalTime),
    ("DateUpdatedUTC", Time),
    ("UPC", Text),
    ("UPC1", Text),
    ("UPC2", Text),
    ("UPC3", Text),
    ("Type", Text),
    ("SubType", Text),
    ("NumbersOfLabelsToPrint", Int),
    ("ReferenceNumber", Int),
    ("InternalNotes", Text),
    ("BarcodeHeight", Int),
    ("SupplierItemCode", Text),
    ("SplitForWarehousePicking", Bool),
    ("DisplayTemplate", Text),
    ("EditableKitBundle", Bool),
    ("RequiresPackaging", Bool),
    ("IsAsset", Bool),
    ("IsServiceItem", Bool),
    ("WhenToRepeatOnStandingOrders", Text),
    ("SerialTracking", Bool),
    ("Group", Text),
    ("ShippingCategory", Text),
    ("MonthlySpendRequirement", Decimal),
    ("RestrictedToUserGroup", Text),
    ("IsInventoried", Bool),
    ("IsBought", Bool),
    ("IsSold", Bool),
    ("ExpenseAccount", Text),
    ("PurchaseTaxCode", Text),
    ("CostOfSalesAccount", Text),
    ("IncomeAccount", Text),
    ("AssetAccount", Text),
    ("SEOPageTitle", Text),
    ("SEOMetaKeywords", Text),
    ("SEOPageHeading", Text),
    ("SEOMetaDescription", Text),
    ("SEOCanonicalURL", Text),
    ("ItemURL", Text),
    ("CustomContent", Text),
    ("CustomNonDelivery", Text),
    ("AutomaticURL", Bool),
    ("Job", Text),
    ("IsVariant", Bool),
    ("HSTariffNumber", Text),
    ("Visible", Bool),
    ("ApprovedForPOS", Bool),
    ("ApprovedForMobileStore", Bool),
    ("PromotionTag", Text),
    ("RestockQty", Int),
    ("ReorderQty", Int),
    ("RestockWarningLevel", Int),
    ("Misc01", Text),
    ("Misc02", Text),
    ("Misc03", Text),
    ("Misc04", Text),
    ("Misc05", Text),
    ("Misc06", Text),
    ("Misc07", Text),
    ("Misc08", Text),
    ("Misc09", Text),
    ("Misc10", Text),
    ("Misc11", Text),
    ("Misc12", Text),
    ("Misc13", Text),
    ("Misc14", Text),
    ("Misc15", Text),
    ("Misc16", Text),
    ("Misc17", Text),
    ("Misc18", Text),
    ("Misc19", Text),
    ("Misc20", Text),
    ("Misc21", Text),
    ("Misc22", Text),
    ("Misc23", Text),
    ("Misc24", Text),
    ("Misc25", Text),
    ("Misc26", Text),
    ("Misc27", Text),
    ("Misc28", Text),
    ("Misc29", Text),
    ("Misc30", Text),
    ("Misc31", Text),
    ("Misc32", Text),
    ("Misc33", Text),
    ("Misc34", Text),
    ("Misc35", Text),
    ("Misc36", Text),
    ("Misc37", Text),
    ("Misc38", Text),
    ("Misc39", Text),
    ("Misc40", Text),
    ("Misc41", Text),
    ("Misc42", Text),
    ("Misc43", Text),
    ("Misc44", Text),
    ("Misc45", Text),
    ("Misc46", Text),
    ("Misc47", Text),
    ("Misc48", Text),
    ("Misc49", Text),
    ("Misc50", Text),
    ("Misc51", Text),
    ("Misc52", Text),
];

/// Place of SKU in [`SCALARS`]; it is answered whatever is asked.
pub const SKU: usize = 0;
/// Place of InventoryID in [`SCALARS`]; it is answered whatever is asked.
pub const INVENTORY_ID: usize = 1;

/// How the members of a list are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// `[{"Category": [ … ]}]`: a list of objects with this key.
    Named(&'static str),
    /// `[ … ]`, though some versions wrap it under this key.
    FlatOr(&'static str),
    /// `[ … ]` always.
    Flat,
}

/// Every list of members that can be asked for.
pub static LISTS: &[(&str, Wrapper)] = &[
    ("VariantInventoryIDs", Wrapper::Flat),
    ("FreeGifts", Wrapper::Named("FreeGift")),
    ("CrossSellProducts", Wrapper::Named("CrossSellProduct")),
    ("UpsellProducts", Wrapper::Named("UpsellProduct")),
    ("KitComponents", Wrapper::Named("KitComponent")),
    ("PriceGroups", Wrapper::Named("PriceGroup")),
    ("Categories", Wrapper::Named("Category")),
    ("ItemSpecifics", Wrapper::Named("ItemSpecific")),
    ("WarehouseQuantity", Wrapper::Flat),
    ("RelatedContents", Wrapper::Flat),
    ("SalesChannels", Wrapper::Named("SalesChannel")),
    ("Images", Wrapper::FlatOr("Image")),
];

/// Fields that can be asked for, but have no table of their own: they are sent exactly as the product holds
/// them in [`super::SimProduct::untabled`].
pub static UNTABLED: &[&str] = &["WarehouseLocations", "eBayItems", "eBayActiveItems", "eBayProductIDs"];

/// The selector that adds quantity bands to price groups.
pub const BANDS: &str = "PriceGroups.MultilevelBands";

/// Place of a scalar in [`SCALARS`].
#[must_use]
pub fn scalar(name: &str) -> Option<usize> {
    static PLACES: LazyLock<HashMap<&'static str, usize>> =
        LazyLock::new(|| SCALARS.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect());
    PLACES.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_fields_that_are_always_answered_are_where_their_names_say() {
        assert_eq!((SCALARS[SKU].0, SCALARS[INVENTORY_ID].0), ("SKU", "InventoryID"));
        assert_eq!(scalar("Misc52"), Some(SCALARS.len() - 1));
        assert_eq!(scalar("Misc53"), None);
    }
}
