//! The products of a simulated store and what a merchant does to them.
//!
//! A product is made from the seed when it is looked at; only those that were edited or added are kept in full.

use chrono::{DateTime, SubsecRound, Utc};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::generate::{self, Recipe};
use super::plan::{Planner, Role};
use super::product::SimProduct;
use super::value::SimValue;

/// What the catalogue keeps of each product.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    role: Role,
    /// Whole seconds, like the answers: filters compare with what the client can see.
    pub(super) updated: DateTime<Utc>,
    pub(super) active: bool,
    /// Grows with every change, stock moves included.
    pub(super) revision: u32,
    edited: Option<Box<SimProduct>>,
}

/// The products of a simulated store. Every change takes the time at which it happens.
#[derive(Debug)]
pub struct Catalogue {
    seed: u64,
    unknowns: bool,
    /// Ascending by id.
    entries: Vec<Entry>,
    planner: Planner,
    rng: SmallRng,
    version: u64,
}

impl Catalogue {
    /// `products` products out of `seed`. With `unknowns` some carry fields that no documentation knows.
    #[must_use]
    pub fn new(products: usize, seed: u64, unknowns: bool) -> Self {
        let mut planner = Planner::new(seed);
        let entries = planner.plan(products).into_iter().map(|(id, role)| Entry::new(seed, id, role)).collect();
        Self { seed, unknowns, entries, planner, rng: SmallRng::seed_from_u64(!seed), version: 0 }
    }

    /// How many products there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys, ascending.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries.iter().map(|entry| entry.id)
    }

    /// The truth about one product.
    #[must_use]
    pub fn product(&self, id: i64) -> Option<SimProduct> {
        self.entry(id).map(|entry| self.make(entry))
    }

    /// The truth about all products, by ascending key, made one at a time.
    pub fn products(&self) -> impl Iterator<Item = SimProduct> + '_ {
        self.entries.iter().map(|entry| self.make(entry))
    }

    /// Changes a product in any way and moves its DateUpdated. `false` when there is no such product.
    pub fn change(&mut self, id: i64, now: DateTime<Utc>, change: impl FnOnce(&mut SimProduct)) -> bool {
        self.alter(id, |product| {
            change(product);
            product.set_time("DateUpdated", now);
        })
    }

    /// Sets another selling price.
    pub fn edit_price(&mut self, id: i64, now: DateTime<Utc>) -> bool {
        let cents = self.rng.random_range(100..50_000);
        self.change(id, now, |product| {
            let other = SimValue::cents(cents);
            // The same price again would be no change, and a test would wait for one.
            let price = if *product.get("DefaultPrice") == other { SimValue::cents(cents + 1) } else { other };
            product.set("DefaultPrice", price);
        })
    }

    /// Gives the product another name.
    pub fn rename(&mut self, id: i64, name: &str, now: DateTime<Utc>) -> bool {
        self.change(id, now, |product| product.set("Name", SimValue::text(name)))
    }

    /// Makes the product active or inactive.
    pub fn set_active(&mut self, id: i64, active: bool, now: DateTime<Utc>) -> bool {
        self.change(id, now, |product| product.set("IsActive", SimValue::Bool(active)))
    }

    /// Sells one piece (or, of an oversold product, takes one back). Leaves DateUpdated alone, as spec §8
    /// warns that stores do: only a sweep can see it.
    pub fn move_stock(&mut self, id: i64) -> bool {
        self.alter(id, |product| {
            let available = product.get("AvailableSellQuantity").as_int().unwrap_or(0);
            let step = if available < 0 { 1 } else { -1 };
            product.set("AvailableSellQuantity", SimValue::Int(available + step));
            if let Some(main) = product.stock.first_mut() {
                let there = main.get("Quantity").as_int().unwrap_or(0);
                main.set("Quantity", SimValue::Int(there + step));
            }
        })
    }

    /// Edits `count` different products, chosen at random, in different ways; returns their keys, ascending.
    pub fn edit_random(&mut self, count: usize, now: DateTime<Utc>) -> Vec<i64> {
        let ids: Vec<i64> = self.ids().collect();
        let mut chosen: Vec<i64> = ids.choose_multiple(&mut self.rng, count).copied().collect();
        chosen.sort_unstable();
        for &id in &chosen {
            match self.rng.random_range(0..4) {
                0 | 1 => self.edit_price(id, now),
                2 => {
                    let name = format!("Reworked n° {}", self.version);
                    self.rename(id, &name, now)
                }
                _ => {
                    let note = format!("<p>Édition {} &amp; last.</p>", self.version);
                    self.change(id, now, |product| product.set("Description", SimValue::Text(note)))
                }
            };
        }
        chosen
    }

    /// Removes a product for good. `false` when there is none.
    pub fn delete(&mut self, id: i64) -> bool {
        let Ok(place) = self.place(id) else { return false };
        self.entries.remove(place);
        self.version += 1;
        true
    }

    /// Adds `count` products with higher keys than all others ever had; returns their keys.
    pub fn add(&mut self, count: usize, now: DateTime<Utc>) -> Vec<i64> {
        let planned = self.planner.plan(count);
        let ids = planned.iter().map(|(id, _)| *id).collect();
        for (id, role) in planned {
            self.entries.push(Entry::new(self.seed, id, role));
            self.alter(id, |product| {
                for name in ["DateAdded", "DateCreated", "DateUpdated"] {
                    product.set_time(name, now);
                }
            });
        }
        ids
    }

    /// Grows with every change of the catalogue.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, id: i64) -> Option<&Entry> {
        self.place(id).ok().map(|place| &self.entries[place])
    }

    /// The product of an entry of this catalogue.
    pub(super) fn make(&self, entry: &Entry) -> SimProduct {
        entry.edited.as_deref().cloned().unwrap_or_else(|| {
            let Entry { id, role, updated, .. } = entry;
            generate::product(&Recipe { seed: self.seed, id: *id, role, updated: *updated, unknowns: self.unknowns })
        })
    }

    /// The SKU of an entry, without making the whole product.
    pub(super) fn sku(&self, entry: &Entry) -> String {
        match &entry.edited {
            Some(product) => product.sku().to_owned(),
            None => generate::sku(self.seed, entry.id, &entry.role),
        }
    }

    fn place(&self, id: i64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&id, |entry| entry.id)
    }

    fn alter(&mut self, id: i64, change: impl FnOnce(&mut SimProduct)) -> bool {
        let Ok(place) = self.place(id) else { return false };
        let mut product = self.make(&self.entries[place]);
        change(&mut product);
        let entry = &mut self.entries[place];
        if let SimValue::Time(updated) = product.get("DateUpdated") {
            entry.updated = *updated;
        }
        entry.active = product.is_active();
        entry.revision += 1;
        entry.edited = Some(Box::new(product));
        self.version += 1;
        true
    }
}

