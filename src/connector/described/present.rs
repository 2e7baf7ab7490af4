//! Puts a credential into a request.

use super::{Ask, Auth};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Body, Method, Request};
use crate::domain::secret::Secret;
use crate::domain::store::Credential;

/// The request with the credential in its place. A token goes out as it is: getting and renewing it is not done here.
///
/// # Errors
/// `Config` when the credential lacks what its scheme needs.
pub fn present(auth: &Auth, credential: &Credential, ask: Ask) -> Result<Request, RemoteError> {
    let key = &credential.secret;
    if key.is_empty() {
        return Err(missing(match auth {
            Auth::Bearer | Auth::HeaderKey { .. } | Auth::HeaderPair { .. } => "there is no key",
            _ => "no token has been got yet",
        }));
    }
    let body = ask.body.map_or(Body::Empty, |body| Body::Json(body.to_string()));
    let body = if ask.method == Method::Get { Body::Empty } else { body };
    let mut request = Request::of(ask.method, ask.url, body).accepting(&ask.accepts);
    for (name, value) in ask.headers {
        request = request.plain(name, value);
    }
    Ok(match auth {
        Auth::HeaderKey { header, prefix } => with_prefix(request, header.clone(), prefix, key),
        Auth::HeaderPair { id_header, key_header } => {
            let id = credential.client_id.as_ref().filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| missing("there is no client id"))?;
            request.plain(id_header.clone(), id).secret(key_header.clone(), key.clone())
        }
        Auth::Bearer | Auth::ClientCredentials(_) | Auth::AuthorizationCode { .. } | Auth::Login(_) => {
            with_prefix(request, "Authorization".to_owned(), "Bearer ", key)
        }
    })
}

/// The key behind its prefix; hidden by itself too, because an answer may repeat it without.
fn with_prefix(request: Request, header: String, prefix: &str, key: &Secret) -> Request {
    let value = Secret::new(&format!("{prefix}{}", key.expose()));
    request.secret(header, value).hiding(key.clone())
}

fn missing(what: &str) -> RemoteError {
    RemoteError::new(ErrorClass::Config, format!("the credential cannot be presented: {what}"))
        .hint("give it with `netosync store rekey`")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;
    use crate::connector::described::{Position, Registry, Template, TokenCall};
    use crate::connector::oauth::{Encoding, SecretIn};
    use crate::domain::http::HeaderText;
    use crate::domain::lifecycle::Standing;
    use crate::domain::store::Scheme;

    fn ask() -> Ask {
        let registry = Registry::built_in();
        let net_api = registry.get("net-api").expect("a built-in connector");
        let store = "https://api.example.com".parse().expect("a URL");
        net_api.streams[0].ask(net_api, &store, &Position::start(None)).expect("a request")
    }

    fn credential(secret: &str) -> Credential {
        Credential {
            store_id: 1,
            scheme: Scheme::Bearer,
            username: None,
            client_id: Some("client-1".to_owned()),
            secret: Secret::new(secret),
            refresh: None,
            client_secret: None,
            token_url: None,
            scopes: None,
            expires_at: None,
            renewed_at: None,
            fingerprint: String::new(),
            standing: Standing::working(DateTime::UNIX_EPOCH),
            failing: false,
        }
    }

    fn headers(auth: &Auth) -> Vec<(String, String)> {
        let request = present(auth, &credential("canary-1"), ask()).expect("a request");
        assert!(!format!("{request:?}").contains("canary-1"));
        let shown = |text: &HeaderText| match text {
            HeaderText::Plain(text) => format!("plain {text}"),
            HeaderText::Secret(secret) => format!("secret {}", secret.expose()),
        };
        request.headers.iter().map(|(name, text)| (name.to_string(), shown(text))).collect()
    }

    #[test]
    fn every_scheme_puts_its_credential_into_its_headers_and_nothing_shows_it() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let key = Auth::HeaderKey { header: "X-Key".to_owned(), prefix: "Key ".to_owned() };
        assert_eq!(headers(&key), [header("X-Key", "secret Key canary-1")]);
        let pair = Auth::HeaderPair { id_header: "X-Id".to_owned(), key_header: "X-Key".to_owned() };
        assert_eq!(headers(&pair), [header("X-Id", "plain client-1"), header("X-Key", "secret canary-1")]);
        let token = TokenCall {
            token_url: Template::parse("{store}/token", &["store"]).expect("a template"),
            encoding: Encoding::Form,
            secret_in: SecretIn::Body,
            scopes: Vec::new(),
            extra: BTreeMap::new(),
        };
        for auth in [Auth::Bearer, Auth::ClientCredentials(token)] {
            assert_eq!(headers(&auth), [header("Authorization", "secret Bearer canary-1")]);
        }
    }

    #[test]
    fn a_credential_that_lacks_something_is_never_sent() {
        let pair = Auth::HeaderPair { id_header: "X-Id".to_owned(), key_header: "X-Key".to_owned() };
        let nobody = Credential { client_id: None, ..credential("canary-1") };
        for (auth, credential) in [(Auth::Bearer, credential("")), (pair, nobody)] {
            let error = present(&auth, &credential, ask()).expect_err("incomplete");
            assert_eq!(error.class, ErrorClass::Config);
        }
    }

    #[test]
    fn refusals_go_to_the_description_that_says_where_their_words_are() {
        let request = present(&Auth::Bearer, &credential("canary-1"), ask()).expect("a request");
        assert!(request.accepts.contains(&401) && !request.accepts.contains(&429) && !request.accepts.contains(&500));
        let registry = Registry::built_in();
        let neos = registry.get("neos").expect("a built-in connector");
        let store = "https://auth.neos.com".parse().expect("a URL");
        let start = Position::start(None);
        assert_eq!(neos.check_ask(&store, &start).expect("a request").accepts, [404]);
    }
}
