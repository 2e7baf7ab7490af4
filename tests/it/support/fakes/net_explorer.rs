//! NetExplorer: client credentials at a token endpoint that moves, the login of before, users, groups in pages, folders in
//! folders, files, logs. A list without rows is HTTP 204.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::office::Office;
use super::tree::{Tree, time};
use super::{Answer, Asked, Kind, System};

/// Who may log in the old way.
pub const USER: &str = "fake-user";
/// And with what.
pub const PASSWORD: &str = "fake-password";

/// See the module.
pub struct FakeNetExplorer {
    pub office: Office,
    /// Path of the token endpoint.
    pub token_path: &'static str,
    pub users: BTreeMap<i64, String>,
    pub groups: BTreeMap<i64, String>,
    pub tree: Tree,
    pub logs: Vec<Value>,
    /// Most groups in one answer, whatever was asked for.
    pub page_cap: usize,
    /// Whether the names of the parameters for offset and size are others than ours: then every answer begins at the beginning.
    pub knows_no_offset: bool,
}

impl FakeNetExplorer {
    /// A platform with so many files, five users and five groups.
    pub fn new(seed: u64, files: usize) -> Self {
        let named = |what: &str| (1..=5).map(|id| (id, format!("{what}-{id}"))).collect();
        let mut system = Self {
            office: Office::default(),
            token_path: "/oauth2/token",
            users: named("user"),
            groups: named("group"),
            tree: Tree::generate(seed, files),
            logs: Vec::new(),
            page_cap: 2,
            knows_no_offset: false,
        };
        system.log("LOGIN", 1);
        system
    }

    /// Adds a user, or gives one another name.
    pub fn put_user(&mut self, id: i64, login: &str) {
        self.users.insert(id, login.to_owned());
        self.log("USER_EDIT", id);
    }

    /// Takes a user away.
    pub fn remove_user(&mut self, id: i64) {
        self.users.remove(&id).expect("the user is there");
        self.log("USER_DELETE", id);
    }

    fn log(&mut self, kind: &str, object: i64) {
        let id = self.logs.len() + 1;
        self.logs.push(json!({
            "id": id, "date": time(u32::try_from(id).expect("few")), "type": kind, "statut": "ADMLLOG_OK", "objectId": object,
            "objectType": "user", "user": "Admin", "ip": "192.0.2.7", "message": "",
        }));
    }

    fn resource(&self, asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/api/account" => Answer::data(json!({ "id": 1, "login": "user-1", "active": true, "language": "fr" })),
            "/api/users" => Answer::data(self.users.iter().map(user).collect()),
            "/api/groups" => self.groups_page(asked),
            "/api/folders" => Answer::data(self.tree.render(asked.number("depth"))),
            "/api/logs" => Answer::data(self.logs.iter().cloned().collect()),
            _ => Answer::not_found(),
        }
    }

    /// A page in its envelope.
    fn groups_page(&self, asked: &Asked) -> Answer {
        let number =
            |name| asked.number(name).filter(|_| !self.knows_no_offset).and_then(|number| usize::try_from(number).ok());
        let start = number("offset").unwrap_or(0).min(self.groups.len());
        let size = number("limit").unwrap_or(self.page_cap).min(self.page_cap);
        let objects: Vec<_> = self.groups.iter().skip(start).take(size).map(user).collect();
        if self.groups.is_empty() {
            return Answer::data(json!([]));
        }
        Answer::data(json!({
            "offsetStart": start, "nbObjets": objects.len(), "nbTotalObjects": self.groups.len(), "objects": objects,
        }))
    }
}

fn user((id, login): (&i64, &String)) -> Value {
    json!({ "id": id, "login": login })
}

impl System for FakeNetExplorer {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.path == self.token_path {
            return self.office.token(asked);
        }
        match asked.path.as_str() {
            "/oauth2/authorize" => self.office.consent(asked),
            "/api/auth" => self.office.login(asked, USER, PASSWORD),
            _ if !self.office.admits(asked.bearer()) => {
                Answer::json(Kind::Resource, 401, json!({ "error": "token missing or no longer valid" }))
            }
            _ if asked.method == "GET" => self.resource(asked),
            _ => Answer::json(Kind::Resource, 405, json!({ "error": "method" })),
        }
    }
}
