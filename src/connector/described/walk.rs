//! Where a list goes on, and whether its end can be believed.
//!
//! A short page is no end: some APIs cap the size of their pages below what was asked for, others filter after cutting.
//! The end is an empty page, a total that is reached, an API that says so, or a page that brings nothing new.

use url::Url;

use super::position::Place;
use super::refusal::quoted;
use super::{NextLink, Paging, Path, Position, Stream, TokenPlace};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;
use crate::domain::json;

/// The longest link or token that is followed, in bytes.
const MAX_PLACE: usize = 8192;

/// What follows a page.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub next: Option<Position>,
    pub total: Option<u64>,
    pub doubt: Option<String>,
    /// The page is one that came before: its records are known.
    pub repeated: bool,
}

pub(super) fn step(
    stream: &Stream,
    store: &Url,
    asked: &Url,
    position: &Position,
    reply: &Answer,
    elements: &[&str],
) -> Result<Step, RemoteError> {
    let came = elements.len() as u64;
    let more = |path: &Option<Path>| path.as_ref().and_then(|path| flag(&path.scalar(&reply.body)?));
    let go = |place: Place, trail| {
        let (pages, seen) = (position.pages + 1, position.seen + came);
        Position { place, pages, seen, trail, ..position.clone() }
    };
    match &stream.paging {
        Paging::None => Ok(Step { total: Some(came), ..Step::default() }),
        Paging::Page { first, size, total, more: says_more, .. } => {
            let number = if let Place::Page(number) = position.place { number } else { *first };
            let total = count(total.as_ref(), &reply.body);
            let counted = Counted {
                came,
                seen: position.seen,
                total,
                more: more(says_more),
                size: size.as_ref().map(|size| size.size),
            };
            Ok(counted.step(stream, position, elements, |trail| go(Place::Page(number + 1), trail)))
        }
        Paging::Offset { size, total, start, count: counts, more: says_more, .. } => {
            let asked_for = if let Place::Offset(start) = position.place { start } else { 0 };
            let total = count(total.as_ref(), &reply.body);
            let came_at = count(start.as_ref(), &reply.body).unwrap_or(asked_for);
            if came_at != asked_for {
                let doubt = format!(
                    "it was asked for what follows element {asked_for} and answered with what follows {came_at}"
                );
                return Ok(Step { total, doubt: Some(doubt), repeated: came_at < asked_for, next: None });
            }
            // An API that counts for itself may leave out of the list what we may not see.
            let counted = count(counts.as_ref(), &reply.body).filter(|counted| *counted >= came).unwrap_or(came);
            let counts = Counted {
                came: counted,
                seen: asked_for,
                total,
                more: more(says_more),
                size: size.as_ref().map(|size| size.size),
            };
            let next = |trail| Position { seen: asked_for + counted, ..go(Place::Offset(asked_for + counted), trail) };
            Ok(counts.step(stream, position, elements, next))
        }
        Paging::NextLink(place) => {
            let Some(link) = link(place, asked, reply)? else { return Ok(Step::default()) };
            if link.origin() != store.origin() || !link.username().is_empty() || link.password().is_some() {
                let host = quoted(link.host_str().unwrap_or("nowhere"));
                return Err(data(format!(
                    "the link to the next page leads away from the store, to {}://{host}",
                    link.scheme()
                )));
            }
            let place = String::from(link);
            let mut trail = position.trail.clone();
            onward(place == asked.as_str() || !trail.step(&place), came)
                .map(|on| Step { next: on.then(|| go(Place::Link(place), trail)), ..Step::default() })
        }
        Paging::Cursor { token, more: says_more, .. } => {
            if more(says_more) == Some(false) {
                return Ok(Step::default());
            }
            let Some(token) = token_of(token, reply, elements)? else {
                let doubt = (more(says_more) == Some(true))
                    .then(|| "it says that there is more, but brings no token for it".to_owned());
                return Ok(Step { doubt, ..Step::default() });
            };
            let same = position.place == Place::Token(token.clone());
            let mut trail = position.trail.clone();
            onward(same || !trail.step(&token), came)
                .map(|on| Step { next: on.then(|| go(Place::Token(token), trail)), ..Step::default() })
        }
    }
}

/// Whether to follow a link or token; one that leads back is an end only when nothing came with it.
fn onward(back: bool, came: u64) -> Result<bool, RemoteError> {
    match (back, came) {
        (false, _) => Ok(true),
        (true, 0) => Ok(false),
        (true, _) => Err(data("the next page that the answer names is one that was read before")),
    }
}

