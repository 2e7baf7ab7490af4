//! `[auth.SCHEME]`: the ways in.

use std::collections::BTreeMap;

use super::section::{Section, shown, text_of};
use crate::connector::described::mistake::Mistakes;
use crate::connector::described::{Auth, Login, Template, TokenCall};
use crate::connector::oauth::{Encoding, SecretIn};

const SCHEMES: [&str; 6] = ["bearer", "header-key", "header-pair", "client-credentials", "authorization-code", "login"];
const ENCODINGS: [(&str, Encoding); 2] = [("form", Encoding::Form), ("json", Encoding::Json)];
const PLACES: [(&str, SecretIn); 2] = [("body", SecretIn::Body), ("basic", SecretIn::Basic)];
const TOKEN_KEYS: [&str; 5] = ["token_url", "encoding", "secret_in", "scopes", "extra"];
const URL_NAMES: [&str; 2] = ["store", "base"];
/// Parameters of a token call that are the program's to fill in.
const OURS: [&str; 10] = [
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "scope",
    "username",
];
/// Headers that are the transport's.
const TRANSPORTS: [&str; 12] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn read(file: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Vec<Auth> {
    let Some(auth) = file.get("auth").map(|_| file.table("auth", &SCHEMES, mistakes)) else {
        mistakes.note_with(
            &(0..0),
            "a connector must have at least one way in",
            format!("add a table such as `[auth.bearer]`; the schemes are {}", SCHEMES.join(", ")),
        );
        return Vec::new();
    };
    let Some(auth) = auth else { return Vec::new() };
    if auth.members().is_empty() {
        file.wrong("auth", &format!("must have at least one scheme of {}", SCHEMES.join(", ")), mistakes);
    }
    let schemes = auth.members().into_iter().map(|(scheme, ..)| scheme);
    schemes.filter_map(|scheme| one(&auth, scheme, mistakes)).collect()
}

fn one(auth: &Section<'_, '_>, scheme: &str, mistakes: &mut Mistakes<'_>) -> Option<Auth> {
    match scheme {
        "bearer" => auth.table(scheme, &[], mistakes).map(|_| Auth::Bearer),
        "header-key" => {
            let table = auth.table(scheme, &["header", "prefix"], mistakes)?;
            table.need("header", "\"X-Api-Key\"", mistakes);
            let prefix = table.parsed("prefix", header_text, mistakes).unwrap_or_default();
            Some(Auth::HeaderKey { header: table.parsed("header", key_header, mistakes)?, prefix })
        }
        "header-pair" => {
            let table = auth.table(scheme, &["id_header", "key_header"], mistakes)?;
            table.need("id_header", "\"X-Client-Id\"", mistakes);
            table.need("key_header", "\"X-Client-Key\"", mistakes);
            let id_header = table.parsed("id_header", key_header, mistakes);
            let key_header = table.parsed("key_header", key_header, mistakes);
            let (id_header, key_header) = (id_header?, key_header?);
            if id_header.eq_ignore_ascii_case(&key_header) {
                table.wrong("key_header", "must be another header than `id_header`", mistakes);
            }
            Some(Auth::HeaderPair { id_header, key_header })
        }
        "client-credentials" => {
            let table = auth.table(scheme, &TOKEN_KEYS, mistakes)?;
            token_call(&table, mistakes).map(Auth::ClientCredentials)
        }
        "authorization-code" => {
            let known: Vec<_> = ["authorize_url"].into_iter().chain(TOKEN_KEYS).collect();
            let table = auth.table(scheme, &known, mistakes)?;
            table.need("authorize_url", "\"{store}/oauth2/authorize\"", mistakes);
            let authorize_url = url(&table, "authorize_url", mistakes);
            let token = token_call(&table, mistakes);
            Some(Auth::AuthorizationCode { authorize_url: authorize_url?, token: token? })
        }
        "login" => login(&auth.table(scheme, &["url", "body", "encoding", "token", "expires_in"], mistakes)?, mistakes),
        _ => None, // an unknown key of `auth`, already noted
    }
}

fn token_call(table: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<TokenCall> {
    table.need("token_url", "\"{store}/oauth2/token\"", mistakes);
    let token_url = url(table, "token_url", mistakes);
    let encoding = table.choice("encoding", &ENCODINGS, mistakes).unwrap_or(Encoding::Form);
    let secret_in = table.choice("secret_in", &PLACES, mistakes).unwrap_or(SecretIn::Body);
    let mut scopes = Vec::new();
    if table.get("scopes").is_some_and(|node| node.get_ref().as_array().is_none()) {
        table.wrong("scopes", "must be a list of texts such as [\"profile\", \"email\"]", mistakes);
    } else {
        for (scope, at) in table.texts("scopes", mistakes).unwrap_or_default() {
            if scope.is_empty() || scope.contains(char::is_whitespace) {
                mistakes.note(&at, format!("a member of {} must be one word", table.called("scopes")));
            }
            scopes.push(scope);
        }
    }
    let extra = table.scalars("extra", mistakes);
    if let Some(ours) = extra.keys().find(|name| OURS.contains(&name.as_str())) {
        table.wrong("extra", &format!("must not set `{ours}`: the program fills it in"), mistakes);
    }
    Some(TokenCall { token_url: token_url?, encoding, secret_in, scopes, extra })
}

fn login(table: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Auth> {
    table.need("url", "\"{base}/auth\"", mistakes);
    table.need("body", "{ user = \"{username}\", password = \"{password}\" }", mistakes);
    table.need("token", "\"token\"", mistakes);
    let url = url(table, "url", mistakes);
    let encoding = table.choice("encoding", &ENCODINGS, mistakes).unwrap_or(Encoding::Json);
    let token = table.path("token", mistakes);
    let expires_in = table.path("expires_in", mistakes);
    let mut body = BTreeMap::new();
    let fields = table.any_table("body", mistakes)?;
    for (name, at, node) in fields.members() {
        let value = text_of(node)
            .and_then(|text| Template::parse(&text, &["username", "password"]).map_err(|unknown| unknown.0));
        match value {
            Ok(value) => _ = body.insert(name.to_owned(), value),
            Err(rule) => {
                mistakes.note(&super::section::place_of(at, node), format!("{} {rule}", fields.called(&shown(name))));
            }
        }
    }
    if body.len() == fields.members().len() && !body.values().any(|value| value.has("password")) {
        table.wrong("body", "must have {password} in one of its values", mistakes);
    }
    Some(Auth::Login(Login { url: url?, body, encoding, token: token?, expires_in }))
}

/// The address of a call for tokens: on the store, or anywhere by https.
fn url(table: &Section<'_, '_>, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Template> {
    let template = table.template(key, &URL_NAMES, mistakes)?;
    let on_store = URL_NAMES.iter().any(|name| template.begins_with(name));
    let filled = template.fill(&[("store", "https://store.example"), ("base", "https://store.example")]);
    let parsed = url::Url::parse(&filled).ok();
    let fits = |url: &url::Url| {
        url.scheme() == "https"
            && url.has_host()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && (!on_store || url.host_str() == Some("store.example") && url.port().is_none())
    };
    if parsed.as_ref().is_some_and(fits) {
        return Some(template);
    }
    table.wrong(key, "must be an https URL, or begin with {store}/ or {base}/", mistakes);
    None
}

/// A header that holds a credential.
fn key_header(name: &str) -> Result<String, String> {
    header_name(name)?;
    if name.eq_ignore_ascii_case("cookie") {
        return Err("must not be Cookie: sessions are not kept".to_owned());
    }
    Ok(name.to_owned())
}

/// The rule for names of headers.
pub(super) fn header_name(name: &str) -> Result<String, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !(1..=100).contains(&name.len()) || !name.bytes().all(token) {
        return Err("must be the name of a header: letters, digits and hyphens".to_owned());
    }
    if TRANSPORTS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("must not be {name}: the program sets that header by itself"));
    }
    Ok(name.to_owned())
}

/// The rule for values of headers.
pub(super) fn header_text(text: &str) -> Result<String, String> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        Ok(text.to_owned())
    } else {
        Err("must be plain ASCII".to_owned())
    }
}
