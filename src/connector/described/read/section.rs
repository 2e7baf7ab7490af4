//! A table of the file, read key by key: each reader notes what is wrong with its value and where.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::connector::described::mistake::Mistakes;
use crate::connector::described::{Path, Template};

/// The longest text that a file may hold.
const MAX_TEXT: usize = 4096;
/// How deep a body may nest.
const MAX_DEPTH: usize = 16;
/// How many members a table or list may have.
const MAX_MEMBERS: usize = 200;

/// A value with its place.
pub(super) type Node<'t> = Spanned<DeValue<'t>>;

/// A table, with the name by which mistakes call it.
pub(super) struct Section<'n, 't> {
    /// As in `stream users, paging`; `""` for the file itself.
    name: String,
    /// Where a mistake of the whole table is shown.
    pub at: Range<usize>,
    table: &'n DeTable<'t>,
}

impl<'n, 't> Section<'n, 't> {
    /// Opens a table and notes the keys that are not `known`.
    pub fn open(
        name: impl Into<String>,
        at: Range<usize>,
        table: &'n DeTable<'t>,
        known: &[&str],
        mistakes: &mut Mistakes<'_>,
    ) -> Self {
        let section = Self { name: name.into(), at, table };
        for key in section.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let place = if section.name.is_empty() { "a connector".to_owned() } else { format!("`{}`", section.name) };
            let wrong = shown(key.get_ref());
            let advice = match (nearest(key.get_ref(), known), known) {
                (Some(near), _) => format!("write `{near}` if that is meant"),
                (None, []) => "leave it out; it takes no keys".to_owned(),
                (None, _) => format!("leave it out; known are {}", known.join(", ")),
            };
            mistakes.note_with(&key.span(), format!("{place} has no key `{wrong}`"), advice);
        }
        section
    }

    /// The key as mistakes call it.
    pub fn called(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{}.{key}`", self.name) }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'n Node<'t>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The place of a key's value, else of the table.
    pub fn place(&self, key: &str) -> Range<usize> {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        found.map_or_else(|| self.at.clone(), |(name, value)| place_of(name.span(), value))
    }

    /// The keys with their places and values, in the order of the file.
    pub fn members(&self) -> Vec<(&'n str, Range<usize>, &'n Node<'t>)> {
        let mut members: Vec<_> =
            self.table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value)).collect();
        members.sort_by_key(|(_, at, _)| at.start);
        members
    }

    /// Notes that the value of `key` breaks a rule.
    pub fn wrong(&self, key: &str, rule: &str, mistakes: &mut Mistakes<'_>) {
        mistakes.note(&self.place(key), format!("{} {rule}", self.called(key)));
    }

    /// Notes that `key` is missing, unless it is there (and wrong in another way).
    pub fn need(&self, key: &str, example: &str, mistakes: &mut Mistakes<'_>) {
        if self.get(key).is_none() {
            mistakes.note_with(
                &self.at,
                format!("{} is missing", self.called(key)),
                format!("add `{key} = {example}`"),
            );
        }
    }

    /// A text.
    pub fn text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<String> {
        let node = self.get(key)?;
        text_of(node).map_err(|rule| self.wrong(key, &rule, mistakes)).ok()
    }

    /// A text that `read` turns into what it means, or says which rule it breaks.
    pub fn parsed<T>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<T> {
        let text = self.text(key, mistakes)?;
        read(&text).map_err(|rule| self.wrong(key, &rule, mistakes)).ok()
    }

    /// A text with placeholders.
    pub fn template(&self, key: &str, names: &'static [&'static str], mistakes: &mut Mistakes<'_>) -> Option<Template> {
        self.parsed(key, |text| Template::parse(text, names).map_err(|unknown| unknown.0), mistakes)
    }

    /// A path that is not the whole answer.
    pub fn path(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Path> {
        self.parsed(key, a_path, mistakes)
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)], mistakes: &mut Mistakes<'_>) -> Option<T> {
        let text = self.text(key, mistakes)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong(key, &format!("must be {}, not \"{}\"", known.join(" or "), shown(&text)), mistakes);
        }
        found
    }

    /// A whole number between two bounds, both allowed.
    pub fn whole(&self, key: &str, min: u32, max: u32, mistakes: &mut Mistakes<'_>) -> Option<u32> {
        let number = whole_of(self.get(key)?.get_ref()).and_then(|number| u32::try_from(number).ok());
        let fits = number.filter(|number| (min..=max).contains(number));
        if fits.is_none() {
            self.wrong(key, &format!("must be a whole number from {min} to {max}, without quotes"), mistakes);
        }
        fits
    }

    /// A table of its own.
    pub fn table(&self, key: &str, known: &[&str], mistakes: &mut Mistakes<'_>) -> Option<Section<'n, 't>> {
        let node = self.get(key)?;
        let Some(table) = node.get_ref().as_table() else {
            self.wrong(key, "must be a table, in braces or under a header of its own", mistakes);
            return None;
        };
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        Some(Section::open(name, self.place(key), table, known, mistakes))
    }

    /// A table of names and scalars, such as a query.
    pub fn scalars(&self, key: &str, mistakes: &mut Mistakes<'_>) -> BTreeMap<String, String> {
        let mut scalars = BTreeMap::new();
        let Some(section) = self.any_table(key, mistakes) else { return scalars };
        for (name, at, node) in section.members() {
            let text = match node.get_ref() {
                DeValue::String(_) => text_of(node),
                DeValue::Boolean(flag) => Ok(flag.to_string()),
                value => whole_of(value)
                    .map(|number| number.to_string())
                    .ok_or_else(|| "must be a text, a whole number, true or false".to_owned()),
            };
            match text {
                Ok(_) if name.is_empty() || name.chars().any(char::is_control) => {
                    mistakes.note(&at, format!("{} must have names without control characters", self.called(key)));
                }
                Ok(text) => _ = scalars.insert(name.to_owned(), text),
                Err(rule) => mistakes.note(&place_of(at, node), format!("{} {rule}", section.called(&shown(name)))),
            }
        }
        scalars
    }

    /// A table whose keys are free.
    pub fn any_table(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Section<'n, 't>> {
        let table = self.get(key)?.get_ref().as_table();
        let known = table.into_iter().flat_map(|table| table.keys());
        let known: Vec<&str> = known.map(|key| key.get_ref().as_ref()).collect();
        if known.len() > MAX_MEMBERS {
            self.wrong(key, &format!("must have at most {MAX_MEMBERS} members"), mistakes);
            return None;
        }
        self.table(key, &known, mistakes)
    }

    /// A list of texts; one text stands for a list of one.
    pub fn texts(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Vec<(String, Range<usize>)>> {
        let node = self.get(key)?;
        let Some(list) = node.get_ref().as_array() else {
            if let Ok(text) = text_of(node) {
                return Some(vec![(text, self.place(key))]);
            }
            self.wrong(key, "must be a text in quotes or a list of them", mistakes);
            return None;
        };
        if list.is_empty() || list.len() > MAX_MEMBERS {
            self.wrong(key, &format!("must have 1 to {MAX_MEMBERS} members"), mistakes);
            return None;
        }
        let mut texts = Vec::new();
        for node in list {
            match text_of(node) {
                Ok(text) => texts.push((text, node.span())),
                Err(rule) => mistakes.note(&node.span(), format!("a member of {} {rule}", self.called(key))),
            }
        }
        Some(texts)
    }

    /// A JSON object written as a table.
    pub fn json(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Json> {
        let node = self.get(key)?;
        if node.get_ref().as_table().is_none() {
            self.wrong(key, "must be a table: it becomes a JSON object", mistakes);
            return None;
        }
        json_of(node, 0)
            .map_err(|(at, rule)| mistakes.note(&at, format!("a value in {} {rule}", self.called(key))))
            .ok()
    }
}

/// Reads a path that is not the whole answer.
pub(super) fn a_path(text: &str) -> Result<Path, String> {
    let path = Path::parse(text)?;
    if path.is_root() { Err("must name a field, it is empty".to_owned()) } else { Ok(path) }
}

/// Where a mistake of a value is shown: the value, or its key where the value is a table under a header.
pub(super) fn place_of(key: Range<usize>, value: &Node<'_>) -> Range<usize> {
    if value.get_ref().is_table() || value.span().is_empty() { key } else { value.span() }
}

pub(super) fn text_of(node: &Node<'_>) -> Result<String, String> {
    match node.get_ref().as_str() {
        None => Err("must be a text in quotes".to_owned()),
        Some(text) if text.len() > MAX_TEXT => Err(format!("must not be longer than {MAX_TEXT} bytes")),
        Some(text) if text.chars().any(char::is_control) => {
            Err("must be on one line, without control characters".to_owned())
        }
        Some(text) => Ok(text.to_owned()),
    }
}

pub(super) fn whole_of(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}

fn json_of(node: &Node<'_>, depth: usize) -> Result<Json, (Range<usize>, String)> {
    let wrong = |rule: &str| Err((node.span(), rule.to_owned()));
    if depth > MAX_DEPTH {
        return wrong("nests too deep");
    }
    match node.get_ref() {
        DeValue::String(text) if text.len() > MAX_TEXT => wrong(&format!("must not be longer than {MAX_TEXT} bytes")),
        DeValue::String(text) => Ok(Json::from(text.as_ref())),
        DeValue::Boolean(flag) => Ok(Json::from(*flag)),
        value @ DeValue::Integer(_) => whole_of(value)
            .map_or_else(|| wrong("must be a whole number of at most 64 bits"), |number| Ok(number.into())),
        DeValue::Float(number) => {
            let number = number.as_str().replace('_', "").parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(|| wrong("must be a number that JSON knows"), |number| Ok(Json::Number(number)))
        }
        DeValue::Datetime(_) => wrong("must be a text in quotes: JSON has no dates"),
        DeValue::Array(list) if list.len() > MAX_MEMBERS => wrong(&format!("must have at most {MAX_MEMBERS} members")),
        DeValue::Array(list) => {
            list.iter().map(|node| json_of(node, depth + 1)).collect::<Result<_, _>>().map(Json::Array)
        }
        DeValue::Table(table) => {
            let member = |(key, node): (&Spanned<toml::de::DeString<'_>>, &Node<'_>)| {
                json_of(node, depth + 1).map(|json| (key.get_ref().to_string(), json))
            };
            table.iter().map(member).collect::<Result<Map<_, _>, _>>().map(Json::Object)
        }
    }
}

/// A text of the file as a mistake may show it.
pub(super) fn shown(text: &str) -> String {
    let clipped: String = text.chars().take(60).collect();
    let dots = if clipped.len() < text.len() { "…" } else { "" };
    clipped.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>() + dots
}

/// The known word that `word` may have been meant to be.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let far = |known: &&&str| distance(word, known);
    if word.len() > 40 {
        return None;
    }
    known.iter().min_by_key(far).filter(|known| far(known) <= (known.len() / 3).clamp(1, 2)).copied()
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = (before + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            before = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}
