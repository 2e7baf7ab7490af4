//! From an answer to its records and the next position.

use std::borrow::Cow;

use url::Url;

use super::refusal::quoted;
use super::{Description, Mark, Position, Stream, items, walk};
use crate::domain::error::RemoteError;
use crate::domain::http::Answer;
use crate::domain::json;

/// The longest key of a record, in bytes: what an index entry of either database takes.
const MAX_KEY: usize = 1024;

/// A page of a stream's list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its records, in the order of the answer.
    pub records: Vec<Record>,
    /// What cannot be a record.
    pub bad: Vec<Bad>,
    /// Where the list goes on; `None` = this was its end.
    pub next: Option<Position>,
    /// How many elements the list has in all, where the API says so.
    pub total: Option<u64>,
    /// Why the end may not be the end, in one sentence: the verdict of the run is `partial`, and nothing may be taken for gone.
    pub doubt: Option<String>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key within the stream. A compound key is a JSON list of its parts.
    pub key: String,
    /// Its content as canonical JSON (keys in order, no white space, numbers as spelled): the same content is the same text.
    pub data: String,
    /// Its value of the cursor field, where it has one that can be read.
    pub mark: Option<Mark>,
}

/// An element of the list that cannot be a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Why, in one sentence.
    pub reason: String,
    /// The element as it came.
    pub raw: String,
}

impl Stream {
    /// The records and the next position in the answer to [`Stream::ask`] for `position`.
    ///
    /// # Errors
    /// Of the class that the answer's status or `[errors]` gives; `Transient` when it is no JSON, `Data` when there is no
    /// list in it, or when its next page leads back or to another host.
    pub fn page(
        &self,
        description: &Description,
        store: &Url,
        position: &Position,
        reply: &Answer,
    ) -> Result<Page, RemoteError> {
        let ask = self.ask(description, store, position)?;
        if reply.status == 404 && ask.may_be_missing {
            let next = Some(Position { fallback: true, ..position.clone() });
            return Ok(Page { records: Vec::new(), bad: Vec::new(), next, total: None, doubt: None });
        }
        if let Some(error) = description.refusal(reply) {
            return Err(error);
        }
        let elements = items::elements(self, reply.status, &reply.body)?;
        let step = walk::step(self, store, &ask.url, position, reply, &elements)?;
        if step.repeated {
            return Ok(Page { records: Vec::new(), bad: Vec::new(), next: None, total: step.total, doubt: step.doubt });
        }
        let mut page =
            Page { records: Vec::new(), bad: Vec::new(), next: step.next, total: step.total, doubt: step.doubt };
        for raw in items::records(self, elements)? {
            match self.record(raw) {
                Ok(record) => page.records.push(record),
                // What is not kept of a record, such as a token, is not kept of one that is none either.
                Err(reason) => {
                    let raw = items::kept(self, raw).map_or_else(|| raw.to_owned(), Cow::into_owned);
                    page.bad.push(Bad { reason, raw });
                }
            }
        }
        Ok(page)
    }

    /// One element as a record, or why it is none.
    pub fn record(&self, raw: &str) -> Result<Record, String> {
        let kept = items::kept(self, raw).ok_or_else(|| "it is no object".to_owned())?;
        let key = self.key_of(&kept)?;
        let data = json::canonical(&kept)
            .ok_or_else(|| format!("it nests deeper than {} levels, or holds invalid text", json::MAX_DEPTH))?;
        let mark = self.cursor.as_ref().and_then(|cursor| cursor.format.read(&cursor.field.scalar(&kept)?));
        Ok(Record { key, data, mark })
    }

    fn key_of(&self, raw: &str) -> Result<String, String> {
        let mut parts = Vec::with_capacity(self.key.len());
        for path in &self.key {
            match path.scalar(raw) {
                Some(part) if !part.is_empty() => parts.push(part),
                _ => return Err(format!("it has no `{path}`, which is its key")),
            }
        }
        let key = match <[String; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) => {
                let mut list = String::from("[");
                for (n, part) in parts.iter().enumerate() {
                    if n > 0 {
                        list.push(',');
                    }
                    json::write_string(part, &mut list);
                }
                list + "]"
            }
        };
        if key.len() > MAX_KEY {
            return Err(format!("its key is longer than {MAX_KEY} bytes: {}", quoted(&key)));
        }
        Ok(key.replace('\0', "\u{fffd}"))
    }
}
