//! netosync keeps an exact, queryable copy of many webstores' product catalogues in your own database.
//!
//! The stages, in the order in which data passes through them; a file knows the stage after it, never the one before:
//!
//! ```text
//! cli ─► storage::runs ─► sync (claim, lease) ─► transport ─► connector (decode, normalise) ─► storage::products ─► outcome
//! ```

pub mod clock;
pub mod config;
pub mod domain;
pub mod storage;
pub mod telemetry;
pub mod transport;
