//! How a store's next token is got, if it can be.

use url::Url;

use super::Tokens;
use super::client::{configured_client, hosts};
use crate::connector::neto::oauth::Version;
use crate::connector::oauth::{self, Client, Endpoint, Grant, LoginForm};
use crate::domain::http::Request;
use crate::domain::secret::Secret;
use crate::domain::store::{Credential, Scheme, Store};

/// How the next token is got.
#[derive(Clone, Debug)]
pub enum Way {
    /// With a refresh token, which may be good for one use.
    Refresh {
        /// Where.
        endpoint: Endpoint,
        /// Who asks.
        client: Client,
        /// The refresh token.
        token: Secret,
    },
    /// With the client's id and secret.
    ClientCredentials {
        /// Where.
        endpoint: Endpoint,
        /// Who asks.
        client: Client,
    },
    /// With user name and password.
    Login {
        /// How it is written.
        form: LoginForm,
        /// The user.
        username: String,
        /// The password.
        password: Secret,
        /// Where the token is in the answer.
        token: String,
    },
}

impl Way {
    /// The request that asks for it.
    pub fn request(&self) -> Request {
        match self {
            Self::Refresh { endpoint, client, token } => oauth::ask(endpoint, client, Grant::Refresh(token)),
            Self::ClientCredentials { endpoint, client } => oauth::ask(endpoint, client, Grant::ClientCredentials),
            Self::Login { form, username, password, .. } => oauth::log_in(form, username, password),
        }
    }

    /// Where the token is in the answer, when that is not the usual place.
    pub fn token_path(&self) -> Option<&str> {
        match self {
            Self::Login { token, .. } => Some(token),
            _ => None,
        }
    }
}

impl Tokens {
    /// How the next token of a credential is got; `None` when that takes a person.
    pub fn way(&self, store: &Store, credential: &Credential) -> Option<Way> {
        match credential.scheme {
            // Neto's second version; a token of the first is not refreshed.
            Scheme::Bearer => {
                let endpoint = Version::V2.endpoint(&hosts(&self.config));
                self.refresh(credential, endpoint)
            }
            _ => self.described(store, credential),
        }
    }

    /// The way of a described connector.
    #[expect(clippy::unused_self, reason = "TEMP")]
    fn described(&self, _store: &Store, _credential: &Credential) -> Option<Way> {
        None
    }

    fn refresh(&self, credential: &Credential, endpoint: Endpoint) -> Option<Way> {
        let token = credential.refresh.clone()?;
        let endpoint = at(endpoint, credential.token_url.as_ref());
        Some(Way::Refresh { endpoint, client: self.client(credential)?, token })
    }

    /// The client of a credential: with the configured secret when it is the configured client, whose secret may have been
    /// replaced for all stores at once, else with its own.
    fn client(&self, credential: &Credential) -> Option<Client> {
        let id = credential.client_id.as_ref()?;
        match configured_client(&self.config) {
            Ok(client) if client.id == *id => Some(client),
            _ => Some(Client { id: id.clone(), secret: credential.client_secret.clone()? }),
        }
    }
}

/// The endpoint at the credential's own address, if it has one.
fn at(endpoint: Endpoint, own: Option<&Url>) -> Endpoint {
    match own {
        Some(own) => Endpoint { token_url: own.clone(), ..endpoint },
        None => endpoint,
    }
}
