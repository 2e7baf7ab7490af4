//! How a store is spoken to: by the program's own connector, or by one that is described.

use crate::connector::described::{Auth, Description, Position, Registry, present};
use crate::connector::neto;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Answer, Request};
use crate::domain::store::{Credential, Store};

/// The connector of a store.
#[derive(Clone, Copy, Debug)]
pub enum Api<'a> {
    /// Neto.
    Neto,
    /// One that is described.
    Described(Described<'a>),
}

/// A described connector, and the way in that the store's credential is for.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// What the file says.
    pub description: &'a Description,
    /// The way in.
    pub auth: &'a Auth,
}

impl<'a> Api<'a> {
    /// The connector of a store that is entered with `credential`.
    ///
    /// # Errors
    /// `Config` when it is not known, its file is wrong, or it has no such way in.
    pub fn of(connectors: &'a Registry, store: &Store, credential: &Credential) -> Result<Self, RemoteError> {
        if !store.has_records() {
            return Ok(Self::Neto);
        }
        let refuse = |why: String| RemoteError::new(ErrorClass::Config, format!("{}: {why}", store.name));
        let description = connectors.get(&store.connector).map_err(|error| {
            refuse(error.to_string()).hint("`netosync connector check FILE` tells all that is wrong with a file")
        })?;
        let auth = description.auth_of(credential.scheme.as_str()).ok_or_else(|| {
            let known: Vec<_> = description.auth.iter().map(Auth::scheme).collect();
            let (name, scheme, known) = (&store.connector, credential.scheme, known.join(", "));
            refuse(format!("its credential is for {scheme}, and connector {name} knows {known}")).hint(format!(
                "netosync store rekey {} --auth {}",
                store.name,
                description.auth[0].scheme()
            ))
        })?;
        Ok(Self::Described(Described { description, auth }))
    }

    /// The most calls that the connector allows in a minute, if it says so.
    pub fn calls_per_minute(&self) -> Option<u32> {
        match self {
            Self::Neto => None,
            Self::Described(api) => api.description.calls_per_minute,
        }
    }

    /// The smallest call there is, which may have to be made at a second place ([`Api::heard`]).
    ///
    /// # Errors
    /// `Config` when it cannot be made.
    pub fn canary(&self, store: &Store, credential: &Credential, at: &Position) -> Result<Request, RemoteError> {
        match self {
            Self::Neto => Ok(neto::canary(&store.url, credential)),
            Self::Described(api) => present(api.auth, credential, api.description.check_ask(&store.url, at)?),
        }
    }

    /// What an answer to it says: `None` = the credential works, else where to ask once more.
    ///
    /// # Errors
    /// What is wrong.
    pub fn heard(&self, store: &Store, at: &Position, answer: Answer) -> Result<Option<Position>, RemoteError> {
        match self {
            Self::Neto => neto::decode(answer.body, answer.lossy).map(|_| None),
            Self::Described(api) => api.description.check_answer(&store.url, at, &answer),
        }
    }
}
