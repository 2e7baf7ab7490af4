//! From a position to a request, without credentials.

use serde_json::{Map, Value as Json};
use url::Url;

use super::position::Place;
use super::{Code, CursorFormat, Description, PageSize, Paging, Path, PlacedParam, Position, Stream};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Answer, Method};

/// Answers in which an API says what it does not like.
const REFUSALS: std::ops::RangeInclusive<u16> = 400..=499;
/// Refusals that pass by themselves: the transport knows what to do.
const PASSING: [u16; 3] = [408, 425, 429];

/// A request before the credential is put in.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// How it is made.
    pub method: Method,
    /// Where to; always on the store's host.
    pub url: Url,
    /// Headers of the stream.
    pub headers: Vec<(String, String)>,
    /// The JSON document of a POST.
    pub body: Option<Json>,
    /// Whether HTTP 404 only means that the other path is to be tried.
    pub may_be_missing: bool,
    /// Statuses outside of 200 to 299 with which the answer is for [`Stream::page`] too, because the file says more of them than
    /// the transport knows.
    pub accepts: Vec<u16>,
}

impl Description {
    /// The small call that tests a credential. Begin at [`Position::start`]; [`Description::check_answer`] says how to go on.
    ///
    /// # Errors
    /// As [`Stream::ask`].
    pub fn check_ask(&self, store: &Url, position: &Position) -> Result<Ask, RemoteError> {
        let Some(check) = &self.check else { return self.first_stream()?.ask(self, store, position) };
        let mut url = on_store(self, store, &check.path)?;
        add_query(&mut url, check.query.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let body = (check.method == Method::Post).then(|| Json::Object(Map::new()));
        let accepts = self.accepts(false);
        Ok(Ask { method: check.method, url, headers: Vec::new(), body, may_be_missing: false, accepts })
    }

    /// What the answer to the small call says: `None` = the credential works, else where to ask once more.
    ///
    /// # Errors
    /// As [`Stream::page`].
    pub fn check_answer(
        &self,
        store: &Url,
        position: &Position,
        answer: &Answer,
    ) -> Result<Option<Position>, RemoteError> {
        if self.check.is_some() {
            return self.refusal(answer).map_or(Ok(None), Err);
        }
        let page = self.first_stream()?.page(self, store, position, answer)?;
        Ok(page.next.filter(Position::is_start))
    }

    fn first_stream(&self) -> Result<&Stream, RemoteError> {
        self.streams.first().ok_or_else(|| config("the connector describes no stream"))
    }

    /// Statuses whose answers are for the description: those it names, and all refusals when it says where their words are.
    fn accepts(&self, may_be_missing: bool) -> Vec<u16> {
        let named = self.errors.classes.iter().filter_map(|(code, _)| match code {
            Code::Status(status) => Some(*status),
            Code::Text(_) => None,
        });
        let tells = self.errors.code.is_some() || self.errors.message.is_some();
        let refusals = REFUSALS.filter(|status| tells && !PASSING.contains(status));
        let mut accepts: Vec<u16> = named.chain(refusals).chain(may_be_missing.then_some(404)).collect();
        accepts.sort_unstable();
        accepts.dedup();
        accepts
    }
}

impl Stream {
    /// The request for the page at `position`.
    ///
    /// # Errors
    /// `Config` when no URL of the store can be made of it.
    pub fn ask(&self, description: &Description, store: &Url, position: &Position) -> Result<Ask, RemoteError> {
        let path = self.fallback_path.as_ref().filter(|_| position.fallback).unwrap_or(&self.path);
        let mut body = self.body.clone();
        if self.method == Method::Post && body.is_none() {
            body = Some(Json::Object(Map::new()));
        }
        let may_be_missing = self.fallback_path.is_some() && !position.fallback && position.is_start();
        let url = if let Place::Link(link) = &position.place {
            let link = Url::parse(link).ok().filter(|link| link.origin() == store.origin());
            link.ok_or_else(|| config("the checkpoint holds a link that does not belong to the store"))?
        } else {
            let mut url = on_store(description, store, path)?;
            let mut query: Vec<(&str, String)> =
                self.query.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            for (param, value) in self.parameters(position) {
                match param {
                    PlacedParam::Query(name) => query.push((name, plain(&value))),
                    PlacedParam::Body(path) => set(&mut body, path, value),
                }
            }
            add_query(&mut url, query);
            url
        };
        let (headers, accepts) = (self.headers.clone(), description.accepts(may_be_missing));
        Ok(Ask { method: self.method, url, headers, body, may_be_missing, accepts })
    }

    /// The parameters of paging and cursor, with their values.
    fn parameters(&self, position: &Position) -> Vec<(&PlacedParam, Json)> {
        let mut parameters = Vec::new();
        if let (Some(cursor), Some(since)) = (&self.cursor, position.since)
            && let Some(param) = &cursor.param
        {
            parameters.push((param, typed(&cursor.format, cursor.format.write(since))));
        }
        match (&self.paging, &position.place) {
            (Paging::Page { param, first, .. }, place) => {
                let number = if let Place::Page(number) = place { *number } else { *first };
                parameters.push((param, number.into()));
            }
            (Paging::Offset { param, .. }, place) => {
                let start = if let Place::Offset(start) = place { *start } else { 0 };
                parameters.push((param, start.into()));
            }
            (Paging::Cursor { param, .. }, Place::Token(token)) => parameters.push((param, token.as_str().into())),
            _ => {}
        }
        let size = self.page_size().map(|size| (&size.param, size.size.into()));
        parameters.extend(size);
        parameters
    }

    /// The size of its pages, where it is asked for.
    #[must_use]
    pub fn page_size(&self) -> Option<&PageSize> {
        match &self.paging {
            Paging::Page { size, .. } | Paging::Offset { size, .. } | Paging::Cursor { size, .. } => size.as_ref(),
            Paging::None | Paging::NextLink(_) => None,
        }
    }
}

fn typed(format: &CursorFormat, text: String) -> Json {
    match text.parse::<i64>() {
        Ok(number) if format.is_number() => number.into(),
        _ => text.into(),
    }
}

/// A parameter as the query spells it.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Puts a parameter into the body, with the objects on the way.
fn set(body: &mut Option<Json>, path: &Path, value: Json) {
    let mut at = body.get_or_insert_with(|| Json::Object(Map::new()));
    for name in path.names() {
        if !at.is_object() {
            *at = Json::Object(Map::new());
        }
        let Json::Object(members) = at else { return };
        at = members.entry(name.as_str()).or_insert(Json::Null);
    }
    *at = value;
}

fn on_store(description: &Description, store: &Url, path: &str) -> Result<Url, RemoteError> {
    let text = format!("{}{path}", description.base_of(store));
    let url = Url::parse(&text).ok().filter(|url| url.origin() == store.origin());
    url.ok_or_else(|| config(format!("the path {path} of connector {} makes no address of {store}", description.name)))
}

fn add_query<'q>(url: &mut Url, query: impl IntoIterator<Item = (&'q str, String)>) {
    let mut query = query.into_iter().peekable();
    if query.peek().is_some() {
        url.query_pairs_mut().extend_pairs(query);
    }
}

fn config(message: impl Into<String>) -> RemoteError {
    RemoteError::new(ErrorClass::Config, message).hint("look at the store's URL and at the connector's file")
}
