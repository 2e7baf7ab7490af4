//! Connectors: what a platform's API is like, without any I/O.
//!
//! A connector builds requests, decodes answers and normalises records. It never opens a socket (that is
//! [`crate::transport`]) and never sees the database (that is [`crate::storage`]).

pub mod described;
pub mod neto;
pub mod oauth;

use crate::domain::store::{NETO, Scheme};

use self::described::{NoConnector, Registry};

/// The ways into a store of this connector, the usual one first. Never none.
///
/// # Errors
/// [`NoConnector`].
pub fn ways_in(described: &Registry, connector: &str) -> Result<Vec<Scheme>, NoConnector> {
    if connector == NETO {
        return Ok(neto::SCHEMES.to_vec());
    }
    Ok(described.get(connector)?.auth.iter().filter_map(|auth| Scheme::parse(auth.scheme())).collect())
}