impl Entry {
    fn new(seed: u64, id: i64, role: Role) -> Self {
        let updated = generate::first_updated(seed, id).trunc_subsecs(0);
        Self { id, role, updated, active: generate::first_active(seed, id), revision: 0, edited: None }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn noon() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 4, 3, 12, 0, 0).unwrap()
    }

    #[test]
    fn an_edit_moves_the_date_and_a_stock_move_does_not() {
        let mut catalogue = Catalogue::new(50, 1, false);
        let id = catalogue.ids().nth(7).unwrap();
        let before = catalogue.product(id).unwrap();
        assert!(catalogue.move_stock(id));
        let moved = catalogue.product(id).unwrap();
        assert_ne!(before.get("AvailableSellQuantity"), moved.get("AvailableSellQuantity"));
        assert_eq!(before.get("DateUpdatedUTC"), moved.get("DateUpdatedUTC"));
        assert!(catalogue.edit_price(id, noon()));
        let edited = catalogue.product(id).unwrap();
        assert_ne!(moved.get("DefaultPrice"), edited.get("DefaultPrice"));
        assert_eq!(edited.get("DateUpdatedUTC"), &SimValue::Time(noon()));
        assert_eq!(edited.get("DateUpdatedLocal"), &SimValue::LocalTime("2026-04-03T22:00:00".parse().unwrap()));
    }

    #[test]
    fn added_products_get_new_keys_even_after_the_last_was_deleted() {
        let mut catalogue = Catalogue::new(10, 1, false);
        let last = catalogue.ids().last().unwrap();
        assert!(catalogue.delete(last));
        assert!(!catalogue.delete(last));
        let added = catalogue.add(5, noon());
        assert_eq!((added.len(), catalogue.len()), (5, 14));
        assert!(added.iter().all(|id| *id > last));
        assert_eq!(catalogue.product(added[0]).unwrap().get("DateAddedUTC"), &SimValue::Time(noon()));
    }

    #[test]
    fn random_edits_touch_as_many_products_as_asked() {
        let mut catalogue = Catalogue::new(100, 1, false);
        let before: Vec<_> = catalogue.products().collect();
        let edited = catalogue.edit_random(12, noon());
        let different = before.iter().zip(catalogue.products()).filter(|(old, new)| *old != new);
        assert_eq!(different.map(|(old, _)| old.inventory_id).collect::<Vec<_>>(), edited);
        assert_eq!(edited.len(), 12);
    }

    #[test]
    fn skus_are_unique_and_known_without_making_the_product() {
        let catalogue = Catalogue::new(2000, 5, false);
        let mut skus: Vec<String> = catalogue.entries().iter().map(|entry| catalogue.sku(entry)).collect();
        assert!(catalogue.products().zip(&skus).all(|(product, sku)| product.sku() == sku));
        skus.sort();
        skus.dedup();
        assert_eq!(skus.len(), 2000);
    }
}
