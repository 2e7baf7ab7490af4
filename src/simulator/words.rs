//! The invented vocabulary of the simulated shop. No real brand, product or person is in it.

/// Brands, one with a raw ampersand, one with an entity as merchants paste them, some beyond ASCII.
pub(super) static BRANDS: &[&str] =
    &["Harbour & Fern", "Copper Wren", "Maré Studio", "Tallow &amp; Tin", "Nordglød", "Quiet Kettle", "Øvn", "銀の匙"];

/// First words of names.
pub(super) static STYLES: &[&str] = &[
    "Enamelled",
    "Stoneware",
    "Copper",
    "Beechwood",
    "Cast Iron",
    "Linen",
    "Borosilicate",
    "Brushed Steel",
    "Bamboo",
    "Marbled",
    "Hammered",
    "Speckled",
];

/// Things, with the product type and the category they belong to.
pub(super) static THINGS: &[(&str, &str, i64)] = &[
    ("Stovetop Kettle", "Kettles", 104),
    ("Crème Brûlée Set", "Bakeware", 121),
    ("Saucepan 1.8 L", "Cookware", 110),
    ("Chef's Knife 20 cm", "Knives", 133),
    ("Apron", "Textiles", 147),
    ("Pour-over Dripper", "Coffee", 152),
    ("Mortar & Pestle", "Preparation", 160),
    ("Baking Tray 12\"", "Bakeware", 121),
    ("Tea Towel", "Textiles", 147),
    ("Spice Grinder", "Preparation", 160),
    ("Tagine", "Cookware", 110),
    ("Egg Timer 🍳", "Gadgets", 171),
];

/// Colours, the attribute of variants and specifics.
pub(super) static COLOURS: &[&str] = &["Sage", "Clay", "Ink", "Oat", "Rosé", "Slate", "Ochre", "Moss"];

/// Sizes of variants.
pub(super) static SIZES: &[&str] = &["S", "M", "L", "XL", "XXL", "1.7 L", "2.5 L", "20 cm"];

/// Countries of origin.
pub(super) static COUNTRIES: &[&str] = &["PT", "LT", "JP", "AU", "DK", "IN"];

/// Suppliers' codes.
pub(super) static SUPPLIERS: &[&str] = &["MARE", "NORD-01", "WREN", "T&T"];

/// Sentences of which descriptions are made; HTML, entities, quotes, line ends and non-ASCII text on purpose.
pub(super) static SENTENCES: &[&str] = &[
    "<p>Works on gas &amp; induction, and in the oven up to 220&nbsp;°C.</p>",
    "<p>Hand-finished in small batches; no two pieces are the same.</p>",
    "<ul>\r\n<li>Beech handle</li>\r\n<li>Two-tone whistle</li>\r\n</ul>",
    "<p style=\"color:#333\">“Naïve” glaze – it crazes with age.</p>",
    "<p>Dishwasher safe. Don&#39;t use metal utensils.</p>",
    "<table><tr><td>Capacity</td><td>1.7 L</td></tr><tr><td>Weight</td><td>1.35 kg</td></tr></table>",
    "<p>Wash before first use;\tdry at once.\nRe-season \\ oil when dull.</p>",
    "<p>日本製の道具からヒントを得ました。</p>",
];
