//! How a store's next token is got, if it can be.

use super::Tokens;
use super::client::{configured_client, hosts};
use crate::connector::described::Auth;
use crate::connector::neto::oauth::Version;
use crate::connector::oauth::{self, Client, Endpoint, Grant, LoginForm, Places};
use crate::domain::error::{ErrorClass, RemoteError};
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
        places: Places,
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
    pub fn places(&self) -> Option<&Places> {
        match self {
            Self::Login { places, .. } => Some(places),
            _ => None,
        }
    }
}

impl Tokens {
    /// How the next token of a credential is got; `None` when that takes a person.
    ///
    /// # Errors
    /// `Config` when the store's connector is not to be had.
    pub fn way(&self, store: &Store, credential: &Credential) -> Result<Option<Way>, RemoteError> {
        if store.has_records() {
            return self.described(store, credential);
        }
        // Of the second version; a token of the first is not refreshed.
        Ok(match credential.scheme {
            Scheme::Bearer => {
                let configured = configured_client(&self.config).ok().filter(|client| is_of(client, credential));
                refresh(credential, Version::V2.endpoint(&hosts(&self.config)), configured)
            }
            _ => None,
        })
    }

    /// The way of a described connector.
    fn described(&self, store: &Store, credential: &Credential) -> Result<Option<Way>, RemoteError> {
        let description = self
            .connectors
            .get(&store.connector)
            .map_err(|error| RemoteError::new(ErrorClass::Config, error.to_string()))?;
        let Some(auth) = description.auth_of(credential.scheme.as_str()) else { return Ok(None) };
        let endpoint = auth.endpoint(description, &store.url).transpose()?;
        Ok(match (auth, endpoint) {
            (Auth::ClientCredentials(_), Some(endpoint)) => own_client(credential)
                .map(|client| Way::ClientCredentials { endpoint: at(endpoint, credential), client }),
            (Auth::AuthorizationCode { .. }, Some(endpoint)) => refresh(credential, endpoint, None),
            (Auth::Login(login), _) => {
                let form = login.form(description, &store.url)?;
                let form =
                    credential.token_url.clone().map_or_else(|| form.clone(), |url| LoginForm { url, ..form.clone() });
                let places = Places {
                    token: login.token.names().to_vec(),
                    lifetime: login.expires_in.as_ref().map(|path| path.names().to_vec()),
                };
                let both = credential.username.clone().zip(credential.refresh.clone());
                both.map(|(username, password)| Way::Login { form, username, password, places })
            }
            _ => None,
        })
    }
}

/// The way of a refresh token, with the `configured` client when it is the credential's: its secret may have been replaced for all
/// stores at once.
fn refresh(credential: &Credential, endpoint: Endpoint, configured: Option<Client>) -> Option<Way> {
    let token = credential.refresh.clone()?;
    let client = configured.or_else(|| own_client(credential))?;
    Some(Way::Refresh { endpoint: at(endpoint, credential), client, token })
}

fn is_of(client: &Client, credential: &Credential) -> bool {
    credential.client_id.as_ref() == Some(&client.id)
}

/// The client that is stored with a credential.
fn own_client(credential: &Credential) -> Option<Client> {
    Some(Client { id: credential.client_id.clone()?, secret: credential.client_secret.clone()? })
}

/// The endpoint at the credential's own address, if it has one.
fn at(endpoint: Endpoint, credential: &Credential) -> Endpoint {
    match &credential.token_url {
        Some(own) => Endpoint { token_url: own.clone(), ..endpoint },
        None => endpoint,
    }
}
