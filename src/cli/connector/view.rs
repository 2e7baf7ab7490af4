//! A description as people and scripts see it.

use serde_json::{Value, json};

use crate::cli::text;
use crate::connector::described::{Auth, Description, Stream};
use crate::domain::http::Method;

/// The ways in, the default first.
pub fn schemes(description: &Description) -> Vec<&'static str> {
    description.auth.iter().map(Auth::scheme).collect()
}

/// For people.
pub fn facts(description: &Description) -> String {
    let check = description.check.as_ref().map_or_else(
        || "the first page of the first stream".to_owned(),
        |check| format!("{} {}", method(check.method), check.path),
    );
    let facts = text::facts(&[
        ("connector", format!("{} ({})", description.name, description.title)),
        ("base", description.base.to_string()),
        ("default url", description.default_url.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("ways in", schemes(description).join(", ")),
        ("calls a minute", description.calls_per_minute.map(|calls| calls.to_string()).unwrap_or_default()),
        ("check", check),
    ]);
    let rows = description.streams.iter().map(|stream| {
        [
            stream.name.clone(),
            format!("{} {}", method(stream.method), stream.path),
            keys(stream).join(", "),
            stream.cursor.as_ref().map(|cursor| cursor.field.to_string()).unwrap_or_default(),
            stream.paging.style().to_owned(),
        ]
    });
    format!("{facts}\n\n{}", text::table(["STREAM", "CALL", "KEY", "CURSOR", "PAGING"], rows))
}

/// For scripts.
pub fn object(description: &Description) -> Value {
    json!({
        "name": description.name,
        "title": description.title,
        "base": description.base.to_string(),
        "default_url": description.default_url.as_ref().map(ToString::to_string),
        "auth": schemes(description),
        "calls_per_minute": description.calls_per_minute,
        "streams": description.streams.iter().map(stream).collect::<Vec<_>>(),
    })
}

fn stream(stream: &Stream) -> Value {
    json!({
        "name": stream.name,
        "method": method(stream.method),
        "path": stream.path,
        "fallback_path": stream.fallback_path,
        "items": stream.items.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "key": keys(stream),
        "cursor": stream.cursor.as_ref().map(|cursor| cursor.field.to_string()),
        "incremental": stream.cursor.as_ref().is_some_and(|cursor| cursor.param.is_some()),
        "paging": stream.paging.style(),
    })
}

fn keys(stream: &Stream) -> Vec<String> {
    stream.key.iter().map(ToString::to_string).collect()
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}
