//! What a sweep finds out about a product and leaves to be dealt with.

use super::text_enum::text_enum;

text_enum! {
    /// What is to be done about a product.
    FindingKind {
        /// It is new or was edited: fetch it.
        Look = "look",
        /// The list did not have it: ask for it by its ID.
        Missing = "missing",
        /// Asked for by its ID, the store did not have it either.
        Gone = "gone",
    }
}

/// A product to be dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The product.
    pub inventory_id: i64,
    /// What is to be done.
    pub kind: FindingKind,
}

/// How many products of a run wait to be dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// To be fetched.
    pub look: u64,
    /// To be asked for by ID.
    pub missing: u64,
    /// To be asked for once more.
    pub gone: u64,
}
