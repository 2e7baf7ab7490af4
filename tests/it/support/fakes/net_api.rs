//! The Net API: users, behind an API key or a token of OAuth 2.0, and its HTTP 401.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::office::Office;
use super::{Answer, Asked, Kind, System};

/// See the module.
pub struct FakeNetApi {
    pub office: Office,
    /// The API key; `None` = there is none any more.
    pub api_key: Option<String>,
    pub users: BTreeMap<i64, String>,
    /// The field that holds the list, where the answer is not the list itself.
    pub wrapped_in: Option<&'static str>,
}

impl FakeNetApi {
    /// With so many users.
    pub fn new(users: i64) -> Self {
        Self {
            office: Office::default(),
            api_key: Some("fake-api-key".to_owned()),
            users: (1..=users).map(|id| (id, format!("User {id}"))).collect(),
            wrapped_in: None,
        }
    }

    /// Adds a user, or gives one another name.
    pub fn put_user(&mut self, id: i64, name: &str) {
        self.users.insert(id, name.to_owned());
    }

    /// Takes a user away.
    pub fn remove_user(&mut self, id: i64) {
        self.users.remove(&id).expect("the user is there");
    }
}

impl System for FakeNetApi {
    fn answer(&mut self, asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/oauth/token" => return self.office.token(asked),
            "/oauth/authorize" => return self.office.consent(asked),
            _ => {}
        }
        let by_key = self.api_key.is_some() && asked.bearer() == self.api_key.as_deref() && !self.office.is_revoked();
        if !by_key && !self.office.admits(asked.bearer()) {
            let message = "Authentication failed. Please check your API key or token.";
            let error = json!({ "error": { "code": "UNAUTHENTICATED", "message": message } });
            return Answer::json(Kind::Resource, 401, error);
        }
        if asked.path != "/v1/users" || asked.method != "GET" {
            return Answer::not_found();
        }
        let users: Value = self.users.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
        match self.wrapped_in {
            Some(field) => Answer::data(json!({ field: users })),
            None => Answer::data(users),
        }
    }
}
