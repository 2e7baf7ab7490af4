//! `[[stream]]`: what is read.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::auth::{header_name, header_text};
use super::paging::{self, Places};
use super::section::{Section, a_path, shown};
use super::{METHODS, is_path, plain_name};
use crate::connector::described::mark;
use crate::connector::described::mistake::Mistakes;
use crate::connector::described::{Cursor, CursorFormat, Flatten, Path, PlacedParam, Stream};
use crate::domain::http::Method;

const KNOWN: [&str; 13] = [
    "name",
    "method",
    "path",
    "fallback_path",
    "query",
    "body",
    "headers",
    "items",
    "key",
    "cursor",
    "paging",
    "flatten",
    "drop",
];
/// Headers that carry credentials.
const CREDENTIALS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-api-key"];

pub(super) fn read(
    table: &DeTable<'_>,
    at: Range<usize>,
    taken: &[String],
    mistakes: &mut Mistakes<'_>,
) -> Option<Stream> {
    let named = table.iter().find(|(key, _)| key.get_ref() == "name").and_then(|(_, value)| value.get_ref().as_str());
    let section = Section::open(called(named), at, table, &KNOWN, mistakes);
    section.need("name", "\"users\"", mistakes);
    section.need("path", "\"/users\"", mistakes);
    section.need("key", "\"id\"", mistakes);
    let name = section.parsed("name", plain_name, mistakes);
    if name.as_ref().is_some_and(|name| taken.contains(name)) {
        section.wrong("name", "must not be the name of another stream", mistakes);
    }
    let method = section.choice("method", &METHODS, mistakes).unwrap_or(Method::Get);
    let path = section.parsed("path", is_path, mistakes);
    let fallback_path = section.parsed("fallback_path", is_path, mistakes);
    if path.is_some() && path == fallback_path {
        section.wrong("fallback_path", "must be another than `path`", mistakes);
    }
    let query = section.scalars("query", mistakes);
    let body = section.json("body", mistakes);
    if section.get("body").is_some() && method == Method::Get {
        section.wrong("body", "needs `method = \"POST\"`: a GET has no body", mistakes);
    }
    let headers = headers(&section, mistakes);
    let items = match section.get("items") {
        None => vec![Path::root()],
        Some(_) => paths(&section, "items", Path::parse, mistakes),
    };
    let key = paths(&section, "key", a_path, mistakes);
    if let Some(twice) = key.iter().enumerate().find(|(n, path)| key[..*n].contains(path)).map(|(_, path)| path) {
        section.wrong("key", &format!("must not name `{twice}` twice"), mistakes);
    }
    let flatten = flatten(&section, mistakes);
    let drop = if section.get("drop").is_some() { paths(&section, "drop", a_path, mistakes) } else { Vec::new() };
    let places = Places { method, query: &query, body: body.as_ref() };
    let cursor = cursor(&section, &places, mistakes);
    let paging = paging::read(&section, &places, mistakes);
    let kept = key.iter().chain(cursor.as_ref().map(|cursor| &cursor.field));
    let branches = drop.iter().map(|path| (path, "drop")).chain(flatten.iter().map(|tree| (&tree.children, "flatten")));
    for field in kept {
        if let Some((gone, by)) = branches.clone().find(|(gone, _)| field.names().starts_with(gone.names())) {
            section.wrong(by, &format!("must not take away `{gone}`: `key` or `cursor` need `{field}`"), mistakes);
        }
    }
    Some(Stream {
        name: name?,
        method,
        path: path?,
        fallback_path,
        query,
        body,
        headers,
        items,
        key,
        cursor,
        paging,
        flatten,
        drop,
    })
}

fn called(name: Option<&str>) -> String {
    name.map_or_else(|| "stream".to_owned(), |name| format!("stream {}", shown(name)))
}

fn paths(
    section: &Section<'_, '_>,
    key: &str,
    read: fn(&str) -> Result<Path, String>,
    mistakes: &mut Mistakes<'_>,
) -> Vec<Path> {
    let mut paths = Vec::new();
    for (text, at) in section.texts(key, mistakes).unwrap_or_default() {
        match read(&text) {
            Ok(path) => paths.push(path),
            Err(rule) => mistakes.note(&at, format!("{} {rule}", section.called(key))),
        }
    }
    paths
}

fn headers(section: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Vec<(String, String)> {
    let headers: BTreeMap<String, String> = section.scalars("headers", mistakes);
    for (name, value) in &headers {
        if CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()) {
            let rule = format!("must not have {name}: a credential belongs to the store, never in the file");
            section.wrong("headers", &rule, mistakes);
        } else if let Err(rule) = header_name(name).and_then(|_| header_text(value)) {
            section.wrong("headers", &format!("has `{}`, which {rule}", shown(name)), mistakes);
        }
    }
    headers.into_iter().collect()
}

fn flatten(section: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Flatten> {
    let table = section.table("flatten", &["children", "take"], mistakes)?;
    table.need("children", "\"children\"", mistakes);
    let children = table.path("children", mistakes);
    let take = table.path("take", mistakes);
    if children.is_some() && children == take {
        table.wrong("take", "must be another than `children`; leave it out to keep the nodes themselves", mistakes);
    }
    Some(Flatten { children: children?, take })
}

fn cursor(section: &Section<'_, '_>, places: &Places<'_>, mistakes: &mut Mistakes<'_>) -> Option<Cursor> {
    let table = section.table("cursor", &["field", "param", "in", "format"], mistakes)?;
    table.need("field", "\"updated_at\"", mistakes);
    let field = table.path("field", mistakes);
    let into = paging::into(&table, places, mistakes);
    let param: Option<PlacedParam> = paging::param(&table, "param", into, places, mistakes);
    let format = match table.get("format") {
        None => Some(CursorFormat::Rfc3339),
        Some(_) => table.parsed("format", format, mistakes),
    };
    Some(Cursor { field: field?, param, format: format? })
}

fn format(text: &str) -> Result<CursorFormat, String> {
    Ok(match text {
        "rfc3339" => CursorFormat::Rfc3339,
        "date" => CursorFormat::Date,
        "unix" => CursorFormat::Unix,
        "unix-ms" => CursorFormat::UnixMs,
        "number" => CursorFormat::Number,
        pattern if is_pattern(pattern) => CursorFormat::Pattern(pattern.to_owned()),
        _ => {
            return Err("must be \"rfc3339\", \"date\", \"unix\", \"unix-ms\", \"number\" or a pattern with date and \
                        time such as \"%Y-%m-%d %H:%M:%S\""
                .to_owned());
        }
    })
}

/// Whether a time that is written with the pattern can be read again.
fn is_pattern(pattern: &str) -> bool {
    use chrono::format::{Item, StrftimeItems};

    let items: Vec<Item<'_>> = StrftimeItems::new(pattern).collect();
    if items.iter().any(|item| matches!(item, Item::Error)) {
        return false;
    }
    let day = chrono::DateTime::UNIX_EPOCH;
    let minute = day + chrono::TimeDelta::minutes(23 * 60 + 59);
    let again = mark::read_pattern(pattern, &minute.format(pattern).to_string());
    again == Some(minute) || again == Some(day)
}
