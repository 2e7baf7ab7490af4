//! What is sent: the address a person is led to, and the requests for tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::domain::http::{Body, Method, Request};
use crate::domain::secret::Secret;

/// Statuses with which a token endpoint says what is wrong: its answer is read.
pub const ENDPOINT_STATUSES: [u16; 6] = [400, 401, 403, 404, 405, 422];

/// How the parameters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As a form, the standard.
    #[default]
    Form,
    /// As a JSON object.
    Json,
}

/// Where the client's secret goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretIn {
    /// Beside the other parameters.
    #[default]
    Body,
    /// Into `Authorization: Basic` (RFC 6749 §2.3.1).
    Basic,
}

/// A token endpoint, and how it wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub token_url: Url,
    /// How parameters are written.
    pub encoding: Encoding,
    /// Where the client's secret goes.
    pub secret_in: SecretIn,
    /// What is asked for with client credentials.
    pub scopes: Vec<String>,
    /// Parameters of its own.
    pub extra: Vec<(String, String)>,
    /// Whether a code goes under `access_code` too (spec: Neto API §6.1).
    pub code_twice: bool,
}

impl Endpoint {
    /// An endpoint that goes by the standard.
    #[must_use]
    pub fn new(token_url: Url) -> Self {
        Self {
            token_url,
            encoding: Encoding::Form,
            secret_in: SecretIn::Body,
            scopes: Vec::new(),
            extra: Vec::new(),
            code_twice: false,
        }
    }
}

/// The OAuth client we are.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// What is given for tokens.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// A code, good for one use.
    Code {
        /// The code.
        code: &'a Secret,
        /// Where it came to: the same as was asked for.
        redirect_uri: &'a str,
    },
    /// A refresh token.
    Refresh(&'a Secret),
    /// Nothing but the client itself.
    ClientCredentials,
}

/// The address to which a person is led for consent.
#[must_use]
pub fn authorize_url(base: &Url, parameters: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    url.query_pairs_mut().extend_pairs(parameters);
    url
}

/// The request that asks for tokens.
#[must_use]
pub fn ask(endpoint: &Endpoint, client: &Client, grant: Grant<'_>) -> Request {
    let parameters = parameters(endpoint, client, grant, endpoint.code_twice);
    let request = post(endpoint.token_url.clone(), endpoint.encoding, &parameters, secrets(client, grant));
    match endpoint.secret_in {
        SecretIn::Body => request,
        SecretIn::Basic => request.secret("Authorization", basic(client)),
    }
}

/// [`ask`] by GET, for an endpoint that does not take a POST: all in the query, the code under its usual name.
#[must_use]
pub fn ask_by_get(endpoint: &Endpoint, client: &Client, grant: Grant<'_>) -> Request {
    let mut url = endpoint.token_url.clone();
    url.query_pairs_mut().extend_pairs(parameters(endpoint, client, grant, false));
    let request = Request::of(Method::Get, url, Body::Empty).accepting(&ENDPOINT_STATUSES);
    hide(request, secrets(client, grant))
}

/// How a login of the time before OAuth is written.
#[derive(Clone, Debug)]
pub struct LoginForm {
    /// Its address.
    pub url: Url,
    /// How parameters are written.
    pub encoding: Encoding,
    /// Parameters, in which `{username}` and `{password}` stand for the two.
    pub fields: Vec<(String, String)>,
}

/// The request that logs in.
#[must_use]
pub fn log_in(form: &LoginForm, username: &str, password: &Secret) -> Request {
    let fill = |text: &str| text.replace("{username}", username).replace("{password}", password.expose());
    let parameters: Vec<_> = form.fields.iter().map(|(name, text)| (name.clone(), fill(text))).collect();
    post(form.url.clone(), form.encoding, &parameters, vec![password.clone()])
}

fn parameters(endpoint: &Endpoint, client: &Client, grant: Grant<'_>, twice: bool) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
    match grant {
        Grant::Code { code, redirect_uri } => {
            add("grant_type", "authorization_code");
            add("code", code.expose());
            if twice {
                add("access_code", code.expose());
            }
            add("redirect_uri", redirect_uri);
        }
        Grant::Refresh(token) => {
            add("grant_type", "refresh_token");
            add("refresh_token", token.expose());
        }
        Grant::ClientCredentials => {
            add("grant_type", "client_credentials");
            if !endpoint.scopes.is_empty() {
                add("scope", &endpoint.scopes.join(" "));
            }
        }
    }
    if endpoint.secret_in == SecretIn::Body {
        add("client_id", &client.id);
        add("client_secret", client.secret.expose());
    }
    for (name, value) in &endpoint.extra {
        add(name, value);
    }
    all
}

