//! Where something is in a JSON answer: names with dots between them.
//!
//! `meta.page.total` goes through three objects. A name that holds a dot is written in double quotes: `"a.b".total`.
//! A number chooses an element of a list: `data.0.id`. The empty path is the whole.

use std::fmt;

use crate::domain::json::{self, Object};

/// How many names a path may have.
const MAX_NAMES: usize = 16;

/// A place in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(Vec<String>);

impl Path {
    /// Reads a path, or says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        let mut rest = text;
        while !rest.is_empty() || !names.is_empty() {
            let (name, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_name(quoted)?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())).map_first(str::to_owned),
            };
            if name.is_empty() {
                return Err("must have a name between any two dots, and none at its ends".to_owned());
            }
            if name.contains('"') && !rest.starts_with('"') {
                return Err("may have double quotes only around a whole name".to_owned());
            }
            if !rest.starts_with('"') && is_jsonpath(&name) {
                return Err("must be names with dots between them, such as \"data.0.id\", not JSONPath; \
                            a name with such a character stands in double quotes"
                    .to_owned());
            }
            if name.chars().any(char::is_control) {
                return Err("must not have control characters".to_owned());
            }
            names.push(name);
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return Err("must have a dot after a name in quotes".to_owned()),
            }
        }
        if names.len() > MAX_NAMES {
            return Err(format!("must have at most {MAX_NAMES} names"));
        }
        Ok(Self(names))
    }

    /// The path of the whole document.
    #[must_use]
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// Whether it is the whole document.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names on the way.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// What is there, as raw text; `None` when the document does not go that way. Of names that an object has twice,
    /// the last counts.
    #[must_use]
    pub fn find<'a>(&self, raw: &'a str) -> Option<&'a str> {
        self.0.iter().try_fold(raw.trim(), |raw, name| match raw.as_bytes().first() {
            Some(b'{') => {
                let Object(members) = json::object(raw)?;
                members.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            Some(b'[') => json::list(raw)?.get(name.parse::<usize>().ok()?).copied(),
            _ => None,
        })
    }

    /// The scalar that is there as plain text: strings without quotes, numbers and booleans as spelled.
    #[must_use]
    pub fn scalar(&self, raw: &str) -> Option<String> {
        let found = self.find(raw)?;
        match found.as_bytes().first()? {
            b'"' => json::text(found).map(std::borrow::Cow::into_owned),
            b'{' | b'[' | b'n' => None,
            _ => Some(found.to_owned()),
        }
    }
}

/// A name in quotes, after the opening one, and what follows the closing one.
fn quoted_name(text: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((name, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => name.push(escaped),
                _ => return Err("may have only \\\" and \\\\ as escapes in a name".to_owned()),
            },
            c => name.push(c),
        }
    }
    Err("must close the quotes around a name".to_owned())
}

/// Whether a name without quotes is meant for another kind of path. (`$type` and `$values` are names.)
fn is_jsonpath(name: &str) -> bool {
    name == "$" || name.contains(['[', '*'])
}

/// Changes the first of a pair.
trait MapFirst<A, B> {
    fn map_first<C>(self, change: impl FnOnce(A) -> C) -> (C, B);
}

impl<A, B> MapFirst<A, B> for (A, B) {
    fn map_first<C>(self, change: impl FnOnce(A) -> C) -> (C, B) {
        (change(self.0), self.1)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            if name.contains(['.', '"', '\\']) || is_jsonpath(name) {
                write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))?;
            } else {
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).expect("a path")
    }

    #[test]
    fn a_path_goes_through_objects_lists_and_names_with_dots() {
        let raw = r#"{"meta":{"a.b":{"total": 12.50}},"data":[{"id":1},{"id":"x\u0041"}],"twice":1,"twice":2}"#;
        assert_eq!(path("meta.\"a.b\".total").find(raw), Some("12.50"));
        assert_eq!(path("data.1.id").scalar(raw).as_deref(), Some("xA"));
        assert_eq!(path("twice").find(raw), Some("2"));
        assert_eq!(path("").find(" [] "), Some("[]"));
        assert_eq!(path("meta.none").find(raw), None);
        assert_eq!(path("data.id").find(raw), None);
        assert_eq!(path("meta").scalar(raw), None);
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for wrong in [
            "a..b", ".a", "a.", "\"a", "\"a\"b", "a\"b", "\"\"", "\"a\\n\"", "a\u{7}b", "$.data", "data[*]", "a[0].b",
            "*",
        ] {
            assert!(Path::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Path::parse(&["a"; 17].join(".")).is_err());
    }

    proptest! {
        #[test]
        fn any_names_survive_being_written_and_read(names in proptest::collection::vec("[^\\p{C}]{1,8}", 0..5)) {
            let path = Path(names);
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }

        #[test]
        fn no_text_and_no_document_make_a_path_panic(text in "\\PC*", raw in "\\PC*") {
            if let Ok(path) = Path::parse(&text) {
                let _ = (path.find(&raw), path.scalar(&raw));
            }
        }
    }
}
