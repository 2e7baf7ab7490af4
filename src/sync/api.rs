//! How a store is spoken to: by the program's own connector, or by one that is described.

use crate::connector::described::{Auth, Description, Registry, present};
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
    pub description: &'a Description,
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

    /// The smallest call there is.
    ///
    /// # Errors
    /// `Config` when it cannot be made.
    pub fn canary(&self, store: &Store, credential: &Credential) -> Result<Request, RemoteError> {
        match self {
            Self::Neto => Ok(neto::canary(&store.url, credential)),
            Self::Described(api) => present(api.auth, credential, api.description.check_ask(&store.url)?),
        }
    }

    /// Whether an answer to the smallest call is a good one.
    ///
    /// # Errors
    /// What is wrong.
    pub fn accepts(&self, answer: Answer) -> Result<(), RemoteError> {
        match self {
            Self::Neto => neto::decode(answer.body, answer.lossy).map(drop),
            Self::Described(api) => {
                // Where another path is tried after it, a 404 says that the key was let in.
                let elsewhere = api.description.check.is_none()
                    && api.description.streams.first().is_some_and(|stream| stream.fallback_path.is_some());
                match api.description.refusal(&answer) {
                    Some(error) if !(elsewhere && answer.status == 404) => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }
}
