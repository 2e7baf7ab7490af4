//! `[errors]`: what error answers mean.

use std::collections::HashMap;

use super::section::{Section, place_of, shown, text_of, whole_of};
use crate::connector::described::mistake::Mistakes;
use crate::connector::described::{Code, Errors, Failed};
use crate::domain::error::ErrorClass;

const CLASSES: [(&str, ErrorClass); 4] = [
    ("unauthorized", ErrorClass::Unauthorized),
    ("rate_limited", ErrorClass::RateLimited),
    ("transient", ErrorClass::Transient),
    ("rejected", ErrorClass::Rejected),
];

pub(super) fn read(file: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Errors {
    let known = ["code", "message", "failed", "unauthorized", "rate_limited", "transient", "rejected"];
    let Some(table) = file.table("errors", &known, mistakes) else { return Errors::default() };
    let code = table.path("code", mistakes);
    let message = table.path("message", mistakes);
    let failed = failed(&table, mistakes);
    let mut classes = Vec::new();
    let mut taken: HashMap<String, &str> = HashMap::new();
    for (key, class) in CLASSES {
        for (means, at) in codes(&table, key, mistakes) {
            let name = match &means {
                Code::Text(text) => text.to_ascii_lowercase(),
                Code::Status(status) => format!("status {status}"),
            };
            if let Some(other) = taken.insert(name, key) {
                mistakes.note(&at, format!("{} must not list what `{other}` lists already", table.called(key)));
            }
            if matches!(means, Code::Text(_)) && table.get("code").is_none() {
                mistakes.note_with(
                    &at,
                    format!(
                        "{} lists a code of the API, but `errors.code` does not say where codes are",
                        table.called(key)
                    ),
                    "add `code = \"error.code\"`; an HTTP status is written without quotes",
                );
            }
            classes.push((means, class));
        }
    }
    Errors { code, message, failed, classes }
}

fn failed(table: &Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Failed> {
    let failed = table.table("failed", &["path", "equals"], mistakes)?;
    failed.need("path", "\"status\"", mistakes);
    failed.need("equals", "[\"error\"]", mistakes);
    let path = failed.path("path", mistakes);
    let equals = failed.texts("equals", mistakes);
    Some(Failed { path: path?, equals: equals?.into_iter().map(|(text, _)| text).collect() })
}

fn codes(table: &Section<'_, '_>, key: &str, mistakes: &mut Mistakes<'_>) -> Vec<(Code, std::ops::Range<usize>)> {
    let Some(node) = table.get(key) else { return Vec::new() };
    let Some(list) = node.get_ref().as_array() else {
        table.wrong(key, "must be a list such as [\"UNAUTHENTICATED\", 419]", mistakes);
        return Vec::new();
    };
    let mut codes = Vec::new();
    for node in list {
        let at = place_of(node.span(), node);
        let status = whole_of(node.get_ref()).map(|status| u16::try_from(status).unwrap_or(0));
        match (status, text_of(node)) {
            (Some(status @ 300..=599), _) => codes.push((Code::Status(status), at)),
            (Some(_), _) => mistakes.note(&at, format!("a status in {} must be from 300 to 599", table.called(key))),
            (None, Ok(text)) if !text.is_empty() => codes.push((Code::Text(text), at)),
            (None, _) => {
                let rule = "must be a code in quotes or an HTTP status without";
                mistakes.note(&at, format!("a member of {} {rule}", shown(&table.called(key))));
            }
        }
    }
    codes
}
