//! Pure types and rules. Nothing in here does I/O, reads a clock or knows a database or an HTTP client.

pub mod audit;
pub mod budget;
pub mod catalogue;
pub mod change;
pub mod confidence;
pub mod cursor;
pub mod digest;
pub mod error;
pub mod finding;
pub mod forecast;
pub mod http;
pub mod incident;
pub mod json;
pub mod last_run;
pub mod learned;
pub mod lifecycle;
pub mod light;
pub mod outage;
pub mod product;
pub mod removal;
pub mod run;
pub mod sample;
pub mod secret;
pub mod store;
pub(crate) mod text_enum;
