//! Connectors: what a platform's API is like, without any I/O.
//!
//! A connector builds requests, decodes answers and normalises records. It never opens a socket (that is
//! [`crate::transport`]) and never sees the database (that is [`crate::storage`]).

pub mod described;
pub mod neto;
pub mod oauth;
