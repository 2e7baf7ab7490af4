//! Which products a catalogue has and what each one is: ascending keys with gaps, families of variants, kits.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// What a product is in its catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A product by itself.
    Simple,
    /// The parent of the products with the next `variants` keys.
    Parent { variants: u8 },
    /// Variant number `number` (from 1) of `parent`.
    Variant { parent: i64, number: u8 },
    /// A kit of simple products.
    Kit { parts: Box<[i64]> },
}

/// Deals out keys and roles.
#[derive(Debug)]
pub(super) struct Planner {
    rng: SmallRng,
    next_id: i64,
    /// The last few simple products: what a kit is made of.
    recent: Vec<i64>,
}

impl Planner {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: SmallRng::seed_from_u64(seed), next_id: 48_000, recent: Vec::new() }
    }

    /// Plans exactly `count` more products.
    pub(super) fn plan(&mut self, count: usize) -> Vec<(i64, Role)> {
        let mut planned = Vec::with_capacity(count);
        while planned.len() < count {
            let left = count - planned.len();
            self.next_id += self.rng.random_range(1..=4);
            let id = self.next_id;
            match self.rng.random_range(0..100) {
                0..6 if left > 2 => {
                    let most = u8::try_from(left - 1).map_or(8, |left| left.min(8));
                    let variants = self.rng.random_range(2..=most);
                    planned.push((id, Role::Parent { variants }));
                    planned
                        .extend((1..=variants).map(|n| (id + i64::from(n), Role::Variant { parent: id, number: n })));
                    self.next_id += i64::from(variants);
                }
                6..11 if self.recent.len() >= 3 => {
                    let parts = self.recent.iter().take(self.rng.random_range(2..=3)).copied().collect();
                    planned.push((id, Role::Kit { parts }));
                }
                _ => {
                    planned.push((id, Role::Simple));
                    self.recent.insert(0, id);
                    self.recent.truncate(8);
                }
            }
        }
        planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_exactly_the_asked_number_of_products_with_ascending_keys_and_gaps() {
        for count in [0, 1, 2, 3, 50, 1000] {
            let plan = Planner::new(7).plan(count);
            assert_eq!(plan.len(), count);
            assert!(plan.windows(2).all(|pair| pair[0].0 < pair[1].0));
            if count == 1000 {
                assert!(plan.windows(2).any(|pair| pair[0].0 + 1 < pair[1].0), "no gaps");
            }
        }
    }

    #[test]
    fn every_variant_has_its_parent_and_every_part_is_a_product() {
        let plan = Planner::new(3).plan(2000);
        let find = |id: i64| plan.iter().find(|(key, _)| *key == id).map(|(_, role)| role);
        let mut kits = 0;
        for (id, role) in &plan {
            match role {
                Role::Variant { parent, number } => {
                    assert!(matches!(find(*parent), Some(Role::Parent { variants }) if number <= variants), "{id}");
                }
                Role::Kit { parts } => {
                    kits += 1;
                    assert!(parts.iter().all(|part| find(*part) == Some(&Role::Simple)));
                }
                Role::Simple | Role::Parent { .. } => {}
            }
        }
        assert!(kits > 20);
    }
}
