//! Where each field of a record goes, found by its name in any letter case (spec: Neto API §5, quirk 9).

use std::borrow::Cow;
use std::sync::LazyLock;

use super::collection::{COLLECTIONS, Collection};
use crate::domain::catalogue::{Column, PRODUCT, TEXTS};
use crate::domain::json::Node;

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

/// The key's names.
const IDS: [&str; 2] = ["InventoryID", "ID"];

/// Finds what `name` is; `None` for a field no documentation names.
pub fn target(name: &str) -> Option<Target> {
    static TARGETS: LazyLock<Names> = LazyLock::new(targets);
    TARGETS.get(name)
}

/// Whether `name` is one of the key's names.
pub fn is_id(name: Node<'_, '_>) -> bool {
    IDS.iter().any(|id| name.is(id))
}

/// The custom field's own spelling, `Misc07`, for a name in any case.
pub fn misc_name(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.starts_with("Misc") { name } else { Cow::Owned(format!("Misc{}", &name[4..])) }
}

/// Names in any letter case and what they are. A page asks a hundred times a record, so it is a small open table whose hash looks at
/// three words at the most, and not `std`'s, which is safe against strangers choosing the keys.
struct Names {
    /// A power of two, more than twice as many as there are names.
    slots: Vec<Option<(Box<str>, Target)>>,
}

impl Names {
    fn new(names: usize) -> Self {
        Self { slots: (0..(names * 4).next_power_of_two()).map(|_| None).collect() }
    }

    fn put(&mut self, name: &str, target: Target) {
        let place = self.place(name);
        self.slots[place] = Some((name.into(), target));
    }

    fn get(&self, name: &str) -> Option<Target> {
        self.slots[self.place(name)].as_ref().map(|(_, target)| *target)
    }

    /// Where a name is, or would be put.
    fn place(&self, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = hash(name.as_bytes()) & mask;
        while let Some((known, _)) = &self.slots[place]
            && **known != *name
            && !known.eq_ignore_ascii_case(name)
        {
            place = (place + 1) & mask;
        }
        place
    }
}

/// The same for a name in every letter case: of its length, its first, its middle and its last eight bytes.
fn hash(name: &[u8]) -> usize {
    const LOWER: u64 = u64::from_ne_bytes([0x20; 8]);
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().expect("eight bytes")) | LOWER;
    let words = if name.len() < 8 {
        let mut padded = [0; 8];
        padded[..name.len()].copy_from_slice(name);
        [word(&padded), 0, 0]
    } else {
        let middle = name.len() / 2 - 4;
        [word(name), word(&name[middle..]), word(&name[name.len() - 8..])]
    };
    let mixed = words.into_iter().fold(name.len() as u64, |hash, word| (hash ^ word).wrapping_mul(MIX).rotate_left(29));
    (mixed >> 32) as usize
}

fn targets() -> Names {
    let slots = |columns: &'static [Column]| {
        columns.iter().enumerate().flat_map(|(index, column)| {
            column.api.iter().enumerate().map(move |(rank, name)| (*name, Slot { index, rank }))
        })
    };
    let misc: Vec<_> = (1..=52).map(|number| format!("Misc{number:02}")).collect();
    let untabled = ["WarehouseLocations", "eBayItems", "eBayActiveItems", "eBayProductIDs"];
    let all: Vec<(&str, Target)> = slots(PRODUCT)
        .map(|(name, slot)| (name, Target::Product(slot)))
        .chain(slots(TEXTS).map(|(name, slot)| (name, Target::Text(slot))))
        .chain(misc.iter().map(|name| (name.as_str(), Target::Misc)))
        .chain(COLLECTIONS.iter().map(|collection| (collection.field, Target::Collection(collection))))
        .chain(untabled.map(|name| (name, Target::UntabledList)))
        .chain(IDS.map(|name| (name, Target::Id)))
        .collect();
    let mut names = Names::new(all.len());
    for (name, target) in all {
        names.put(name, target);
    }
    names
}
