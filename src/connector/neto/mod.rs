//! Neto (Maropost Commerce Cloud): `GetItem` requests, answers and records. No I/O.
//!
//! ```text
//! request ─► (transport) ─► answer ─► Page ─► record ─► Product
//! ```

mod answer;
mod collection;
mod fields;
mod record;
mod refusal;
mod request;
mod scalar;
#[cfg(test)]
mod tests;

pub use answer::{Page, decode};
pub use record::{Reject, normalize};
pub use request::{Shape, canary, fetch, walk};
