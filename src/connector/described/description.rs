//! What a file says, read and checked: the types. [`Description::parse`] makes them.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use url::Url;

use super::{Auth, Paging, Path, Template};
use crate::domain::error::ErrorClass;
use crate::domain::http::Method;

/// An API, described.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Name of the connector: what `stores.connector` holds, and the file's name without `.toml`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Address of a store that is added without one.
    pub default_url: Option<Url>,
    /// What every path is appended to. Knows `{store}` (the store's URL without the slash at its end) and begins with it.
    pub base: Template,
    /// The ways in, in the order of the file; never empty. The first is the default.
    pub auth: Vec<Auth>,
    /// The small call that tests a credential; `None` = the first page of the first stream.
    pub check: Option<Check>,
    /// The most calls that a store bears in a minute; `None` = the configured budget.
    pub calls_per_minute: Option<u32>,
    /// What error answers mean.
    pub errors: Errors,
    /// What is read, in the order of the file; never empty.
    pub streams: Vec<Stream>,
}

impl Description {
    /// The way in of this scheme.
    #[must_use]
    pub fn auth_of(&self, scheme: &str) -> Option<&Auth> {
        self.auth.iter().find(|auth| auth.scheme() == scheme)
    }

    /// The stream of this name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// The URL to which every path of this store is appended.
    #[must_use]
    pub fn base_of(&self, store: &Url) -> String {
        self.base.fill(&[("store", without_slash(store))])
    }

    /// `template` with `{store}` and `{base}` of this store, for token, login and authorize URLs.
    #[must_use]
    pub fn at(&self, template: &Template, store: &Url) -> String {
        template.fill(&[("store", without_slash(store)), ("base", &self.base_of(store))])
    }
}

fn without_slash(store: &Url) -> &str {
    store.as_str().trim_end_matches('/')
}

/// The small call that tests a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// How it is made.
    pub method: Method,
    /// Appended to the base; begins with `/`.
    pub path: String,
    /// Its query.
    pub query: BTreeMap<String, String>,
}

/// What error answers mean, and where they say so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors {
    /// Where an error answer has its code.
    pub code: Option<Path>,
    /// Where it has its sentence.
    pub message: Option<Path>,
    /// What tells an error inside an HTTP 2xx.
    pub failed: Option<Failed>,
    /// What codes and statuses mean, where the usual meaning of the status is not it.
    pub classes: Vec<(Code, ErrorClass)>,
}

/// An error code of the API or an HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// The API's own code; compared without regard to case.
    Text(String),
    /// An HTTP status, 300 to 599.
    Status(u16),
}

/// An answer with HTTP 2xx is an error when the value at `path` is one of `equals`.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Where to look.
    pub path: Path,
    /// The values that say "error"; compared as text, without regard to case.
    pub equals: Vec<String>,
}

/// One list of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its name: `records.stream`.
    pub name: String,
    /// How it is asked for.
    pub method: Method,
    /// Appended to the base; begins with `/`.
    pub path: String,
    /// Asked for instead when `path` answers HTTP 404.
    pub fallback_path: Option<String>,
    /// Its query.
    pub query: BTreeMap<String, String>,
    /// Its JSON body; always an object. Only with POST.
    pub body: Option<Json>,
    /// Headers of its own. None of them can hold a credential.
    pub headers: Vec<(String, String)>,
    /// Where the list is: the first of these that the answer has. `""` is the root.
    pub items: Vec<Path>,
    /// Where a record's key is; several make a compound key. Never empty.
    pub key: Vec<Path>,
    /// What tells which records are new.
    pub cursor: Option<Cursor>,
    /// How the list is cut into pages.
    pub paging: Paging,
    /// How a tree is walked.
    pub flatten: Option<Flatten>,
    /// Fields that are not kept, such as tokens or what changes with every call.
    pub drop: Vec<Path>,
}

/// The field that tells which records are new.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// Where it is in a record.
    pub field: Path,
    /// The query or body parameter that asks for what changed since; `None` = the API cannot be asked.
    pub param: Option<super::PlacedParam>,
    /// How its values are written.
    pub format: CursorFormat,
}

/// How the values of a cursor are written, in records and in the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorFormat {
    /// `2026-03-30T17:12:09+02:00`.
    Rfc3339,
    /// `2026-03-30`.
    Date,
    /// Seconds since 1970, a number or a text.
    Unix,
    /// Milliseconds since 1970, a number or a text.
    UnixMs,
    /// A whole number that only grows.
    Number,
    /// A pattern of strftime, in UTC unless it has a zone.
    Pattern(String),
}

/// A tree in which each node hangs under another.
#[derive(Clone, Debug, PartialEq)]
pub struct Flatten {
    /// Where a node's children are.
    pub children: Path,
    /// Where the records hang on a node; `None` = the nodes themselves are the records (without their children).
    pub take: Option<Path>,
}
