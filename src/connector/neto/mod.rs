//! Neto (Maropost Commerce Cloud): `GetItem` requests, answers and records. No I/O.
//!
//! ```text
//! request ─► (transport) ─► answer ─► Page ─► record ─► Product
//! ```

mod answer;
mod collection;
mod fields;
mod glance;
mod moment;
pub mod oauth;
mod record;
mod refusal;
mod request;
mod scalar;
#[cfg(test)]
mod tests;

use crate::domain::store::Scheme;

pub use answer::{Page, decode};
pub use glance::likely_id;
pub use record::{Reject, normalize};
pub use request::{Shape, canary, fetch, walk};

/// The ways in which a Neto store is convinced (spec: Neto API §2).
pub const SCHEMES: [Scheme; 3] = [Scheme::ApiKey, Scheme::Oauth, Scheme::Bearer];
