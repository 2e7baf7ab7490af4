//! Reads the three sources into flat keys (`worker.slots`), each with its origin, each checked by its rule.
//!
//! Every layer is checked by itself, so a mistake is reported even where another layer overrides it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use config::{Environment, File, FileFormat, Source, Value, ValueKind};
use serde_json::{Map, Value as Json};

use super::rules::{self, FieldRule};
use super::{ConfigError, DEFAULT_TOML, Origin};

/// Flat keys with their checked values.
pub(super) type Leaves = BTreeMap<String, Leaf>;

/// One checked value.
#[derive(Clone)]
pub(super) struct Leaf {
    /// The value, in the type of its key.
    pub value: Json,
    /// Where it came from.
    pub origin: Origin,
}

/// Shows where the value came from only: it may be a secret.
impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from {}", self.origin)
    }
}

const PREFIX: &str = "NETOSYNC";

/// The embedded reference.
pub(super) fn default_leaves() -> Result<Leaves, ConfigError> {
    toml_leaves(DEFAULT_TOML, &Origin::Default)
}

/// The text of a configuration file.
pub(super) fn file_leaves(path: &Path, text: &str) -> Result<Leaves, ConfigError> {
    toml_leaves(text, &Origin::File(path.to_owned()))
}

fn toml_leaves(text: &str, origin: &Origin) -> Result<Leaves, ConfigError> {
    let table = File::from_str(text, FileFormat::Toml).collect().map_err(|error| ConfigError::Syntax {
        origin: origin.clone(),
        reason: without_source_text(&error.to_string()),
    })?;
    let mut flat = BTreeMap::new();
    flatten("", table, &mut flat);
    flat.into_iter().map(|(field, kind)| check(field, kind, origin.clone())).collect()
}

/// The variables `NETOSYNC__SECTION__KEY`; others are none of ours.
pub(super) fn env_leaves(env: &BTreeMap<String, String>) -> Result<Leaves, ConfigError> {
    let mut leaves = Leaves::new();
    for (name, text) in env {
        let one = HashMap::from([(name.clone(), text.clone())]);
        let source = Environment::with_prefix(PREFIX).separator("__").source(Some(one));
        // Only a variable that is not Unicode makes this fail, and these are strings.
        for (field, value) in source.collect().unwrap_or_default() {
            let (field, leaf) = check(field, value.kind, Origin::Env(name.clone()))?;
            leaves.insert(field, leaf);
        }
    }
    Ok(leaves)
}

/// The nested form of flat keys.
pub(super) fn tree(leaves: &Leaves) -> Json {
    let mut root = Map::new();
    for (field, leaf) in leaves {
        let (section, key) = field.rsplit_once('.').unwrap_or(("", field));
        let into = section.split('.').fold(&mut root, |table, name| {
            let inner = table.entry(name).or_insert_with(|| Json::Object(Map::new()));
            inner.as_object_mut().expect("no key is a section too: each has its rule")
        });
        into.insert(key.to_owned(), leaf.value.clone());
    }
    Json::Object(root)
}

fn flatten(prefix: &str, table: config::Map<String, Value>, into: &mut BTreeMap<String, ValueKind>) {
    for (key, value) in table {
        let field = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => flatten(&field, inner, into),
            // An empty section says nothing.
            ValueKind::Table(_) if rules::is_section(&field) => {}
            kind => {
                into.insert(field, kind);
            }
        }
    }
}

fn check(field: String, kind: ValueKind, origin: Origin) -> Result<(String, Leaf), ConfigError> {
    let Some(rule) = rules::of(&field) else {
        let known = rules::known_beside(&field);
        return Err(ConfigError::Unknown { field: printable(&field), origin, known });
    };
    let shown = shown(rule, &kind);
    match rule.check(kind, matches!(origin, Origin::Env(_))) {
        Ok(value) => Ok((field, Leaf { value, origin })),
        Err(rule) => Err(ConfigError::Rule { field, value: shown, origin, rule }),
    }
}

/// The value as an error may show it.
fn shown(rule: &FieldRule, kind: &ValueKind) -> String {
    match kind {
        _ if rule.secret() => "[REDACTED]".to_owned(),
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "a section".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// A key as given by a person, on one line.
fn printable(field: &str) -> String {
    field.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).collect()
}

/// A TOML error without the lines it quotes from the file, on one line.
fn without_source_text(error: &str) -> String {
    let quoted =
        |line: &str| line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|');
    error
        .lines()
        .filter(|line| !quoted(line))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}
