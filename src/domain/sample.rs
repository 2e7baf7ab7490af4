//! A random sample of products that nobody has to remember: whether a product is in it is told from its ID.
//!
//! Every ID has a hash that hangs on the seed; the sample are the products with the smallest ones. So every product is as
//! likely to be in it as any other, the same seed draws the same sample from the same products on every engine, and all that
//! is kept of it is the largest of those hashes.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Draws a sample of a size from products that are shown one after the other.
#[derive(Debug)]
pub struct Draw {
    seed: u32,
    size: Option<u32>,
    smallest: BinaryHeap<u64>,
    shown: u64,
}

/// A sample that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// What it was drawn with.
    pub seed: u32,
    /// Products with hashes up to this one are in it; `None` = there was nothing to draw from.
    upto: Option<u64>,
    /// From how many products it was drawn.
    pub among: u64,
}

impl Draw {
    /// Draws `size` products (all, if there are no more than that, or it is `None`).
    #[must_use]
    pub fn new(seed: u32, size: Option<u32>) -> Self {
        Self { seed, size, smallest: BinaryHeap::new(), shown: 0 }
    }

    /// Shows the draw a product.
    pub fn show(&mut self, inventory_id: i64) {
        self.shown += 1;
        let Some(size) = self.size else { return };
        self.smallest.push(hash(self.seed, inventory_id));
        if self.smallest.len() > size as usize {
            self.smallest.pop();
        }
    }

    /// The sample of what was shown.
    #[must_use]
    pub fn sample(self) -> Sample {
        let upto = match self.size {
            None => Some(u64::MAX),
            Some(_) => self.smallest.peek().copied(),
        };
        Sample { seed: self.seed, upto, among: self.shown }
    }
}

impl Sample {
    /// Whether a product is in it.
    #[must_use]
    pub fn has(&self, inventory_id: i64) -> bool {
        self.upto.is_some_and(|upto| hash(self.seed, inventory_id) <= upto)
    }
}

fn hash(seed: u32, inventory_id: i64) -> u64 {
    xxh3_64_with_seed(&inventory_id.to_le_bytes(), seed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u32, size: Option<u32>, ids: impl Iterator<Item = i64> + Clone) -> Vec<i64> {
        let mut draw = Draw::new(seed, size);
        ids.clone().for_each(|id| draw.show(id));
        let sample = draw.sample();
        ids.filter(|id| sample.has(*id)).collect()
    }

    #[test]
    fn a_sample_has_its_size_and_the_same_seed_draws_the_same_one() {
        assert_eq!(drawn(1, Some(40), 1..1000).len(), 40);
        assert_eq!(drawn(1, Some(40), 1..1000), drawn(1, Some(40), 1..1000));
        assert_ne!(drawn(1, Some(40), 1..1000), drawn(2, Some(40), 1..1000));
        assert_eq!(drawn(1, Some(40), 1..10).len(), 9);
        assert_eq!(drawn(1, None, 1..1000).len(), 999);
        assert_eq!((drawn(1, Some(40), 1..1), drawn(1, None, 1..1)), (vec![], vec![]));
    }

    #[test]
    fn every_product_is_as_likely_to_be_drawn_as_any_other() {
        let mut times = [0_u32; 50];
        for seed in 0..2000 {
            for id in drawn(seed, Some(10), 0..50) {
                times[usize::try_from(id).expect("small")] += 1;
            }
        }
        // 400 times each on average, with a standard deviation of 18.
        assert!(times.iter().all(|times| (310..490).contains(times)), "{times:?}");
    }
}
