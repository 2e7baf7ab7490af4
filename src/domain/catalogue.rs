//! The mirrored catalogue, described once: every table, column, type and the API field it comes from.
//!
//! The connector reads this list to know where a field of the answer goes, the storage to build its
//! statements and `netosync db schema` to explain the tables. Adding a field is one line here, one column in
//! a new migration and one line in the entity; a test holds the three together.
//!
//! Names are the API's names in snake_case; types are those of the vendor's documentation
//! (`GetItem`, answer fields), see `docs/decisions.md` for the few that differ.

/// What a column holds, and therefore how a value on the wire is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text as sent; HTML entities stay (they are decoded for display only).
    Text,
    /// A whole number. The wire may say `"5.000"`.
    Int,
    /// An exact decimal.
    Decimal,
    /// `True/False`, `1/0`, `y/n`, `yes/no` or a JSON boolean.
    Bool,
    /// An instant in UTC. A value without a zone is taken as UTC.
    Time,
    /// A wall-clock time in the store's own zone.
    LocalTime,
    /// A calendar date.
    Date,
    /// A JSON object kept as sent, with its keys in order.
    Json,
}

/// One column of a mirrored table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in the database.
    pub name: &'static str,
    /// Fields of the answer it is filled from, the preferred one first; empty for columns we derive.
    pub api: &'static [&'static str],
    /// Type of the column.
    pub kind: Kind,
    /// Meaning, one sentence, shown by `netosync db schema`.
    pub doc: &'static str,
}

/// A table with many rows a product.
#[derive(Debug)]
pub struct ChildTable {
    /// Name in the database.
    pub name: &'static str,
    /// How many of the leading columns, together with store and product, are the key.
    pub key: usize,
    /// Columns besides `store_id` and `inventory_id`, in statement order.
    pub columns: &'static [Column],
    /// Meaning, one sentence.
    pub doc: &'static str,
}

