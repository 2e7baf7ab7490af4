//! Where each field of a record goes, found by its name in any letter case (spec: Neto API §5, quirk 9).

use std::collections::HashMap;
use std::sync::OnceLock;

use super::collection::{COLLECTIONS, Collection};
use crate::domain::catalogue::{Column, PRODUCT, TEXTS};

/// What a field of a record is.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// `InventoryID` or `ID`: the key.
    Id,
    /// A column of `products`.
    Product(Slot),
    /// A column of `product_texts`.
    Text(Slot),
    /// `Misc01` … `Misc52`.
    Misc,
    /// A list that has a table of its own.
    Collection(&'static Collection),
    /// A documented list without a table: kept in `extra` unless it is empty.
    UntabledList,
}

/// A column and how good this spelling of its name is.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Place in the list of columns.
    pub index: usize,
    /// Place among the column's API fields; 0 is the preferred one.
    pub rank: usize,
}

/// The longest name we know is `WhenToRepeatOnStandingOrders`; longer ones are unknown.
const LONGEST_NAME: usize = 64;

/// Finds what `name` is; `None` for a field no documentation names.
pub fn target(name: &str) -> Option<Target> {
    let mut buffer = [0; LONGEST_NAME];
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    targets().get(&*lower).copied()
}

/// The custom field's own spelling, `Misc07`, for a name in any case.
pub fn misc_name(name: &str) -> String {
    format!("Misc{}", &name[4..])
}

fn targets() -> &'static HashMap<Box<[u8]>, Target> {
    static TARGETS: OnceLock<HashMap<Box<[u8]>, Target>> = OnceLock::new();
    TARGETS.get_or_init(|| {
        let mut targets = HashMap::new();
        let mut put = |name: &str, target| {
            targets.insert(name.to_ascii_lowercase().into_bytes().into_boxed_slice(), target);
        };
        let slots = |columns: &'static [Column]| {
            columns.iter().enumerate().flat_map(|(index, column)| {
                column.api.iter().enumerate().map(move |(rank, name)| (*name, Slot { index, rank }))
            })
        };
        slots(PRODUCT).for_each(|(name, slot)| put(name, Target::Product(slot)));
        slots(TEXTS).for_each(|(name, slot)| put(name, Target::Text(slot)));
        for number in 1..=52 {
            put(&format!("Misc{number:02}"), Target::Misc);
        }
        for collection in COLLECTIONS {
            put(collection.field, Target::Collection(collection));
        }
        for name in ["WarehouseLocations", "eBayItems", "eBayActiveItems", "eBayProductIDs"] {
            put(name, Target::UntabledList);
        }
        put("InventoryID", Target::Id);
        put("ID", Target::Id);
        targets
    })
}
