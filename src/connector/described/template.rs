//! Texts with places to fill in: `{store}/api`.

use std::fmt;

/// A text with placeholders, all of them known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(&'static str),
}

/// The names that a text may have in braces.
pub type Names = &'static [&'static str];

/// A placeholder that nothing fills in, or braces that make none: the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPlaceholder(pub String);

impl Template {
    /// Reads a text in which only `names` stand in braces. `{{` and `}}` are braces.
    pub fn parse(text: &str, names: Names) -> Result<Self, UnknownPlaceholder> {
        let known = || names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..];
            rest = &brace[1..];
            if let Some(after) = rest.strip_prefix(&brace[..1]) {
                plain.push_str(&brace[..1]);
                rest = after;
                continue;
            }
            let end = if brace.starts_with('{') { rest.find('}') } else { None };
            let Some(end) = end else {
                return Err(UnknownPlaceholder(format!(
                    "must have pairs of braces with a name inside ({}); a brace itself is written twice",
                    known()
                )));
            };
            let name = &rest[..end];
            let Some(name) = names.iter().find(|known| **known == name) else {
                let clipped: String = name.chars().take(40).collect();
                return Err(UnknownPlaceholder(format!(
                    "has the unknown placeholder {{{clipped}}}; here is {}",
                    known()
                )));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Place(name));
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The text with `values` filled in.
    #[must_use]
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(name) => {
                let value = values.iter().find(|(known, _)| known == name);
                value.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
            }
        };
        self.0.iter().map(text).collect()
    }

    /// Whether it has this placeholder.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Place(place) if *place == name))
    }

    /// Whether it begins with this placeholder.
    #[must_use]
    pub fn begins_with(&self, name: &str) -> bool {
        matches!(self.0.first(), Some(Part::Place(place)) if *place == name)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Place(name) => write!(f, "{{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = &["store", "base"];

    #[test]
    fn places_are_filled_and_doubled_braces_are_braces() {
        let template = Template::parse("{store}/a{{b}}/{base}", NAMES).expect("a template");
        assert_eq!(template.fill(&[("store", "S{base}"), ("base", "B")]), "S{base}/a{b}/B");
        assert_eq!(template.to_string(), "{store}/a{{b}}/{base}");
        assert!(template.begins_with("store") && template.has("base") && !template.begins_with("base"));
    }

    #[test]
    fn unknown_places_and_single_braces_are_refused() {
        for wrong in ["{shop}", "{", "}", "a{store", "a}b", "{}", "{ store }"] {
            assert!(Template::parse(wrong, NAMES).is_err(), "{wrong}");
        }
    }
}
