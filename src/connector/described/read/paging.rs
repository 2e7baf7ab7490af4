//! `paging`: how a stream's list is cut into pages.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::section::{Section, a_path};
use crate::connector::described::mistake::Mistakes;
use crate::connector::described::{NextLink, PageSize, Paging, ParamPlace, Path, PlacedParam, TokenPlace};
use crate::domain::http::Method;

const SIZED: [&str; 5] = ["style", "in", "param", "size_param", "size"];
const STYLES: [&str; 5] = ["none", "page", "offset", "next-link", "cursor"];

/// What a parameter must fit.
pub(super) struct Places<'a> {
    pub method: Method,
    pub query: &'a BTreeMap<String, String>,
    pub body: Option<&'a Json>,
}

pub(super) fn read(stream: &Section<'_, '_>, places: &Places<'_>, mistakes: &mut Mistakes<'_>) -> Paging {
    // Which keys there are hangs on the style.
    let Some(any) = stream.any_table("paging", mistakes) else { return Paging::None };
    any.need("style", "\"page\"", mistakes);
    let words: Vec<_> = STYLES.iter().map(|style| (*style, *style)).collect();
    let Some(style) = any.choice("style", &words, mistakes) else { return Paging::None };
    let own: &[&str] = match style {
        "page" => &["first", "total", "more"],
        "offset" => &["total", "start", "count", "more"],
        "cursor" => &["path", "last", "more"],
        "next-link" => &["style", "path"],
        _ => &["style"],
    };
    let sized = matches!(style, "page" | "offset" | "cursor");
    let known: Vec<_> = own.iter().copied().chain(SIZED.into_iter().filter(|_| sized)).collect();
    let Some(table) = stream.table("paging", &known, mistakes) else { return Paging::None };
    match style {
        "next-link" => {
            table.need("path", "\"links.next\"", mistakes);
            table.parsed("path", next_link, mistakes).map_or(Paging::None, Paging::NextLink)
        }
        "none" => Paging::None,
        _ => parameters(style, &table, places, mistakes).unwrap_or(Paging::None),
    }
}

fn parameters(
    style: &str,
    table: &Section<'_, '_>,
    places: &Places<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<Paging> {
    table.need("param", if style == "cursor" { "\"cursor\"" } else { "\"page\"" }, mistakes);
    let into = into(table, places, mistakes);
    let param = param(table, "param", into, places, mistakes);
    let size = size(table, into, places, mistakes);
    if size.as_ref().is_some_and(|size| Some(&size.param) == param.as_ref()) {
        table.wrong("size_param", "must be another than `param`", mistakes);
    }
    let more = table.path("more", mistakes);
    match style {
        "page" => {
            let first = table.get("first").and_then(|_| table.whole("first", 0, 1, mistakes)).unwrap_or(1);
            let total = table.path("total", mistakes);
            Some(Paging::Page { param: param?, first: first.into(), size, total, more })
        }
        "offset" => {
            let [total, start, count] = ["total", "start", "count"].map(|key| table.path(key, mistakes));
            Some(Paging::Offset { param: param?, size, total, start, count, more })
        }
        _ => {
            let token = match (table.get("path"), table.get("last")) {
                (Some(_), Some(_)) => {
                    table.wrong("last", "must not stand beside `path`: the token is in one place", mistakes);
                    None
                }
                (None, None) => {
                    let advice = "add `path = \"meta.next\"` (in the answer) or `last = \"id\"` (in the last record)";
                    mistakes.note_with(&table.at, format!("{} is missing", table.called("path")), advice);
                    None
                }
                (Some(_), None) => table.path("path", mistakes).map(TokenPlace::Answer),
                (None, Some(_)) => table.path("last", mistakes).map(TokenPlace::LastItem),
            };
            Some(Paging::Cursor { param: param?, token: token?, size, more })
        }
    }
}

fn size(
    table: &Section<'_, '_>,
    into: ParamPlace,
    places: &Places<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<PageSize> {
    if table.get("size").is_some() {
        table.need("size_param", "\"limit\"", mistakes);
    }
    if table.get("size_param").is_some() {
        table.need("size", "100", mistakes);
    }
    let param = param(table, "size_param", into, places, mistakes);
    let size = table.whole("size", 1, 100_000, mistakes);
    Some(PageSize { param: param?, size: size? })
}

/// Where the parameters go.
pub(super) fn into(table: &Section<'_, '_>, places: &Places<'_>, mistakes: &mut Mistakes<'_>) -> ParamPlace {
    let words = [("query", ParamPlace::Query), ("body", ParamPlace::Body)];
    let into = table.choice("in", &words, mistakes).unwrap_or(ParamPlace::Query);
    if into == ParamPlace::Body && places.method == Method::Get {
        table.wrong("in", "must be \"query\" unless the stream has `method = \"POST\"`: a GET has no body", mistakes);
    }
    into
}

/// A parameter that the stream does not set by itself.
pub(super) fn param(
    table: &Section<'_, '_>,
    key: &str,
    into: ParamPlace,
    places: &Places<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<PlacedParam> {
    table.parsed(
        key,
        |text| match into {
            ParamPlace::Query if text.is_empty() => Err("must be the name of a parameter".to_owned()),
            ParamPlace::Query if places.query.contains_key(text) => {
                Err("must not be a parameter that `query` sets: it would be sent twice".to_owned())
            }
            ParamPlace::Query => Ok(PlacedParam::Query(text.to_owned())),
            ParamPlace::Body => a_path(text).and_then(|path| in_body(path, places.body)),
        },
        mistakes,
    )
}

/// The way to a body's parameter must lead through objects to a place that is free.
fn in_body(path: Path, body: Option<&Json>) -> Result<PlacedParam, String> {
    let mut at = body;
    for name in path.names() {
        match at {
            None => break,
            Some(Json::Object(members)) => at = members.get(name),
            Some(_) => return Err(format!("must lead through objects, but `body` has something else before `{name}`")),
        }
    }
    if at.is_some() {
        return Err("must not be a field that `body` sets".to_owned());
    }
    Ok(PlacedParam::Body(path))
}

fn next_link(text: &str) -> Result<NextLink, String> {
    match text {
        "header:link" => Ok(NextLink::Header),
        text if text.starts_with("header:") => Err("knows only one header, \"header:link\"".to_owned()),
        text => a_path(text).map(NextLink::Path),
    }
}
