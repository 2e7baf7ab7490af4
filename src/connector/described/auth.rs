//! The ways in that a description offers: how a credential is got and presented.

use std::collections::BTreeMap;

use url::Url;

use super::{Description, Path, Template};
use crate::connector::oauth::{Encoding, Endpoint, LoginForm, SecretIn};
use crate::domain::error::{ErrorClass, RemoteError};

/// One way in, a table `[auth.SCHEME]` of the file. What it needs from the operator (keys, client id, user name)
/// is in the store's credential, never here.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// A token that the operator has, as `Authorization: Bearer TOKEN`.
    Bearer,
    /// A key that the operator has, in a header of its own.
    HeaderKey {
        /// Name of the header.
        header: String,
        /// What stands before the key in it; `""` = nothing.
        prefix: String,
    },
    /// A client id and a key, each in a header of its own.
    HeaderPair {
        /// Header of the client id.
        id_header: String,
        /// Header of the key.
        key_header: String,
    },
    /// OAuth 2.0 client credentials; the access token goes out as a bearer token.
    ClientCredentials(TokenCall),
    /// OAuth 2.0 authorization code, renewed whenever an answer brings a refresh token; presented as a bearer token.
    AuthorizationCode {
        /// Where a person agrees. Knows `{store}` and `{base}`.
        authorize_url: Template,
        /// Where the code, and later the refresh token, is exchanged.
        token: TokenCall,
    },
    /// A call with user name and password that answers with a token; presented as a bearer token.
    Login(Login),
}

impl Auth {
    /// The scheme as `store add --auth` and `credentials.scheme` spell it.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::HeaderKey { .. } => "header-key",
            Self::HeaderPair { .. } => "header-pair",
            Self::ClientCredentials(_) => "client-credentials",
            Self::AuthorizationCode { .. } => "authorization-code",
            Self::Login(_) => "login",
        }
    }
}

/// A token endpoint of OAuth 2.0 and how it wants to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenCall {
    /// Its address. Knows `{store}` and `{base}`. A credential's own token URL wins over it.
    pub token_url: Template,
    /// How the body is written.
    pub encoding: Encoding,
    /// Where client id and secret go.
    pub secret_in: SecretIn,
    /// The scopes asked for; empty = the parameter is left out.
    pub scopes: Vec<String>,
    /// More parameters of the token call.
    pub extra: BTreeMap<String, String>,
}

/// A login call (POST).
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// Its address. Knows `{store}` and `{base}`.
    pub url: Template,
    /// The fields of its body. Their values know `{username}` and `{password}`.
    pub body: BTreeMap<String, Template>,
    /// How the body is written.
    pub encoding: Encoding,
    /// Where the token is in the answer.
    pub token: Path,
    /// Where the token's life in seconds is in the answer, if anywhere; otherwise HTTP 401 is what ends it.
    pub expires_in: Option<Path>,
}

impl Auth {
    /// Where a store's tokens are got, for the two ways of OAuth 2.0; `None` for the others.
    ///
    /// # Errors
    /// `Config` when no URL can be made of it.
    #[must_use]
    pub fn endpoint(&self, description: &Description, store: &Url) -> Option<Result<Endpoint, RemoteError>> {
        let (Self::ClientCredentials(call) | Self::AuthorizationCode { token: call, .. }) = self else { return None };
        let endpoint = |token_url| Endpoint {
            encoding: call.encoding,
            secret_in: call.secret_in,
            scopes: call.scopes.clone(),
            extra: call.extra.clone().into_iter().collect(),
            ..Endpoint::new(token_url)
        };
        Some(url(description, &call.token_url, store).map(endpoint))
    }

    /// Where a person agrees; `None` for other ways than the authorization code.
    ///
    /// # Errors
    /// `Config` when no URL can be made of it.
    #[must_use]
    pub fn authorize_url(&self, description: &Description, store: &Url) -> Option<Result<Url, RemoteError>> {
        let Self::AuthorizationCode { authorize_url, .. } = self else { return None };
        Some(url(description, authorize_url, store))
    }
}

impl Login {
    /// How a store is logged in to.
    ///
    /// # Errors
    /// `Config` when no URL can be made of it.
    pub fn form(&self, description: &Description, store: &Url) -> Result<LoginForm, RemoteError> {
        // The form fills the two in by itself.
        let open = |text: &Template| text.fill(&[("username", "{username}"), ("password", "{password}")]);
        let fields = self.body.iter().map(|(name, text)| (name.clone(), open(text))).collect();
        Ok(LoginForm { url: url(description, &self.url, store)?, encoding: self.encoding, fields })
    }
}

fn url(description: &Description, template: &Template, store: &Url) -> Result<Url, RemoteError> {
    let text = description.at(template, store);
    Url::parse(&text).map_err(|_| {
        let sentence = format!("{template} of connector {} makes no address of {store}", description.name);
        RemoteError::new(ErrorClass::Config, sentence).hint("look at the store's URL and at the connector's file")
    })
}
