//! The removal guard: how many products one run may mark removed without anybody being asked (design §2, promise 3).

use super::digest::IdDigest;

/// So many products may always be removed: a small store that drops a handful is no accident.
pub const FEW: u64 = 10;

/// Products that the store does not list any more.
#[derive(Clone, Copy, Debug)]
pub struct Missing {
    /// How many there are.
    pub products: u64,
    /// Which ones.
    pub digest: IdDigest,
}

/// What the guard goes by besides their number.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// How many products are held, the missing ones included.
    pub held: u64,
    /// `removal.max_share`.
    pub max_share: f64,
    /// A person has approved all removals of this run.
    pub approved: bool,
    /// What the guard held back in an earlier sweep, if it did.
    pub held_back: Option<IdDigest>,
}

impl Guard {
    /// How many products may be removed without being asked.
    #[must_use]
    pub fn allowed(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count, rounded down")]
        let share = (self.max_share * self.held as f64) as u64;
        share.max(FEW)
    }

    /// Whether they may be removed, once each has been asked for by its ID: few enough, approved, or missing in the same way
    /// in two sweeps.
    #[must_use]
    pub fn lets_pass(&self, missing: &Missing) -> bool {
        missing.products <= self.allowed() || self.approved || self.held_back == Some(missing.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_the_guard() {
        let digest = |id: i64| [id].into_iter().collect::<IdDigest>();
        let plain = Guard { held: 1000, max_share: 0.05, approved: false, held_back: None };
        let small = Guard { held: 12, ..plain };
        for (guard, products, passes) in [
            (plain, 0, true),
            (plain, 50, true),
            (plain, 51, false),
            (Guard { approved: true, ..plain }, 1000, true),
            (Guard { held_back: Some(digest(1)), ..plain }, 1000, true),
            (Guard { held_back: Some(digest(2)), ..plain }, 1000, false),
            (small, 10, true),
            (small, 11, false),
            (Guard { max_share: 0.0, ..plain }, 11, false),
            (Guard { max_share: 1.0, ..plain }, 1000, true),
        ] {
            let missing = Missing { products, digest: digest(1) };
            assert_eq!(guard.lets_pass(&missing), passes, "{guard:?} {products}");
        }
    }
}
