//! Neos: a person's consent, the client's secret in the form, and the profile of who consented, by a singular path, by a plural
//! one, or both.

use serde_json::json;

use super::office::Office;
use super::{Answer, Asked, Kind, System};

/// See the module.
pub struct FakeNeos {
    pub office: Office,
    /// Whether only the plural path leads anywhere.
    pub plural_only: bool,
    pub id: &'static str,
    pub username: String,
    pub tags: Vec<&'static str>,
}

impl Default for FakeNeos {
    fn default() -> Self {
        let mut office = Office::default();
        office.grants = &["authorization_code", "refresh_token"];
        office.gives_refresh = false;
        Self {
            office,
            plural_only: false,
            id: "U-Example",
            username: "Example".to_owned(),
            tags: vec!["early supporter"],
        }
    }
}

impl System for FakeNeos {
    fn answer(&mut self, asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/connect/token" => return self.office.token(asked),
            "/connect/authorize" => return self.office.consent(asked),
            _ => {}
        }
        let path = asked.path.as_str();
        let found = path == "/api/user/profiles" || path == "/api/user/profile" && !self.plural_only;
        // Where there is nothing nobody asks who comes.
        if !found || asked.method != "GET" {
            return Answer::not_found();
        }
        if !self.office.admits(asked.bearer()) {
            return Answer::json(Kind::Resource, 401, json!({ "error": "invalid_token" }));
        }
        let mut profile = json!({ "id": self.id, "username": self.username, "tags": self.tags });
        if self.office.scope.as_deref().is_some_and(|scope| scope.split(' ').any(|scope| scope == "email")) {
            profile["email"] = "player@example.invalid".into();
        }
        Answer::data(profile)
    }
}
