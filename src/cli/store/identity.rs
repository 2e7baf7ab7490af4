//! Everything of a credential but its secret: the scheme, and who presents it.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use url::Url;

use crate::cli::exit::CliError;
use crate::connector::{self, described::Registry};
use crate::domain::given;
use crate::domain::secret::Secret;
use crate::domain::store::Scheme;
use crate::storage::vault::PlainCredential;

/// A scheme with what belongs to it.
#[derive(Clone, Debug)]
pub struct Identity {
    pub scheme: Scheme,
    username: Option<String>,
    client_id: Option<String>,
    token_url: Option<Url>,
}

impl Identity {
    /// Checks that the scheme has what it needs, and nothing it would not send.
    pub fn new(
        scheme: Scheme,
        username: Option<String>,
        client_id: Option<String>,
        token_url: Option<Url>,
    ) -> Result<Self, CliError> {
        let needs_client = matches!(scheme, Scheme::Oauth | Scheme::HeaderPair | Scheme::ClientCredentials);
        let takes_user = matches!(scheme, Scheme::ApiKey | Scheme::Login);
        let gets_tokens = matches!(scheme, Scheme::ClientCredentials | Scheme::Login);
        let refuse = |why: String| Err(CliError::usage(why));
        match scheme {
            Scheme::AuthorizationCode => refuse(
                "--auth authorization-code takes a person's consent, no key: `netosync oauth connect` asks for it"
                    .to_owned(),
            ),
            _ if needs_client && client_id.is_none() => refuse(format!(
                "--auth {scheme} needs --client-id: {}",
                if gets_tokens {
                    "tokens are got with it and its secret"
                } else {
                    "it goes with every call, beside the key or token"
                }
            )),
            _ if !needs_client && client_id.is_some() => refuse(format!(
                "--client-id belongs to --auth oauth, header-pair or client-credentials; --auth {scheme} sends none"
            )),
            Scheme::Login if username.is_none() => {
                refuse("--auth login needs --username: tokens are got with it and its password".to_owned())
            }
            _ if !takes_user && username.is_some() => {
                refuse(format!("--username belongs to --auth api-key or login; --auth {scheme} sends none"))
            }
            _ if !gets_tokens && token_url.is_some() => refuse(format!(
                "--token-url belongs to --auth client-credentials or login; --auth {scheme} gets no tokens"
            )),
            _ => Ok(Self { scheme, username, client_id, token_url }),
        }
    }

    /// With its secret: the key or token itself, or what buys tokens.
    pub fn with(self, secret: Secret) -> PlainCredential {
        let none = Secret::new("");
        let plain = match self.scheme {
            Scheme::ClientCredentials => {
                PlainCredential { client_secret: Some(secret), ..PlainCredential::new(self.scheme, none) }
            }
            Scheme::Login => PlainCredential { refresh: Some(secret), ..PlainCredential::new(self.scheme, none) },
            _ => PlainCredential::new(self.scheme, secret),
        };
        PlainCredential { username: self.username, client_id: self.client_id, token_url: self.token_url, ..plain }
    }
}

/// The way into a store of this connector: the one asked for, or else the connector's first.
///
/// # Errors
/// Usage, when the connector is not known, its file is wrong, or it has no such way in.
pub fn way_in(connectors: &Registry, name: &str, asked: Option<Scheme>) -> Result<Scheme, CliError> {
    let known = connector::ways_in(connectors, name).map_err(|error| CliError::usage(error.to_string()))?;
    match asked {
        None => Ok(known[0]),
        Some(asked) if known.contains(&asked) => Ok(asked),
        Some(asked) => {
            let known: Vec<_> = known.iter().map(|scheme| scheme.as_str()).collect();
            let known = known.join(", ");
            Err(CliError::usage(format!("connector {name} knows no --auth {asked}; it knows {known}")))
        }
    }
}

/// Reads the address at which tokens are got. It may hold no secret.
pub fn token_url(text: &str) -> Result<Url, String> {
    match Url::parse(text.trim()) {
        Ok(url) if !matches!(url.scheme(), "https" | "http") || !url.has_host() => {
            Err("it is neither https nor http".to_owned())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("it holds a user or a password, which belong to the credential".to_owned())
        }
        Ok(url) => Ok(url),
        Err(_) => Err("it is not an address such as https://login.shop.example/oauth/token".to_owned()),
    }
}

/// Reads a scheme from the command line.
pub fn scheme() -> impl TypedValueParser<Value = Scheme> {
    let known = PossibleValuesParser::new(Scheme::ALL.iter().map(|scheme| scheme.as_str()));
    known.map(|text| Scheme::parse(&text).expect("the parser lets the known schemes through only"))
}

/// Reads a text that is sent in a header.
pub fn header(text: &str) -> Result<String, String> {
    given::header(text).map_err(|why| format!("it {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_takes_what_belongs_to_it_only() {
        let new = |scheme, username: bool, client_id: bool, token_url: bool| {
            let url = "https://login.shop.example/token".parse().ok().filter(|_| token_url);
            let (username, client) = (username.then(|| "staff".to_owned()), client_id.then(|| "client".to_owned()));
            Identity::new(scheme, username, client, url).is_ok()
        };
        let none = (false, false, false);
        let (user, client, url) = ((true, false, false), (false, true, false), (false, false, true));
        let (client_url, user_url) = ((false, true, true), (true, false, true));
        for (scheme, fits) in [
            (Scheme::ApiKey, vec![none, user]),
            (Scheme::Oauth, vec![client]),
            (Scheme::Bearer, vec![none]),
            (Scheme::HeaderKey, vec![none]),
            (Scheme::HeaderPair, vec![client]),
            (Scheme::ClientCredentials, vec![client, client_url]),
            (Scheme::AuthorizationCode, vec![]),
            (Scheme::Login, vec![user, user_url]),
        ] {
            for given in [none, user, client, url, client_url, user_url, (true, true, false)] {
                assert_eq!(new(scheme, given.0, given.1, given.2), fits.contains(&given), "{scheme} {given:?}");
            }
        }
    }

    #[test]
    fn what_buys_tokens_is_no_token() {
        let with = |scheme, username: Option<&str>, client: Option<&str>| {
            let identity = Identity::new(scheme, username.map(str::to_owned), client.map(str::to_owned), None);
            identity.expect("it fits").with(Secret::new("given"))
        };
        let bought = with(Scheme::ClientCredentials, None, Some("client"));
        assert!(bought.secret.is_empty() && bought.client_secret.is_some_and(|secret| secret.expose() == "given"));
        let bought = with(Scheme::Login, Some("user"), None);
        assert!(bought.secret.is_empty() && bought.refresh.is_some_and(|secret| secret.expose() == "given"));
        assert_eq!(with(Scheme::HeaderKey, None, None).secret.expose(), "given");
    }
}
