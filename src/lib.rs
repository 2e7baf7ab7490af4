//! netosync keeps an exact, queryable copy of many webstores' product catalogues in your own database.
//!
//! The stages, in the order in which data passes through them; a file knows the stage after it, never the one before:
//!
//! ```text
//! scheduler ─┐
//! cli ───────┴─► storage::runs ─► worker ─► sync (claim, lease) ─► transport ─► connector (decode, normalise) ─► storage::products ─► outcome
//! ```
//!
//! Beside them: [`tokens`] gets and renews what expires (between storage and sync), [`connect`] brings stores in by a merchant's consent
//! and [`import`] by a database of one's own; both write through [`storage`], for [`cli`] and [`http`] to call.

pub mod cli;
pub mod clock;
pub mod config;
pub mod connect;
pub mod connector;
pub mod domain;
#[allow(dead_code, reason = "the set-based write path goes around most models; a test holds them to the tables")]
mod entity;
pub mod http;
pub mod import;
pub mod metrics;
pub mod notify;
pub mod scheduler;
pub mod simulator;
pub mod storage;
pub mod sync;
pub mod telemetry;
pub mod tokens;
pub mod transport;
pub mod worker;
