"""What all peers share: the request for a page of a store, and the fields they ask for.

Less than netosync asks for (it takes every documented field, 130 columns and 12 lists): the scalars most integrations want and five
lists, so that the comparison is in favour of the peers.
"""

import os

URL = os.environ.get("STORE_URL", "http://127.0.0.1:8787") + "/do/WS/NetoAPI"
HEADERS = {
    "NETOAPI_ACTION": "GetItem",
    "NETOAPI_KEY": os.environ.get("STORE_KEY", "simulated-key"),
    "Accept": "application/json",
    "Content-Type": "application/json",
}
LIMIT = 100

SCALARS = """
    InventoryID SKU ParentSKU AccountingCode IsActive Approved Visible Virtual IsVariant Brand Name Model Subtitle Type SubType
    Group DefaultPrice RRP CostPrice PromotionPrice DefaultPurchasePrice TaxInclusive TaxFreeItem AvailableSellQuantity
    CommittedQuantity PreOrderQuantity BuyUnitQuantity SellUnitQuantity UPC HandlingTime ShippingHeight ShippingLength ShippingWidth
    ShippingWeight ItemHeight ItemLength ItemWidth CubicWeight Description ShortDescription Features Specifications Warranty
    SEOPageTitle SEOPageHeading SEOMetaKeywords SEOMetaDescription SearchKeywords ItemURL PrimarySupplier SupplierItemCode
    SortOrder1 SortOrder2 DateAddedUTC DateUpdatedUTC DateArrivalUTC PromotionStartDateUTC PromotionExpiryDateUTC
""".split()
LISTS = ["Images", "Categories", "PriceGroups", "WarehouseQuantity", "ItemSpecifics"]
# The list's one member, by which some are wrapped.
MEMBERS = {"Categories": "Category", "PriceGroups": "PriceGroup", "ItemSpecifics": "ItemSpecific"}


def body(page):
    """The request for a page, counted from 0."""
    return {"Filter": {"Page": page, "Limit": LIMIT, "OrderBy": "ID", "OutputSelector": SCALARS + LISTS}}


def members(name, value):
    """The rows of a list, in any of the shapes the API gives it."""
    if not value:
        return []
    if isinstance(value, dict):
        value = [value]
    wrapper = MEMBERS.get(name)
    rows = []
    for one in value:
        inner = one.get(wrapper, one) if wrapper and isinstance(one, dict) else one
        rows.extend(inner if isinstance(inner, list) else [inner])
    return [row for row in rows if isinstance(row, dict)]


def flat(item):
    """A product with plain lists, as a tool with a schema wants it."""
    return {name: item.get(name) for name in SCALARS} | {name: members(name, item.get(name)) for name in LISTS}