const fn col(name: &'static str, api: &'static [&'static str], kind: Kind, doc: &'static str) -> Column {
    Column { name, api, kind, doc }
}

use Kind::{Bool, Date, Decimal, Int, Json, LocalTime, Text, Time};

/// Columns of `products` that come from the answer. `store_id`, `inventory_id`, `content_hash`,
/// `first_seen_at`, `changed_at` and `removed_at` are ours and are written beside them.
pub static PRODUCT: &[Column] = &[
    col("sku", &["SKU"], Text, "The merchant's article code; may be renamed, so it is not the key."),
    col("parent_sku", &["ParentSKU"], Text, "SKU of the parent of a variant; NULL when there is none."),
    col("name", &["Name"], Text, "Name of the product."),
    col("brand", &["Brand"], Text, "Brand."),
    col("model", &["Model"], Text, "Model."),
    col("model_number", &["ModelNumber"], Text, "The maker's model number."),
    col("subtitle", &["Subtitle"], Text, "Second line of the name."),
    col("type", &["Type"], Text, "Product type."),
    col("sub_type", &["SubType"], Text, "Product sub-type."),
    col("group", &["Group"], Text, "Product group; \"0\" occurs."),
    col("reference_number", &["ReferenceNumber"], Int, "The merchant's reference number."),
    col("accounting_code", &["AccountingCode"], Text, "Code for the accounting system."),
    col("primary_supplier", &["PrimarySupplier"], Text, "Supplier the product is usually bought from."),
    col("supplier_item_code", &["SupplierItemCode"], Text, "The supplier's article code."),
    col("upc", &["UPC"], Text, "Barcode; several products may share one."),
    col("upc1", &["UPC1"], Text, "Second barcode."),
    col("upc2", &["UPC2"], Text, "Third barcode."),
    col("upc3", &["UPC3"], Text, "Fourth barcode."),
    col("is_active", &["IsActive"], Bool, "Inactive products cannot be sold anywhere."),
    col("approved", &["Approved"], Bool, "Shown on the web shop."),
    col("approved_for_pos", &["ApprovedForPOS"], Bool, "Sold at the point of sale."),
    col("approved_for_mobile_store", &["ApprovedForMobileStore"], Bool, "Shown in the mobile shop."),
    col("visible", &["Visible"], Bool, "Visible in the web shop; shops combine it with approved."),
    col("virtual", &["Virtual"], Bool, "A product without a physical article."),
    col("is_variant", &["IsVariant"], Bool, "The product is a variant of parent_sku."),
    col("is_neto_utility", &["IsNetoUtility"], Bool, "A row the platform uses for itself."),
    col("is_gift_voucher", &["IsGiftVoucher"], Bool, "A gift voucher."),
    col("is_inventoried", &["IsInventoried"], Bool, "Stock is kept of it."),
    col("is_bought", &["IsBought"], Bool, "The merchant buys it."),
    col("is_sold", &["IsSold"], Bool, "The merchant sells it."),
    col("is_asset", &["IsAsset"], Bool, "Kept in the books as an asset."),
    col("is_service_item", &["IsServiceItem"], Bool, "A service, not an article."),
    col("editable_kit_bundle", &["EditableKitBundle"], Bool, "The buyer may change the parts of the kit."),
    col("requires_packaging", &["RequiresPackaging"], Bool, "Needs its own packaging."),
    col("serial_tracking", &["SerialTracking"], Bool, "Serial numbers are tracked."),
    col("split_for_warehouse_picking", &["SplitForWarehousePicking"], Bool, "Picked in parts."),
    col("automatic_url", &["AutomaticURL"], Bool, "The page address is made by the platform."),
    col("default_price", &["DefaultPrice"], Decimal, "Selling price; tax_inclusive says whether tax is in it."),
    col("rrp", &["RRP"], Decimal, "Recommended retail price, for display."),
    col("cost_price", &["CostPrice"], Decimal, "Cost."),
    col("default_purchase_price", &["DefaultPurchasePrice"], Decimal, "Usual purchase price."),
    col("promotion_price", &["PromotionPrice"], Decimal, "Price between promotion_start and promotion_expiry."),
    col("promotion_start", &["PromotionStartDateUTC", "PromotionStartDate"], Time, "Start of the promotion, UTC."),
    col("promotion_start_local", &["PromotionStartDateLocal"], LocalTime, "Start of the promotion, the store's clock."),
    col("promotion_expiry", &["PromotionExpiryDateUTC", "PromotionExpiryDate"], Time, "End of the promotion, UTC."),
    col("promotion_expiry_local", &["PromotionExpiryDateLocal"], LocalTime, "End of the promotion, the store's clock."),
    col("promotion_tag", &["PromotionTag"], Text, "Label of the promotion."),
    col("monthly_spend_requirement", &["MonthlySpendRequirement"], Decimal, "Spend a buyer needs a month."),
    col("restricted_to_user_group", &["RestrictedToUserGroup"], Text, "Only this customer group may buy."),
    col("tax_category", &["TaxCategory"], Text, "Tax category."),
    col("tax_free_item", &["TaxFreeItem"], Bool, "No tax on it."),
    col("tax_inclusive", &["TaxInclusive"], Bool, "Prices of this row include tax."),
    col("au_gst_exempt", &["AuGstExempt"], Bool, "Exempt from Australian GST."),
    col("nz_gst_exempt", &["NzGstExempt"], Bool, "Exempt from New Zealand GST."),
    col("purchase_tax_code", &["PurchaseTaxCode"], Text, "Tax code when bought."),
    col("expense_account", &["ExpenseAccount"], Text, "Ledger account: expense."),
    col("cost_of_sales_account", &["CostOfSalesAccount"], Text, "Ledger account: cost of sales."),
    col("income_account", &["IncomeAccount"], Text, "Ledger account: income."),
    col("asset_account", &["AssetAccount"], Text, "Ledger account: asset."),
    col("available_sell_quantity", &["AvailableSellQuantity"], Int, "What can be sold now; negative means oversold."),
    col("committed_quantity", &["CommittedQuantity"], Int, "Promised to open orders."),
    col("pre_order_quantity", &["PreOrderQuantity"], Int, "Available for pre-order."),
    col("date_arrival", &["DateArrival"], Date, "Next arrival, the store's calendar."),
    col("date_arrival_utc", &["DateArrivalUTC"], Date, "Next arrival, UTC calendar."),
    col("buy_unit_quantity", &["BuyUnitQuantity"], Int, "Pieces in a purchase unit."),
    col("sell_unit_quantity", &["SellUnitQuantity"], Int, "Pieces in a selling unit."),
    col("quantity_per_scan", &["QuantityPerScan"], Int, "Pieces a scan counts."),
    col("unit_of_measure", &["UnitOfMeasure"], Text, "Selling unit."),
    col("base_unit_of_measure", &["BaseUnitOfMeasure"], Text, "Base unit."),
    col("base_unit_per_quantity", &["BaseUnitPerQuantity"], Decimal, "Base units in a selling unit."),
    col("restock_qty", &["RestockQty"], Int, "Level to restock to."),
    col("reorder_qty", &["ReorderQty"], Int, "Quantity to reorder."),
    col("restock_warning_level", &["RestockWarningLevel"], Int, "Level that warns."),
    col("pick_priority", &["PickPriority"], Text, "FIFO, FEFO or LIFO."),
    col("pick_zone", &["PickZone"], Text, "Zone of the warehouse."),
    col("item_length", &["ItemLength"], Decimal, "Length of the article, the store's unit (commonly metres)."),
    col("item_width", &["ItemWidth"], Decimal, "Width of the article."),
    col("item_height", &["ItemHeight"], Decimal, "Height of the article."),
    col("shipping_length", &["ShippingLength"], Decimal, "Length of the parcel."),
    col("shipping_width", &["ShippingWidth"], Decimal, "Width of the parcel."),
    col("shipping_height", &["ShippingHeight"], Decimal, "Height of the parcel."),
    col("shipping_weight", &["ShippingWeight"], Decimal, "Weight of the parcel (commonly kilograms)."),
    col("cubic_weight", &["CubicWeight"], Decimal, "Volumetric weight."),
    col("handling_time", &["HandlingTime"], Int, "Days until it ships."),
    col("shipping_category", &["ShippingCategory"], Text, "Shipping category."),
    col("hs_tariff_number", &["HSTariffNumber"], Text, "Customs tariff number."),
    col("origin_country", &["OriginCountry"], Text, "Country of origin."),
    col("sort_order1", &["SortOrder1"], Int, "First sort key."),
    col("sort_order2", &["SortOrder2"], Int, "Second sort key."),
    col("numbers_of_labels_to_print", &["NumbersOfLabelsToPrint"], Int, "Labels to print."),
    col("barcode_height", &["BarcodeHeight"], Int, "Height of the printed barcode."),
    col("when_to_repeat_on_standing_orders", &["WhenToRepeatOnStandingOrders"], Text, "once or always."),
    col("job", &["Job"], Text, "Job code of the accounting system."),
    col("display_template", &["DisplayTemplate"], Text, "Template of the product page."),
    col("image_url", &["ImageURL"], Text, "Address of the main image."),
    col("brochure_url", &["BrochureURL"], Text, "Address of the brochure."),
    col("product_url", &["ProductURL"], Text, "The maker's page."),
    col("item_url", &["ItemURL"], Text, "Path of the product page in the shop."),
    col("custom_content", &["CustomContent"], Text, "Name of a content block on the page."),
    col("custom_non_delivery", &["CustomNonDelivery"], Text, "Where it is not delivered."),
    col("date_added", &["DateAddedUTC", "DateAdded"], Time, "Added to the store, UTC."),
    col("date_added_local", &["DateAddedLocal"], LocalTime, "Added to the store, the store's clock."),
    col("date_created", &["DateCreatedUTC", "DateCreated"], Time, "Row created, UTC."),
    col("date_created_local", &["DateCreatedLocal"], LocalTime, "Row created, the store's clock."),
    col(
        "date_updated",
        &["DateUpdatedUTC", "DateUpdated"],
        Time,
        "Last edit the store reports, UTC; not every stock or price move is one.",
    ),
    col("date_updated_local", &["DateUpdatedLocal"], LocalTime, "Last edit the store reports, the store's clock."),
    col(
        "misc",
        &[],
        Json,
        "The non-empty custom fields, {\"Misc01\": …, \"Misc52\": …}; their meaning is the store's own.",
    ),
    col("extra", &[], Json, "Fields without a column of their own, as sent; nothing is dropped."),
];

/// Columns of `product_texts`: one row a product, apart from `products` so that scans of it stay small.
pub static TEXTS: &[Column] = &[
    col("description", &["Description"], Text, "Long description, HTML."),
    col("short_description", &["ShortDescription"], Text, "Short description."),
    col("features", &["Features"], Text, "Features, HTML."),
    col("specifications", &["Specifications"], Text, "Specifications, HTML."),
    col("warranty", &["Warranty"], Text, "Warranty, HTML."),
    col("terms_and_conditions", &["TermsAndConditions"], Text, "Terms and conditions, HTML."),
    col("ebay_description", &["eBayDescription"], Text, "Description for eBay, HTML."),
    col("artist_or_author", &["ArtistOrAuthor"], Text, "Artist or author."),
    col("format", &["Format"], Text, "Format."),
    col("availability_description", &["AvailabilityDescription"], Text, "Availability in words."),
    col("internal_notes", &["InternalNotes"], Text, "The merchant's own notes."),
    col("search_keywords", &["SearchKeywords"], Text, "Words the shop's search knows."),
    col("seo_page_title", &["SEOPageTitle"], Text, "Title of the page."),
    col("seo_meta_keywords", &["SEOMetaKeywords"], Text, "Meta keywords of the page."),
    col("seo_page_heading", &["SEOPageHeading"], Text, "Heading of the page."),
    col("seo_meta_description", &["SEOMetaDescription"], Text, "Meta description of the page."),
    col("seo_canonical_url", &["SEOCanonicalURL"], Text, "Canonical address of the page."),
];

const EXTRA: Column = col("extra", &[], Json, "Members without a column of their own, as sent.");
const POSITION: Column = col("position", &[], Int, "Place in the store's list, from 0.");

/// The tables with many rows a product. The order is the order of statements in a transaction.
pub static CHILDREN: &[ChildTable] = &[
    ChildTable {
        name: "product_images",
        key: 1,
        doc: "Images; position 0 is the main one.",
        columns: &[
            POSITION,
            col("name", &["Name"], Text, "\"Main\", \"Alt 1\", …"),
            col("url", &["URL"], Text, "Full size."),
            col("thumb_url", &["ThumbURL"], Text, "Thumbnail."),
            col("medium_thumb_url", &["MediumThumbURL"], Text, "Medium thumbnail."),
            col("updated_at", &["Timestamp"], Time, "When the image was last changed, UTC."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_categories",
        key: 1,
        doc: "Categories the product is in.",
        columns: &[
            col("category_id", &["CategoryID"], Int, "The store's id of the category."),
            col("category_name", &["CategoryName"], Text, "Its name."),
            col("priority", &["Priority"], Int, "Order of the product in the category."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_price_groups",
        key: 1,
        doc: "Prices of customer groups; they override default_price.",
        columns: &[
            col("group_id", &["GroupID"], Int, "The store's id of the price group."),
            col("group_name", &["Group"], Text, "Its name."),
            col("price", &["Price"], Decimal, "Price for the group."),
            col("promotion_price", &["PromotionPrice"], Decimal, "Promotion price for the group."),
            col("minimum_quantity", &["MinimumQuantity"], Decimal, "Fewest the group may buy."),
            col("maximum_quantity", &["MaximumQuantity"], Decimal, "Most the group may buy; 0 means no limit."),
            col("multiple", &["Multiple"], Decimal, "Bought in multiples of this."),
            col(
                "multiple_start_quantity",
                &["MultipleStartQuantity"],
                Decimal,
                "Quantity from which the multiple holds.",
            ),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_price_bands",
        key: 2,
        doc: "Quantity bands inside a price group.",
        columns: &[
            col("group_id", &[], Int, "The price group."),
            POSITION,
            col("price", &["Price"], Decimal, "Price in the band."),
            col("minimum_quantity", &["MinimumQuantity"], Decimal, "From this quantity."),
            col("maximum_quantity", &["MaximumQuantity"], Decimal, "To this quantity; 0 means no upper bound."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_stock",
        key: 1,
        doc: "Stock in each warehouse.",
        columns: &[
            col("warehouse_id", &["WarehouseID"], Int, "The store's id of the warehouse."),
            col("quantity", &["Quantity"], Decimal, "Quantity there; negative means oversold."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_specifics",
        key: 1,
        doc: "Item specifics: the attributes of a product, and of a variant.",
        columns: &[
            POSITION,
            col("name", &["Name"], Text, "Name of the attribute; may repeat."),
            col("value", &["Value"], Text, "Its value."),
            col("sort_order", &["SortOrder"], Int, "Sort key the store gives, if any."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_kit_components",
        key: 1,
        doc: "Parts of a kit.",
        columns: &[
            POSITION,
            col("component_sku", &["ComponentSKU"], Text, "SKU of the part."),
            col("component_value", &["ComponentValue"], Text, "The choice the part stands for."),
            col("assemble_quantity", &["AssembleQuantity"], Decimal, "Pieces of the part in one kit."),
            col("minimum_quantity", &["MinimumQuantity"], Decimal, "Fewest the buyer may choose."),
            col("maximum_quantity", &["MaximumQuantity"], Decimal, "Most the buyer may choose."),
            col("sort_order", &["SortOrder"], Int, "Sort key the store gives."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_relations",
        key: 2,
        doc: "Links to other products and to content.",
        columns: &[
            col("kind", &[], Text, "cross_sell, upsell, free_gift, variant or related_content."),
            POSITION,
            col("sku", &["SKU"], Text, "The other product (cross_sell, upsell, free_gift)."),
            col("related_id", &["ContentID"], Int, "The variant's inventory_id, or the content's id."),
            col("content_name", &["ContentName"], Text, "Name of the content."),
            col("content_type_id", &["ContentTypeID"], Int, "Type of the content."),
            col("content_type_name", &["ContentTypeName"], Text, "Name of that type."),
            col("priority", &["Priority"], Int, "Order the store gives the content."),
            EXTRA,
        ],
    },
    ChildTable {
        name: "product_sales_channels",
        key: 1,
        doc: "Sales channels and whether the product is approved there.",
        columns: &[
            col("sales_channel_id", &["SalesChannelID"], Int, "The store's id of the channel."),
            col("name", &["SalesChannelName"], Text, "Its name."),
            col("is_approved", &["IsApproved"], Bool, "Approved for the channel."),
            EXTRA,
        ],
    },
];

/// Place of a child table in [`CHILDREN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// `product_images`.
    Images,
    /// `product_categories`.
    Categories,
    /// `product_price_groups`.
    PriceGroups,
    /// `product_price_bands`.
    PriceBands,
    /// `product_stock`.
    Stock,
    /// `product_specifics`.
    Specifics,
    /// `product_kit_components`.
    KitComponents,
    /// `product_relations`.
    Relations,
    /// `product_sales_channels`.
    SalesChannels,
}

/// How many child tables there are.
pub const CHILD_TABLES: usize = 9;

impl Child {
    /// The table.
    #[must_use]
    pub fn table(self) -> &'static ChildTable {
        &CHILDREN[self as usize]
    }
}