fn post(url: Url, encoding: Encoding, parameters: &[(String, String)], secrets: Vec<Secret>) -> Request {
    let body = match encoding {
        Encoding::Form => Body::Form(Serializer::new(String::new()).extend_pairs(parameters).finish()),
        Encoding::Json => {
            let object: serde_json::Map<_, _> =
                parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            Body::Json(serde_json::Value::Object(object).to_string())
        }
    };
    hide(Request::of(Method::Post, url, body).accepting(&ENDPOINT_STATUSES), secrets)
}

/// Names the secrets, also as they are written in a form: an endpoint may send back what it got.
fn hide(request: Request, secrets: Vec<Secret>) -> Request {
    secrets.into_iter().filter(|secret| !secret.is_empty()).fold(request, |request, secret| {
        let written: String = byte_serialize(secret.expose().as_bytes()).collect();
        let request = if written == secret.expose() { request } else { request.hiding(Secret::new(&written)) };
        request.hiding(secret)
    })
}

fn secrets(client: &Client, grant: Grant<'_>) -> Vec<Secret> {
    let given = match grant {
        Grant::Code { code, .. } => Some(code),
        Grant::Refresh(token) => Some(token),
        Grant::ClientCredentials => None,
    };
    given.into_iter().chain([&client.secret]).cloned().collect()
}

fn basic(client: &Client) -> Secret {
    let written = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", written(&client.id), written(client.secret.expose()));
    Secret::new(&format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn client() -> Client {
        Client { id: "client".to_owned(), secret: Secret::new("canary+secret/1") }
    }

    fn endpoint() -> Endpoint {
        Endpoint::new("https://auth.example/token?version=2".parse().expect("a URL"))
    }

    fn form(text: &str) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    #[test]
    fn a_code_goes_under_both_names_where_the_endpoint_is_one_of_those_and_under_one_by_get() {
        let code = Secret::new("canary-code");
        let grant = Grant::Code { code: &code, redirect_uri: "https://we.example/callback" };
        let endpoint = Endpoint { code_twice: true, ..endpoint() };

        let posted = form(ask(&endpoint, &client(), grant).body.text());
        let got = ask_by_get(&endpoint, &client(), grant);

        let queried = form(got.url.query().expect("a query"));
        assert_eq!((posted["code"].as_str(), posted["access_code"].as_str()), ("canary-code", "canary-code"));
        assert_eq!((got.method, queried["code"].as_str()), (Method::Get, "canary-code"));
        assert!(!queried.contains_key("access_code") && queried["version"] == "2");
        for sent in [&posted, &queried] {
            assert_eq!((sent["client_id"].as_str(), sent["client_secret"].as_str()), ("client", "canary+secret/1"));
            assert_eq!(sent["redirect_uri"], "https://we.example/callback");
        }
        assert!(!format!("{got:?}").contains("canary"), "{got:?}");
    }

    #[test]
    fn the_clients_secret_goes_into_a_header_where_it_is_wanted_there() {
        let endpoint = Endpoint { secret_in: SecretIn::Basic, scopes: vec!["a".into(), "b".into()], ..endpoint() };
        let request = ask(&endpoint, &client(), Grant::ClientCredentials);
        let sent = form(request.body.text());
        assert_eq!((sent["grant_type"].as_str(), sent["scope"].as_str()), ("client_credentials", "a b"));
        assert!(!sent.contains_key("client_secret") && request.headers.len() == 1);
    }

    #[test]
    fn parameters_can_be_a_json_object() {
        let token = Secret::new("canary-refresh");
        let endpoint = Endpoint { encoding: Encoding::Json, ..endpoint() };
        let request = ask(&endpoint, &client(), Grant::Refresh(&token));
        let sent: serde_json::Value = serde_json::from_str(request.body.text()).expect("JSON");
        assert_eq!((&sent["grant_type"], &sent["refresh_token"]), (&"refresh_token".into(), &"canary-refresh".into()));
    }

    #[test]
    fn a_login_fills_in_name_and_password() {
        let form = LoginForm {
            url: "https://files.example/api/auth".parse().expect("a URL"),
            encoding: Encoding::Json,
            fields: vec![("user".into(), "{username}".into()), ("password".into(), "{password}".into())],
        };
        let request = log_in(&form, "ada", &Secret::new("canary \"pass\""));
        let sent: serde_json::Value = serde_json::from_str(request.body.text()).expect("JSON");
        assert_eq!(sent, serde_json::json!({ "user": "ada", "password": "canary \"pass\"" }));
    }
}