/// A page of an API that counts pages or records.
struct Counted {
    came: u64,
    seen: u64,
    total: Option<u64>,
    more: Option<bool>,
    size: Option<u32>,
}

impl Counted {
    fn step(
        self,
        stream: &Stream,
        position: &Position,
        elements: &[&str],
        next: impl FnOnce(super::position::Trail) -> Position,
    ) -> Step {
        let Self { came, seen, total, more, size } = self;
        let short = |have: u64| {
            total
                .filter(|total| have < *total)
                .map(|total| format!("it says that there are {total} in all, but only {have} came"))
        };
        let end = |doubt| Step { total, doubt, ..Step::default() };
        if elements.is_empty() {
            let doubt = short(seen + came).or_else(|| {
                (more == Some(true)).then(|| "it says that there is more, but the page is empty".to_owned())
            });
            return end(doubt);
        }
        let mut trail = position.trail.clone();
        if !trail.step(&fingerprint(stream, elements)) {
            // A first page that comes again and is as long as was asked for may be all that we ever get to see.
            let stuck = position.pages == 1 && size.is_none_or(|size| elements.len() as u64 == u64::from(size));
            let doubt = match total {
                Some(_) => short(seen),
                None => stuck.then(|| {
                    "its second page is the first again: it may not know the parameter of `paging`".to_owned()
                }),
            };
            return Step { total, doubt, repeated: true, next: None };
        }
        if more == Some(false) {
            return end(short(seen + came));
        }
        if more.is_none() && total.is_some_and(|total| seen + came >= total) {
            return end(None);
        }
        Step { next: Some(next(trail)), total, doubt: None, repeated: false }
    }
}

/// What tells one page from another: the keys of its elements, else the elements.
fn fingerprint(stream: &Stream, elements: &[&str]) -> String {
    let mut print = String::new();
    for element in elements {
        let keys = stream
            .flatten
            .is_none()
            .then(|| stream.key.iter().map(|path| path.find(element)).collect::<Option<Vec<_>>>());
        match keys.flatten() {
            Some(keys) => keys.into_iter().for_each(|key| print.push_str(key)),
            None => print.push_str(element),
        }
        print.push('\n');
    }
    print
}

fn count(path: Option<&Path>, body: &str) -> Option<u64> {
    path?.scalar(body)?.trim().parse().ok()
}

fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn link(place: &NextLink, asked: &Url, reply: &Answer) -> Result<Option<Url>, RemoteError> {
    let text = match place {
        NextLink::Path(path) => scalar_or_nothing(path, &reply.body)?,
        NextLink::Header => reply.link.as_deref().and_then(next_of),
    };
    let Some(text) = text else { return Ok(None) };
    if text.len() > MAX_PLACE {
        return Err(data(format!("the link to the next page is longer than {MAX_PLACE} bytes")));
    }
    let link = asked.join(&text).map_err(|_| data("the link to the next page is no URL"))?;
    Ok(Some(link))
}

/// The address with `rel="next"` in a `Link` header (RFC 8288).
fn next_of(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let (address, after) = rest[open + 1..].split_once('>')?;
        // Parameters go on to the comma before the next address.
        let end = after.find('<').unwrap_or(after.len());
        let is_next = after[..end].split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let words = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && words.split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(address.trim().to_owned());
        }
        rest = &after[end..];
    }
    None
}

fn token_of(place: &TokenPlace, reply: &Answer, elements: &[&str]) -> Result<Option<String>, RemoteError> {
    let token =
        match place {
            TokenPlace::Answer(path) => scalar_or_nothing(path, &reply.body)?,
            TokenPlace::LastItem(path) => match elements.last() {
                None => None,
                Some(last) => Some(path.scalar(last).ok_or_else(|| {
                    data(format!("the last record of a page has no `{path}`, which asks for the next"))
                })?),
            },
        };
    if token.as_ref().is_some_and(|token| token.len() > MAX_PLACE) {
        return Err(data(format!("the token of the next page is longer than {MAX_PLACE} bytes")));
    }
    Ok(token)
}

/// A link or token; absent, `null`, `""` and `false` are none, and an object or a list is a mistake.
fn scalar_or_nothing(path: &Path, body: &str) -> Result<Option<String>, RemoteError> {
    match path.find(body) {
        None | Some("false") => Ok(None),
        Some(raw) if json::is_nothing(raw) => Ok(None),
        Some(raw) if raw.starts_with(['{', '[']) => Err(data(format!("`{path}` is no text"))),
        Some(_) => Ok(path.scalar(body)),
    }
}

fn data(message: impl Into<String>) -> RemoteError {
    RemoteError::new(ErrorClass::Data, message).hint("look at `paging` of the stream in the connector's file")
}
