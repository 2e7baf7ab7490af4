//! The records of an answer: where the list is, how a tree is walked, what of a record is kept.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::refusal::names;
use super::{Flatten, Path, Stream};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::json::{self, Object};

/// How deep a tree may be.
const MAX_TREE: usize = 256;

/// The elements of the list in an answer with HTTP 2xx, unflattened.
pub(super) fn elements<'a>(stream: &Stream, status: u16, body: &'a str) -> Result<Vec<&'a str>, RemoteError> {
    let text = body.trim_start_matches('\u{feff}').trim();
    if status == 204 || (text.is_empty() && status == 205) {
        return Ok(Vec::new());
    }
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| {
        let what = if text.is_empty() {
            "the answer is empty"
        } else if text.starts_with('<') {
            "the answer is a web page or XML, not JSON"
        } else {
            "the answer is no JSON, or ends too early"
        };
        RemoteError::new(ErrorClass::Transient, what)
    })?;
    let whole = whole.get();
    let Some((path, found)) = stream.items.iter().find_map(|path| path.find(whole).map(|found| (path, found))) else {
        let wanted: Vec<_> = stream.items.iter().map(|path| format!("`{path}`")).collect();
        return Err(data(format!("the answer has no {}; it has {}", wanted.join(" or "), names(whole)))
            .hint("look at `items` of the stream in the connector's file"));
    };
    list(found).ok_or_else(|| {
        let place = if path.is_root() { "the answer".to_owned() } else { format!("`{path}`") };
        data(format!("{place} is neither a list nor an object"))
    })
}

/// A list; one object stands for a list of one, and `null`, `""` and `{}` for none.
fn list(raw: &str) -> Option<Vec<&str>> {
    match raw.as_bytes().first()? {
        b'[' => json::list(raw),
        b'{' if json::object(raw)?.0.is_empty() => Some(Vec::new()),
        b'{' => Some(vec![raw]),
        b'n' => Some(Vec::new()),
        b'"' if json::text(raw)?.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

/// The records among the elements: themselves, or what a walk through them finds, parents before their children.
pub(super) fn records<'a>(stream: &Stream, elements: Vec<&'a str>) -> Result<Vec<&'a str>, RemoteError> {
    let Some(Flatten { children, take }) = &stream.flatten else { return Ok(elements) };
    let mut records = Vec::new();
    let mut ahead: Vec<(&str, usize)> = elements.into_iter().rev().map(|element| (element, 0)).collect();
    while let Some((node, depth)) = ahead.pop() {
        if depth > MAX_TREE {
            return Err(data(format!("the tree at `{children}` is deeper than {MAX_TREE}")));
        }
        match take {
            None => records.push(node),
            Some(take) => records.extend(branch(node, take)?),
        }
        ahead.extend(branch(node, children)?.into_iter().rev().map(|child| (child, depth + 1)));
    }
    Ok(records)
}

fn branch<'a>(node: &'a str, path: &Path) -> Result<Vec<&'a str>, RemoteError> {
    let Some(found) = path.find(node) else { return Ok(Vec::new()) };
    list(found).ok_or_else(|| data(format!("`{path}` of a node is neither a list nor an object")))
}

/// A record without what is not kept. `None` when it is no valid object.
pub(super) fn kept<'a>(stream: &Stream, raw: &'a str) -> Option<Cow<'a, str>> {
    let nodes = stream.flatten.as_ref().filter(|tree| tree.take.is_none()).map(|tree| &tree.children);
    let gone: Vec<&[String]> = stream.drop.iter().chain(nodes).map(Path::names).collect();
    if !raw.starts_with('{') {
        return None;
    }
    if gone.is_empty() {
        return Some(Cow::Borrowed(raw));
    }
    let mut out = String::new();
    without(raw, &gone, &mut out)?;
    Some(Cow::Owned(out))
}

/// Writes `raw` without the members at the paths `gone`; through lists they go into each element.
fn without(raw: &str, gone: &[&[String]], out: &mut String) -> Option<()> {
    match raw.as_bytes().first()? {
        b'{' if !gone.is_empty() => {
            let Object(members) = json::object(raw)?;
            out.push('{');
            let mut first = true;
            for (name, value) in members {
                if gone.iter().any(|path| matches!(path, [last] if *last == name)) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                json::write_string(&name, out);
                out.push(':');
                let inner: Vec<&[String]> =
                    gone.iter().filter(|path| path.len() > 1 && path[0] == name).map(|path| &path[1..]).collect();
                without(value, &inner, out)?;
            }
            out.push('}');
        }
        b'[' if !gone.is_empty() => {
            out.push('[');
            for (n, element) in json::list(raw)?.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                without(element, gone, out)?;
            }
            out.push(']');
        }
        _ => out.push_str(raw),
    }
    Some(())
}

fn data(message: impl Into<String>) -> RemoteError {
    RemoteError::new(ErrorClass::Data, message)
}
