//! Whose consent is asked, and where.

use url::Url;

use super::ConnectError;
use crate::connector::described::{Auth, Description};
use crate::connector::neto::oauth::{Consent, Hosts, Version};
use crate::connector::oauth::{Endpoint, authorize_url};
use crate::domain::store::NETO;
use crate::storage::oauth_states::Purpose;

/// The side that gives tokens.
#[derive(Clone, Debug)]
pub enum Party {
    /// Neto, in one of its versions; what is asked about is a store's domain.
    Neto {
        /// Which OAuth the client was issued for.
        version: Version,
        /// The vendor's hosts.
        hosts: Hosts,
    },
    /// The API of a described connector; what is asked about is a store's address.
    Described(Box<Described>),
}

/// The side of a described connector.
#[derive(Clone, Debug)]
pub struct Described {
    connector: String,
    /// Where a person agrees.
    authorize_url: Url,
    /// What is asked for.
    scopes: Vec<String>,
    /// Where codes are exchanged, as the connector says.
    endpoint: Endpoint,
    /// The store's address.
    pub(super) store_url: Url,
    /// The store's own token URL, where that is not what the connector says.
    pub(super) token_url: Option<Url>,
}

impl Party {
    /// The side of a described connector's store; `token_url` is the store's own, if it has one.
    ///
    /// # Errors
    /// [`ConnectError::Unusable`] when the connector does not know this way in.
    pub fn described(description: &Description, store_url: &Url, token_url: Option<Url>) -> Result<Self, ConnectError> {
        let unusable = |why: String| ConnectError::Unusable(format!("connector {}: {why}", description.name));
        let auth = description.auth_of("authorization-code");
        let Some(auth @ Auth::AuthorizationCode { token, .. }) = auth else {
            return Err(unusable("it knows no consent of a person".to_owned()));
        };
        let found = auth.authorize_url(description, store_url).zip(auth.endpoint(description, store_url));
        let Some((authorize_url, endpoint)) = found else {
            return Err(unusable("it does not say where a person agrees".to_owned()));
        };
        let endpoint = endpoint.map_err(|error| unusable(error.to_string()))?;
        Ok(Self::Described(Box::new(Described {
            connector: description.name.clone(),
            authorize_url: authorize_url.map_err(|error| unusable(error.to_string()))?,
            scopes: token.scopes.clone(),
            endpoint,
            store_url: store_url.clone(),
            token_url,
        })))
    }

    /// The connector.
    #[must_use]
    pub fn connector(&self) -> &str {
        match self {
            Self::Neto { .. } => NETO,
            Self::Described(described) => &described.connector,
        }
    }

    /// Where codes are exchanged.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Neto { version, hosts } => version.endpoint(hosts),
            Self::Described(described) => {
                let endpoint = described.endpoint.clone();
                match described.token_url.clone() {
                    Some(token_url) => Endpoint { token_url, ..endpoint },
                    None => endpoint,
                }
            }
        }
    }

    /// Where a person is led to.
    pub(super) fn consent_url(&self, purpose: Purpose, client_id: &str, about: About<'_>) -> Url {
        let About { subject, redirect_uri, state } = about;
        match self {
            Self::Neto { version, hosts } => {
                let consent = Consent { client_id, redirect_uri, store_domain: subject, state };
                match purpose {
                    Purpose::Connect => version.authorize_url(hosts, &consent),
                    Purpose::Disconnect => version.deauthorize_url(hosts, &consent),
                }
            }
            Self::Described(described) => {
                let scopes = described.scopes.join(" ");
                let mut parameters = vec![
                    ("response_type", "code"),
                    ("client_id", client_id),
                    ("redirect_uri", redirect_uri),
                    ("state", state),
                ];
                if !scopes.is_empty() {
                    parameters.push(("scope", &scopes));
                }
                authorize_url(&described.authorize_url, &parameters)
            }
        }
    }
}

/// What a person is asked about, and how the answer finds its way.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// The store.
    pub subject: &'a str,
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// Ties it to the question.
    pub state: &'a str,
}
