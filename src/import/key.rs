//! The key of a row: what belongs to its scheme, and nothing that it would not use.

use url::Url;

use crate::domain::secret::Secret;
use crate::domain::store::{Credential, Scheme};
use crate::storage::vault::PlainCredential;

/// What a row says about its key.
#[derive(Debug)]
pub struct Given {
    pub scheme: Scheme,
    pub secret: Option<Secret>,
    pub username: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub refresh_token: Option<Secret>,
    pub token_url: Option<Url>,
    pub scopes: Option<String>,
}

/// Whether a scheme uses a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Needed,
    Maybe,
    Never,
}

impl Given {
    /// The credential, or what is wrong with it. No value is repeated.
    pub fn credential(self) -> Result<PlainCredential, String> {
        use Use::{Maybe, Needed, Never};
        let scheme = self.scheme;
        let tokens = self.refresh_token.is_some();
        let (username, client_id, client_secret, refresh, secret) = match scheme {
            Scheme::ApiKey => (Maybe, Never, Never, Never, Needed),
            Scheme::Oauth => (Never, Needed, Never, Never, Needed),
            Scheme::Bearer => (Never, Maybe, Maybe, Maybe, Needed),
            Scheme::HeaderKey => (Never, Never, Never, Never, Needed),
            Scheme::HeaderPair => (Never, Needed, Never, Never, Needed),
            // Either column holds the client's secret.
            Scheme::ClientCredentials if self.client_secret.is_some() => (Never, Needed, Needed, Never, Never),
            Scheme::ClientCredentials => (Never, Needed, Maybe, Never, Needed),
            Scheme::AuthorizationCode => (Never, Needed, Maybe, Maybe, if tokens { Maybe } else { Needed }),
            Scheme::Login => (Needed, Never, Never, Never, Needed),
        };
        for (column, used, given) in [
            ("username", username, self.username.is_some()),
            ("client_id", client_id, self.client_id.is_some()),
            ("client_secret", client_secret, self.client_secret.is_some()),
            ("refresh_token", refresh, tokens),
            ("secret", secret, self.secret.is_some()),
        ] {
            match used {
                Needed if !given => return Err(format!("its {column} is empty, and {scheme} needs one")),
                Never if given => return Err(format!("it has a {column}, and {scheme} sends none")),
                _ => {}
            }
        }
        let none = Secret::new("");
        // A password and a client's secret buy the token.
        let (secret, refresh, client_secret) = match scheme {
            Scheme::Login => (none, self.secret, None),
            Scheme::ClientCredentials => (none, None, self.client_secret.or(self.secret)),
            _ => (self.secret.unwrap_or(none), self.refresh_token, self.client_secret),
        };
        Ok(PlainCredential {
            username: self.username,
            client_id: self.client_id,
            client_secret,
            refresh,
            token_url: self.token_url,
            scopes: self.scopes,
            ..PlainCredential::new(scheme, secret)
        })
    }
}

/// Names of the columns in which a row's key differs from the one that is held. A token that was renewed or bought since it was
/// imported is newer than the row's and left alone.
pub fn differences(held: &Credential, row: &PlainCredential) -> Vec<&'static str> {
    let differ = |held: &Option<Secret>, row: &Option<Secret>| {
        held.as_ref().map(Secret::expose) != row.as_ref().map(Secret::expose)
    };
    let login = row.scheme == Scheme::Login;
    let renewed = held.renewed_at.is_some();
    let other_token = !renewed && !row.secret.is_empty() && held.secret.expose() != row.secret.expose();
    let other_refresh = (login || !renewed) && differ(&held.refresh, &row.refresh);
    [
        ("scheme", held.scheme != row.scheme),
        ("username", held.username != row.username),
        ("client_id", held.client_id != row.client_id),
        ("client_secret", differ(&held.client_secret, &row.client_secret)),
        ("token_url", held.token_url != row.token_url),
        ("secret", other_token || login && other_refresh),
        ("refresh_token", !login && other_refresh),
    ]
    .into_iter()
    .filter_map(|(column, differs)| differs.then_some(column))
    .collect()
}
