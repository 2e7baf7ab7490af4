//! A digest of a set of product IDs: the same for the same products, in whatever order and on however many pages they came.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The sum of the hashes of the IDs, so that pages can be added one after the other and a run can be interrupted in between.
/// It guards against accident, not malice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdDigest(u128);

impl IdDigest {
    /// Adds a product that was not added before.
    pub fn add(&mut self, inventory_id: i64) {
        self.0 = self.0.wrapping_add(xxh3_128(&inventory_id.to_le_bytes()));
    }

    /// Adds a record that was not added before.
    pub fn add_record(&mut self, stream: &str, key: &str) {
        self.0 = self.0.wrapping_add(xxh3_128(format!("{stream}\0{key}").as_bytes()));
    }

    /// Adds what is in another.
    pub fn add_all(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Extend<i64> for IdDigest {
    fn extend<T: IntoIterator<Item = i64>>(&mut self, ids: T) {
        ids.into_iter().for_each(|id| self.add(id));
    }
}

impl FromIterator<i64> for IdDigest {
    fn from_iter<T: IntoIterator<Item = i64>>(ids: T) -> Self {
        let mut digest = Self::default();
        digest.extend(ids);
        digest
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for IdDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for IdDigest {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl TryFrom<String> for IdDigest {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<IdDigest> for String {
    fn from(digest: IdDigest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_every_product_does() {
        let digest: IdDigest = [1, 2, 3].into_iter().collect();
        assert_eq!(digest, [3, 1, 2].into_iter().collect());
        assert_ne!(digest, [1, 2].into_iter().collect());
        assert_ne!(digest, [1, 2, 4].into_iter().collect());
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(serde_json::to_string(&IdDigest::default()).expect("text"), format!("\"{:032}\"", 0));
    }
}
