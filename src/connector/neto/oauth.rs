//! Neto's two versions of OAuth: where a merchant consents, where tokens are, and what is told about a store.

use serde_json::Value;
use url::Url;

use crate::connector::oauth::{self, Endpoint};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Answer, Body, Method, Request};
use crate::domain::secret::Secret;
use crate::domain::store::Scheme;
use crate::domain::text_enum::text_enum;

text_enum! {
    /// Which OAuth a client was issued for.
    Version {
        /// Tokens for the store's own host, which are not refreshed (spec: Neto API §6.1).
        V1 = "1",
        /// Bearer tokens for the shared host, which are (§6.2).
        V2 = "2",
    }
}

/// The vendor's hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Of the first version: `https://apps.getneto.com`.
    pub v1: Url,
    /// Of the second, tokens and API: `https://api.netodev.com`.
    pub v2: Url,
}

impl Version {
    /// How its tokens are presented.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::V1 => Scheme::Oauth,
            Self::V2 => Scheme::Bearer,
        }
    }

    /// Where tokens are got.
    #[must_use]
    pub fn endpoint(self, hosts: &Hosts) -> Endpoint {
        Endpoint { code_twice: self == Self::V1, ..Endpoint::new(self.at(hosts, "token")) }
    }

    /// Where a merchant consents. There is no `scope` to ask for: scopes are fixed when a client is issued.
    #[must_use]
    pub fn authorize_url(self, hosts: &Hosts, about: &Consent<'_>) -> Url {
        oauth::authorize_url(&self.at(hosts, "auth"), &about.parameters())
    }

    /// Where a merchant takes the consent back.
    #[must_use]
    pub fn deauthorize_url(self, hosts: &Hosts, about: &Consent<'_>) -> Url {
        oauth::authorize_url(&self.at(hosts, "deauth"), &about.parameters())
    }

    fn at(self, hosts: &Hosts, page: &str) -> Url {
        let mut url = match self {
            Self::V1 => hosts.v1.clone(),
            Self::V2 => hosts.v2.clone(),
        };
        let path = format!("{}/oauth/v2/{page}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        if self == Self::V2 {
            url.set_query(Some("version=2"));
        }
        url
    }
}

/// What a merchant is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// The OAuth client.
    pub client_id: &'a str,
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// The store, without a scheme.
    pub store_domain: &'a str,
    /// Ties the answer to the question.
    pub state: &'a str,
}

impl<'a> Consent<'a> {
    fn parameters(&self) -> [(&'static str, &'a str); 5] {
        [
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("response_type", "code"),
            ("store_domain", self.store_domain),
            ("state", self.state),
        ]
    }
}

/// The address of a store on the shared host.
#[must_use]
pub fn shared_url(hosts: &Hosts, api_id: &str) -> Url {
    at_shared(&hosts.v2, &["v1", "stores", api_id])
}

/// What the vendor knows about a store of the shared host: a small call that needs a good token.
#[must_use]
pub fn properties(hosts: &Hosts, api_id: &str, token: &Secret) -> Request {
    let url = at_shared(&hosts.v2, &["v2", "stores", api_id, "properties"]);
    let bearer = Secret::new(&format!("Bearer {}", token.expose()));
    Request::of(Method::Get, url, Body::Empty).secret("Authorization", bearer)
}

fn at_shared(host: &Url, segments: &[&str]) -> Url {
    let mut url = host.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// What `properties` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// The store's domain.
    pub domain: Option<String>,
    /// Its time zone (IANA name).
    pub timezone: Option<String>,
    /// The merchant's name.
    pub business_name: Option<String>,
}

/// Reads the answer to [`properties`].
///
/// # Errors
/// [`ErrorClass::Rejected`] when it says that it failed, [`ErrorClass::Transient`] when it is something else.
pub fn read_properties(answer: &Answer) -> Result<Properties, RemoteError> {
    let json: Value = serde_json::from_str(&answer.body)
        .map_err(|_| RemoteError::new(ErrorClass::Transient, "the store's properties are not JSON"))?;
    if json["success"] == Value::Bool(false) {
        return Err(RemoteError::new(ErrorClass::Rejected, format!("no properties: {}", json["errors"])));
    }
    let text = |name: &str| json["result"][name].as_str().map(str::to_owned).filter(|text| !text.is_empty());
    Ok(Properties { domain: text("domain"), timezone: text("timezone"), business_name: text("business_name") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts {
            v1: "https://apps.getneto.com".parse().expect("a URL"),
            v2: "https://api.netodev.com/".parse().expect("a URL"),
        }
    }

    #[test]
    fn the_addresses_are_those_of_the_vendor() {
        let about = Consent {
            client_id: "client",
            redirect_uri: "https://we.example/oauth/neto/callback",
            store_domain: "www.shop.example",
            state: "s",
        };
        let asked = "client_id=client&redirect_uri=https%3A%2F%2Fwe.example%2Foauth%2Fneto%2Fcallback&response_type=code&store_domain=www.shop.example&state=s";
        for (url, expected) in [
            (Version::V1.endpoint(&hosts()).token_url, "https://apps.getneto.com/oauth/v2/token".to_owned()),
            (Version::V2.endpoint(&hosts()).token_url, "https://api.netodev.com/oauth/v2/token?version=2".to_owned()),
            (Version::V1.authorize_url(&hosts(), &about), format!("https://apps.getneto.com/oauth/v2/auth?{asked}")),
            (
                Version::V2.authorize_url(&hosts(), &about),
                format!("https://api.netodev.com/oauth/v2/auth?version=2&{asked}"),
            ),
            (
                Version::V2.deauthorize_url(&hosts(), &about),
                format!("https://api.netodev.com/oauth/v2/deauth?version=2&{asked}"),
            ),
            (shared_url(&hosts(), "a1b2"), "https://api.netodev.com/v1/stores/a1b2".to_owned()),
            (
                properties(&hosts(), "../x", &Secret::new("t")).url,
                "https://api.netodev.com/v2/stores/..%2Fx/properties".to_owned(),
            ),
        ] {
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn properties_tell_domain_and_zone() {
        let body = include_str!("../../../tests/fixtures/oauth/store-properties-v2.json").to_owned();
        let answer = Answer { status: 200, content_type: None, link: None, body, lossy: false };
        let properties = read_properties(&answer).expect("properties");
        assert_eq!(properties.domain.as_deref(), Some("www.harbourandfern.example"));
        assert_eq!(properties.timezone.as_deref(), Some("Australia/Sydney"));
    }
}
