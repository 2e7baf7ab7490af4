//! Everything of a credential but its secret: the scheme, and who presents it.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::exit::CliError;
use crate::connector::neto;
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
}

impl Identity {
    /// Checks that the scheme has what it needs, and nothing it would not send.
    pub fn new(scheme: Scheme, username: Option<String>, client_id: Option<String>) -> Result<Self, CliError> {
        match scheme {
            Scheme::Oauth if client_id.is_none() => Err(CliError::usage(
                "--auth oauth needs --client-id: the client id goes with every call, beside the token",
            )),
            Scheme::ApiKey | Scheme::Bearer if client_id.is_some() => {
                Err(CliError::usage(format!("--client-id belongs to --auth oauth; --auth {scheme} sends none")))
            }
            Scheme::Oauth | Scheme::Bearer if username.is_some() => {
                Err(CliError::usage(format!("--username belongs to --auth api-key; --auth {scheme} sends none")))
            }
            _ => Ok(Self { scheme, username, client_id }),
        }
    }

    /// With its secret.
    pub fn with(self, secret: Secret) -> PlainCredential {
        PlainCredential {
            username: self.username,
            client_id: self.client_id,
            ..PlainCredential::new(self.scheme, secret)
        }
    }
}

/// Reads a scheme from the command line.
pub fn scheme() -> impl TypedValueParser<Value = Scheme> {
    let known = PossibleValuesParser::new(neto::SCHEMES.iter().map(|scheme| scheme.as_str()));
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
        let new = |scheme, username: bool, client_id: bool| {
            Identity::new(scheme, username.then(|| "staff".to_owned()), client_id.then(|| "client".to_owned())).is_ok()
        };
        let fits: Vec<_> = neto::SCHEMES
            .iter()
            .flat_map(|scheme| {
                [(false, false), (true, false), (false, true)].map(|(user, client)| new(*scheme, user, client))
            })
            .collect();
        assert_eq!(fits, [true, true, false, false, false, true, true, false, false]);
    }
}
