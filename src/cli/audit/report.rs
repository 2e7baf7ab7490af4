//! What an audit has found, for people and for scripts.

use serde_json::{Value, json};

use crate::cli::sync::{report as report_run, run_json};
use crate::cli::{complain, say, text};
use crate::domain::audit::{AuditFindings, Difference, NAMED, Named};
use crate::domain::confidence::CONFIDENCE;
use crate::domain::run::{Run, Verdict};

/// Characters of a value in a table.
const WIDTH: usize = 60;

/// Prints the outcome of an audit.
pub fn report(store: &str, run: &Run, as_json: bool) {
    if as_json {
        let mut object = run_json(store, run);
        object["audit"] = audit_json(run);
        say(object);
        return;
    }
    let Some(found) = &run.audit_findings else { return report_run(store, run, false) };
    say(format_args!("{store}: {} · {}", run.verdict.map_or(run.state.as_str(), Verdict::as_str), found.identity()));
    lines(run).iter().for_each(say);
    if let Some(error) = &run.error {
        complain(&format!("{store}: {error}"));
    }
}

/// What is said below the first line.
pub fn lines(run: &Run) -> Vec<String> {
    let Some(found) = &run.audit_findings else { return Vec::new() };
    let mut lines = vec![ids(found)];
    lines.extend(names("not held", &found.ids.not_held));
    lines.extend(names("held, but not listed", &found.ids.not_listed).filter(|_| found.ids.whole));
    lines.extend(names("new since the last sync, which does not count", &found.ids.new));
    lines.extend(names("of the sample, edited since the last sync, which does not count", &found.edited));
    if !found.differences.is_empty() {
        lines.push(differences(&found.differences));
        if found.differences.len() >= NAMED {
            lines.push(format!("(the first {NAMED})"));
        }
    }
    let (counts, request) = (run.counts, run.audit_request.unwrap_or_default());
    if request.repair {
        let said = format!("{} inserted, {} updated, {} removed", counts.inserted, counts.updated, counts.removed);
        lines.push(format!("repair: {said}"));
    }
    lines.push(format!("seed {} · {} calls", request.seed, counts.calls));
    lines
}

fn ids(found: &AuditFindings) -> String {
    let ids = &found.ids;
    let same = match ids.store_digest == ids.held_digest {
        _ if !ids.whole => return "IDs: the store's list could not be read whole".to_owned(),
        true => format!("the same, digest {}", ids.store_digest),
        false => format!("digests {} and {}", ids.store_digest, ids.held_digest),
    };
    format!("IDs: {} at the store, {} held, {same}", ids.at_store, ids.held)
}

fn names(what: &str, named: &Named) -> Option<String> {
    let first: Vec<_> = named.first.iter().map(i64::to_string).collect();
    let more = if named.products > first.len() as u64 { ", …" } else { "" };
    (named.products > 0).then(|| format!("{what}: {} ({}{more})", named.products, first.join(", ")))
}

fn differences(differences: &[Difference]) -> String {
    let rows = differences.iter().map(|difference| {
        [
            difference.inventory_id.to_string(),
            difference.sku.clone().unwrap_or_default(),
            difference.kind.to_string(),
            difference.field.clone().unwrap_or_default(),
            value(&difference.held),
            value(&difference.at_store),
        ]
    });
    text::table(["PRODUCT", "SKU", "KIND", "FIELD", "HELD", "AT THE STORE"], rows)
}

fn value(value: &Value) -> String {
    let said = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match said.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    }
}

/// What an audit was asked and has found, for scripts; null for a run that is none.
pub fn audit_json(run: &Run) -> Value {
    let Some(request) = run.audit_request else { return Value::Null };
    let mut object = json!(request);
    let Some(found) = &run.audit_findings else { return object };
    let Value::Object(fields) = json!(found) else { return object };
    for (name, value) in fields {
        object[name] = value;
    }
    object["compared"] = json!(found.compared());
    object["identical_at_least"] = json!(found.at_least());
    object["confidence"] = json!(CONFIDENCE);
    object
}
