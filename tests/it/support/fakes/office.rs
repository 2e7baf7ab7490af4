//! Where tokens come from: OAuth 2.0 with client credentials, codes that work once and refresh tokens that work once; and the
//! login of before. Tokens end after so many calls, or when everything is revoked.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use super::{Answer, Asked, Kind};

/// See the module. Whoever reads this knows the secrets.
pub struct Office {
    pub client_id: &'static str,
    pub client_secret: &'static str,
    /// The grants it knows.
    pub grants: &'static [&'static str],
    /// How many calls a token is good for; `None` = for ever.
    pub calls_per_token: Option<u64>,
    /// What it says of a token's life, in seconds; nothing ends by it.
    pub expires_in: Option<u64>,
    /// Whether it gives refresh tokens (never with client credentials).
    pub gives_refresh: bool,
    /// The scopes a consent gave, in the answer.
    pub scope: Option<String>,
    /// Whether the fields may come as JSON.
    pub takes_json: bool,
    given: u64,
    codes: HashMap<String, String>,
    access: HashMap<String, u64>,
    refresh: HashSet<String>,
    revoked: bool,
}

impl Default for Office {
    fn default() -> Self {
        Self {
            client_id: "fake-client",
            client_secret: "fake-client-secret",
            grants: &["client_credentials", "authorization_code", "refresh_token"],
            calls_per_token: None,
            expires_in: Some(3600),
            gives_refresh: true,
            scope: None,
            takes_json: false,
            given: 0,
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashSet::new(),
            revoked: false,
        }
    }
}

impl Office {
    /// Ends every access token; refresh tokens and clients go on.
    pub fn end_access(&mut self) {
        self.access.clear();
    }

    /// Ends everything: tokens, codes, the client and the login, until [`Office::restore`].
    pub fn revoke(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.codes.clear();
        self.revoked = true;
    }

    /// The client is welcome again; what was given before is not.
    pub fn restore(&mut self) {
        self.revoked = false;
    }

    /// Whether nothing is given out any more.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// A person's consent, given at once: sends the browser back with a code.
    pub fn consent(&mut self, asked: &Asked) -> Answer {
        let get = |name: &str| asked.query.get(name).map(String::as_str).unwrap_or_default();
        let back = url::Url::parse(get("redirect_uri"));
        let (Ok(mut back), true) = (back, get("client_id") == self.client_id && get("response_type") == "code") else {
            return refuse(Kind::Consent, 400, "invalid_request");
        };
        if self.revoked {
            return refuse(Kind::Consent, 400, "unauthorized_client");
        }
        let code = self.next("code");
        self.codes.insert(code.clone(), get("redirect_uri").to_owned());
        self.scope = asked.query.get("scope").cloned().or(self.scope.take());
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", get("state"));
        Answer { status: 302, kind: Kind::Consent, json: None, location: Some(back.into()) }
    }

    /// A token, by one of the grants. The secret has to be in the body.
    pub fn token(&mut self, asked: &Asked) -> Answer {
        let is_json = asked.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if asked.method != "POST" || is_json && !self.takes_json {
            return refuse(Kind::Token, 400, "invalid_request");
        }
        let fields = asked.fields();
        let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if self.revoked || get("client_id") != self.client_id || get("client_secret") != self.client_secret {
            return refuse(Kind::Token, 401, "invalid_client");
        }
        let grant = get("grant_type");
        if !self.grants.contains(&grant) {
            return refuse(Kind::Token, 400, "unsupported_grant_type");
        }
        match grant {
            "client_credentials" => self.give(false),
            "authorization_code" if self.codes.remove(get("code")).is_some_and(|sent| sent == get("redirect_uri")) => {
                self.give(self.gives_refresh)
            }
            "refresh_token" if self.refresh.remove(get("refresh_token")) => self.give(self.gives_refresh),
            _ => refuse(Kind::Token, 400, "invalid_grant"),
        }
    }

    /// The login of before, by user and password in JSON: `{"token"}`.
    pub fn login(&mut self, asked: &Asked, user: &str, password: &str) -> Answer {
        let fields: BTreeMap<String, String> = serde_json::from_str(&asked.body).unwrap_or_default();
        let has = |name: &str, value: &str| fields.get(name).is_some_and(|given| given == value);
        if self.revoked || asked.method != "POST" || !has("user", user) || !has("password", password) {
            return refuse(Kind::Token, 401, "bad credentials");
        }
        let token = self.new_access();
        Answer::json(Kind::Token, 200, json!({ "token": token }))
    }

    /// Whether a call with that token goes through; it is one call less.
    pub fn admits(&mut self, token: Option<&str>) -> bool {
        let Some(left) = token.and_then(|token| self.access.get_mut(token)) else { return false };
        if *left == 0 {
            return false;
        }
        *left -= 1;
        true
    }

    fn give(&mut self, with_refresh: bool) -> Answer {
        let mut answer = json!({ "token_type": "Bearer", "access_token": self.new_access() });
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                answer[name] = value;
            }
        };
        add("expires_in", self.expires_in.map(Value::from));
        add("scope", self.scope.clone().map(Value::from));
        if with_refresh {
            let refresh = self.next("refresh");
            self.refresh.insert(refresh.clone());
            add("refresh_token", Some(refresh.into()));
        }
        Answer::json(Kind::Token, 200, answer)
    }

    fn new_access(&mut self) -> String {
        let access = self.next("access");
        self.access.insert(access.clone(), self.calls_per_token.unwrap_or(u64::MAX));
        access
    }

    fn next(&mut self, what: &str) -> String {
        self.given += 1;
        format!("fake-{what}-token-{}", self.given)
    }
}

fn refuse(kind: Kind, status: u16, error: &str) -> Answer {
    Answer::json(kind, status, json!({ "error": error }))
}
