//! JSON in slices: objects and lists whose members stay raw text until somebody knows what they should be.
//!
//! Nothing here goes through a binary float, and nothing is copied that can be borrowed from the page.

mod canonical;
mod scan;
mod tape;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use canonical::{canonical, canonical_object};
pub use tape::{Members, Node, Tape};

/// How deep answers may nest before a record is refused. Neto's deepest documented field has six levels.
pub const MAX_DEPTH: usize = 32;

/// The members of a JSON object in their order, values unparsed.
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

/// Splits an object into its members; `None` when `raw` is no valid object.
#[must_use]
pub fn object(raw: &str) -> Option<Object<'_>> {
    let tape = Tape::shallow(raw, 1)?;
    let members = tape.root().members()?;
    Some(Object(members.map(|(name, value)| (name.name(), value.raw())).collect()))
}

/// Splits a list into its elements; `None` when `raw` is no valid list.
#[must_use]
pub fn list(raw: &str) -> Option<Vec<&str>> {
    let tape = Tape::shallow(raw, 1)?;
    (tape.root().first() == b'[').then(|| tape.root().elements().map(Node::raw).collect())
}

/// The text of a JSON string, borrowed unless it holds an escape. NUL, which PostgreSQL cannot store, becomes
/// U+FFFD. `None` when `raw` is no valid string (an unpaired surrogate, for example).
#[must_use]
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let text: String = serde_json::from_str(raw).ok()?;
    Some(Cow::Owned(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
}

/// Whether `raw` stands for "nothing": `null`, `""` or white space in quotes, `[]`, `{}`, and lists or objects of
/// nothing else (spec §5, quirks 2 and 3).
#[must_use]
pub fn is_nothing(raw: &str) -> bool {
    match raw.as_bytes() {
        b"[]" | b"{}" => true,
        [b'[' | b'{', ..] => Tape::new(raw).is_some_and(|tape| tape.root().is_nothing()),
        _ => is_nothing_plain(raw),
    }
}

/// [`is_nothing`] of what is no list and no object.
fn is_nothing_plain(raw: &str) -> bool {
    match raw.as_bytes() {
        [] | [b'n', ..] => true,
        [b'"', b'#'..=b'~', ..] => false,
        [b'"', ..] => raw.trim_matches('"').trim().is_empty(),
        _ => false,
    }
}

impl Node<'_, '_> {
    /// [`is_nothing`].
    #[must_use]
    pub fn is_nothing(self) -> bool {
        fn nothing(node: Node<'_, '_>, depth: usize) -> bool {
            match node.first() {
                b'[' => depth < MAX_DEPTH && node.elements().all(|element| nothing(element, depth + 1)),
                b'{' if depth < MAX_DEPTH => {
                    node.members().is_some_and(|mut members| members.all(|(_, value)| nothing(value, depth + 1)))
                }
                b'{' => false,
                _ => is_nothing_plain(node.raw()),
            }
        }
        nothing(self, 0)
    }
}

/// How far the exponents of numbers go that both databases hold exactly.
const MAX_EXPONENT: u32 = 1000;

/// The first number in valid JSON that not every database holds, if there is one.
#[must_use]
pub fn unstorable_number(raw: &str) -> Option<&str> {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| b"+-.0123456789eE".contains(byte)).count();
                let number = &raw[at..at + length];
                let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
                let small = exponent.parse::<i32>().is_ok_and(|exponent| exponent.unsigned_abs() <= MAX_EXPONENT);
                if !small || digits.len() > MAX_EXPONENT as usize {
                    return Some(number);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

/// Whether a text stands in JSON as it is, between quotes.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    memchr::memchr2(b'"', b'\\', text.as_bytes()).is_none() && !scan::has_controls(text.as_bytes())
}

/// Writes `text` as a JSON string.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    if is_plain(text) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push('\u{fffd}'),
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32).expect("a String takes every write"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_does_not_depend_on_key_order_and_keeps_every_digit() {
        let a = canonical(r#"{ "b": [1, {"y": 2.50, "x": null}], "a": "\u00e9\n" }"#).unwrap();
        let b = canonical(r#"{"a":"é\n","b":[1,{"x":null,"y":2.50}]}"#).unwrap();
        assert_eq!(a, b);
        assert_eq!(a, r#"{"a":"é\n","b":[1,{"x":null,"y":2.50}]}"#);
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused_not_overflowed() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(canonical(&deep), None);
        assert!(!is_nothing(&deep));
    }

    #[test]
    fn numbers_that_no_database_holds_are_found_and_texts_are_not_taken_for_numbers() {
        for fine in [r#"{"a":[1,-2.5e10,1E-1000],"1e9999":"1e9999 \\\" -1e9999"}"#, "true", "\"\\\\\"", "{}"] {
            assert_eq!(unstorable_number(fine), None, "{fine}");
        }
        assert_eq!(unstorable_number(r#"{"a":"\"","b":[1,1e1001]}"#), Some("1e1001"));
        assert_eq!(unstorable_number("-1e99999999999999999999"), Some("-1e99999999999999999999"));
        assert!(unstorable_number(&"9".repeat(1001)).is_some());
    }

    #[test]
    fn every_spelling_of_nothing_is_nothing() {
        for raw in
            ["null", "\"\"", "\"  \"", "[]", "{}", "[\"\"]", "[{}]", "[null]", r#"[{"Category":""}]"#, r#"{"X":[""]}"#]
        {
            assert!(is_nothing(raw), "{raw}");
        }
        for raw in ["0", "\"0\"", "false", "[0]", r#"{"X":"1"}"#] {
            assert!(!is_nothing(raw), "{raw}");
        }
    }

    #[test]
    fn nul_becomes_the_replacement_character_and_broken_escapes_are_refused() {
        assert_eq!(text(r#""a\u0000b""#).unwrap(), "a\u{fffd}b");
        assert_eq!(text(r#""\ud800""#), None);
    }
}
