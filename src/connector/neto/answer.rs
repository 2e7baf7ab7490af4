//! The answer's envelope (spec: Neto API §1, §4.4, §5 quirks 11-13).
//!
//! Success is what `Ack` says and nothing else: an answer without it is a fault to be asked again, never an empty page.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::refusal;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::json::{self, Members, Node, Tape};

/// How far below an envelope the records lie: in `Item`, a list.
const ELEMENTS: usize = 2;

/// A page of records, still raw text.
#[derive(Debug)]
pub struct Page {
    /// The answer; the texts of its products may share it.
    pub body: Arc<String>,
    records: Vec<Range<usize>>,
    /// Bytes that were no UTF-8 have been replaced by U+FFFD.
    pub lossy: bool,
    /// The server's clock, as sent.
    pub current_time: Option<String>,
    /// What an `Ack: Warning` had to say.
    pub warnings: Vec<String>,
}

impl Page {
    /// The records in the order of the page. Empty means: past the end of the list.
    #[must_use]
    pub fn records(&self) -> impl ExactSizeIterator<Item = &str> {
        self.records.iter().map(|range| &self.body[range.clone()])
    }

    /// Bytes of the answer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }
}

/// Reads the body of an answer that came with HTTP 2xx.
pub fn decode(body: String, lossy: bool) -> Result<Page, RemoteError> {
    let text = body.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') {
        let what = if text.starts_with("<?xml") { "XML" } else { "a web page" };
        return Err(transient(format!("the answer is {what}, not JSON")));
    }
    if text.is_empty() {
        return Err(transient("the answer is empty"));
    }
    let (whole, inner);
    whole = Tape::shallow(text, ELEMENTS);
    let Some(mut envelope) = whole.as_ref().and_then(|tape| tape.root().members()) else {
        return Err(transient("the answer is no JSON object, or ends too early"));
    };
    if let Some(wrapped) = member(&envelope, "GetItemResponse") {
        inner = Tape::shallow(wrapped.raw(), ELEMENTS);
        let members = inner.as_ref().and_then(|tape| tape.root().members());
        envelope = members.ok_or_else(|| transient("GetItemResponse holds no JSON object"))?;
    }
    let said = || {
        ["Messages", "Error", "Errors"]
            .into_iter()
            .filter_map(|name| member(&envelope, name))
            .flat_map(|said| refusal::messages(said.raw()))
            .collect::<Vec<_>>()
    };
    let text_of = |name| member(&envelope, name).and_then(|value| json::text(value.raw()));
    let ack = text_of("Ack").unwrap_or_default();
    let warnings = match ack.trim().to_ascii_lowercase().as_str() {
        "success" => Vec::new(),
        "warning" => said(),
        "error" => return Err(refusal::classify(&said())),
        _ if !said().is_empty() => return Err(refusal::classify(&said())),
        _ => return Err(transient("the answer has no Ack, so it is not one of the product API")),
    };
    let mut slices = Vec::new();
    if let Some(item) = member(&envelope, "Item") {
        if item.first() == b'[' {
            item.elements().try_for_each(|element| records(element.raw(), 1, &mut slices))?;
        } else {
            records(item.raw(), 0, &mut slices)?;
        }
    }
    let start = body.as_ptr() as usize;
    let range = |slice: &str| {
        let from = slice.as_ptr() as usize - start;
        from..from + slice.len()
    };
    let records = slices.into_iter().map(range).collect();
    let current_time = text_of("CurrentTime").map(Cow::into_owned);
    Ok(Page { body: Arc::new(body), records, lossy, current_time, warnings })
}

/// `Item` is a list, one object, or any spelling of nothing.
fn records<'a>(raw: &'a str, depth: usize, out: &mut Vec<&'a str>) -> Result<(), RemoteError> {
    match raw.as_bytes().first() {
        Some(b'[') if depth < json::MAX_DEPTH => {
            let elements = json::list(raw).ok_or_else(|| transient("Item is no readable list"))?;
            elements.into_iter().try_for_each(|element| records(element, depth + 1, out))
        }
        Some(b'{') => {
            if raw.trim_matches(['{', '}', ' ', '\n', '\r', '\t']).is_empty() {
                return Ok(());
            }
            out.push(raw);
            Ok(())
        }
        _ if json::is_nothing(raw) => Ok(()),
        _ if depth > 0 => {
            out.push(raw);
            Ok(())
        }
        _ => Err(RemoteError::new(ErrorClass::Data, "Item is neither a list nor an object")),
    }
}

fn member<'t, 'a>(members: &Members<'t, 'a>, wanted: &str) -> Option<Node<'t, 'a>> {
    members.clone().find(|(name, _)| name.is(wanted)).map(|(_, value)| value)
}

fn transient(message: impl Into<String>) -> RemoteError {
    RemoteError::new(ErrorClass::Transient, message)
        .hint("it may be down for maintenance; if it stays so, check the store's URL with `netosync store check`")
}
