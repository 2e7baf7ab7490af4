//! Reads a file: every mistake at its line, all of a file at once.

mod auth;
mod errors;
mod paging;
mod section;
mod stream;
#[cfg(test)]
mod tests;

use std::ops::Range;

use toml::de::DeTable;
use url::Url;

use self::section::{Section, shown};
use super::mistake::Mistakes;
use super::{Check, Description, Mistake, Template};
use crate::domain::http::Method;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 256 << 10;
/// How many streams a file may have.
const MAX_STREAMS: usize = 100;
/// Names that other connectors have.
const RESERVED: [&str; 1] = ["neto"];

impl Description {
    /// Reads the content of the file `STEM.toml`.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the lines. Where the file is no TOML, only what makes it none.
    pub fn parse(content: &[u8], stem: &str) -> Result<Self, Vec<Mistake>> {
        let whole_file = |rule: String| Err(vec![Mistake { line: 1, column: 1, rule, advice: None }]);
        if content.len() > MAX_FILE_BYTES {
            return whole_file(format!("a connector's file must not be larger than {} KiB", MAX_FILE_BYTES >> 10));
        }
        let text = match std::str::from_utf8(content) {
            Ok(text) => text,
            Err(error) => {
                let good = String::from_utf8_lossy(&content[..error.valid_up_to()]);
                let mut mistakes = Mistakes::new(&good);
                mistakes.note(&(good.len()..good.len()), "a connector's file must be UTF-8");
                return Err(mistakes.sorted());
            }
        };
        let (table, faults) = DeTable::parse_recoverable(text);
        let mut mistakes = Mistakes::new(text);
        for fault in &faults {
            let said = shown(&fault.message().replace('\n', ", "));
            mistakes.note(&fault.span().unwrap_or(0..0), format!("this is no TOML: {said}"));
        }
        if !faults.is_empty() {
            return Err(mistakes.sorted());
        }
        let read = description(table.get_ref(), stem, &mut mistakes);
        match read {
            Some(read) if mistakes.is_empty() => Ok(read),
            _ if mistakes.is_empty() => whole_file("this cannot be read".to_owned()),
            _ => Err(mistakes.sorted()),
        }
    }
}

fn description(table: &DeTable<'_>, stem: &str, mistakes: &mut Mistakes<'_>) -> Option<Description> {
    let known = ["name", "title", "default_url", "base", "auth", "check", "rate", "errors", "stream"];
    let file = Section::open("", 0..0, table, &known, mistakes);
    file.need("name", &format!("\"{}\"", shown(stem)), mistakes);
    let name = file.parsed("name", |name| connector_name(name, stem), mistakes);
    let title = file.parsed("title", |title| not_empty(title, "must not be empty"), mistakes);
    let default_url = file.parsed("default_url", store_url, mistakes);
    let base = match file.get("base") {
        None => Template::parse("{store}", &["store"]).ok(),
        Some(_) => file.template("base", &["store"], mistakes),
    };
    if base.as_ref().is_some_and(|base| !is_base(base)) {
        file.wrong(
            "base",
            "must begin with {store} and go on with a path such as /api, without ?, # or a slash at its end",
            mistakes,
        );
    }
    let auth = auth::read(&file, mistakes);
    let errors = errors::read(&file, mistakes);
    let check = check(&file, mistakes);
    let calls_per_minute = file.table("rate", &["calls_per_minute"], mistakes).and_then(|rate| {
        rate.need("calls_per_minute", "60", mistakes);
        rate.whole("calls_per_minute", 1, 1_000_000, mistakes)
    });
    let streams = streams(&file, mistakes);
    let name = name?;
    let title = title.unwrap_or_else(|| name.clone());
    Some(Description { name, title, default_url, base: base?, auth, check, calls_per_minute, errors, streams })
}

fn connector_name(name: &str, stem: &str) -> Result<String, String> {
    plain_name(name)?;
    if RESERVED.contains(&name) {
        Err(format!("must not be \"{name}\": that connector is built in and not described"))
    } else if name == stem {
        Ok(name.to_owned())
    } else {
        Err(format!("must be the file's name without .toml, \"{}\"", shown(stem)))
    }
}

/// The rule for names of connectors and streams, the same as for stores.
fn plain_name(name: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        Ok(name.to_owned())
    } else {
        Err("must be 1 to 64 lower-case letters, digits, dots, hyphens and underscores".to_owned())
    }
}

fn not_empty(text: &str, rule: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err(rule.to_owned()) } else { Ok(text.to_owned()) }
}

fn store_url(text: &str) -> Result<Url, String> {
    let plain = |url: &Url| {
        url.scheme() == "https"
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text).ok().filter(plain);
    url.ok_or_else(|| "must be an https URL without query, such as https://api.example.com".to_owned())
}

fn is_base(base: &Template) -> bool {
    let path = base.fill(&[("store", "")]);
    base.begins_with("store")
        && (path.is_empty() || (path.starts_with('/') && is_path(&path).is_ok() && !path.ends_with('/')))
}

/// The rule for what is appended to the base.
fn is_path(path: &str) -> Result<String, String> {
    if !path.starts_with('/') {
        return Err("must begin with a slash: it is appended to `base`".to_owned());
    }
    if path.contains(['?', '#']) {
        return Err("must have no ? or #; parameters belong in `query`".to_owned());
    }
    if path.contains(['{', '}']) {
        return Err("has no placeholders".to_owned());
    }
    let inner = path.strip_suffix('/').unwrap_or(path);
    if path.contains(['\\', ' '])
        || inner.split('/').skip(1).any(|part| matches!(part, "." | "..") || (part.is_empty() && inner.len() > 1))
    {
        return Err("must be a plain path without blanks, backslashes, //, . and ..".to_owned());
    }
    Ok(path.to_owned())
}

const METHODS: [(&str, Method); 2] = [("GET", Method::Get), ("POST", Method::Post)];

fn check(file: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Check> {
    let check = file.table("check", &["method", "path", "query"], mistakes)?;
    check.need("path", "\"/account\"", mistakes);
    let method = check.choice("method", &METHODS, mistakes).unwrap_or(Method::Get);
    let query = check.scalars("query", mistakes);
    Some(Check { method, path: check.parsed("path", is_path, mistakes)?, query })
}

fn streams(file: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Vec<super::Stream> {
    let Some(node) = file.get("stream") else {
        mistakes.note_with(
            &(0..0),
            "a connector must have at least one stream",
            "add a table `[[stream]]` with `name`, `path` and `key`",
        );
        return Vec::new();
    };
    let tables = node.get_ref().as_array().filter(|list| list.iter().all(|node| node.get_ref().is_table()));
    let Some(tables) = tables.filter(|tables| (1..=MAX_STREAMS).contains(&tables.len())) else {
        file.wrong(
            "stream",
            &format!("must be 1 to {MAX_STREAMS} tables, each under `[[stream]]` in double brackets"),
            mistakes,
        );
        return Vec::new();
    };
    let mut streams: Vec<super::Stream> = Vec::new();
    for node in tables {
        let Some(table) = node.get_ref().as_table() else { continue };
        let at: Range<usize> = node.span();
        let taken: Vec<String> = streams.iter().map(|stream| stream.name.clone()).collect();
        streams.extend(stream::read(table, at, &taken, mistakes));
    }
    streams
}
