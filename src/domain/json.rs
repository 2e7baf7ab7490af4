//! JSON in slices: objects and lists whose members stay raw text until somebody knows what they should be.
//!
//! Nothing here goes through a binary float, and nothing is copied that can be borrowed from the page.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep answers may nest before a record is refused. Neto's deepest documented field has six levels.
pub const MAX_DEPTH: usize = 32;

/// The members of a JSON object in their order, values unparsed.
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// An object's key, borrowed unless it holds an escape.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Splits an object into its members; `None` when `raw` is no valid object.
#[must_use]
pub fn object(raw: &str) -> Option<Object<'_>> {
    serde_json::from_str(raw).ok()
}

/// Splits a list into its elements; `None` when `raw` is no valid list.
pub fn list(raw: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
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
    fn nothing(raw: &str, depth: usize) -> bool {
        match raw.as_bytes().first() {
            None | Some(b'n') => true,
            Some(b'"') => raw.trim_matches('"').trim().is_empty(),
            Some(b'[') if depth < MAX_DEPTH => {
                list(raw).is_some_and(|elements| elements.into_iter().all(|element| nothing(element, depth + 1)))
            }
            Some(b'{') if depth < MAX_DEPTH => object(raw)
                .is_some_and(|Object(members)| members.into_iter().all(|(_, value)| nothing(value, depth + 1))),
            Some(_) => false,
        }
    }
    nothing(raw, 0)
}

/// Writes `raw` with the keys of every object in order and without white space, so that the same content always
/// gives the same text. Numbers keep their spelling. `None` when it nests too deep or holds invalid text.
#[must_use]
pub fn canonical(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    write_canonical(raw, 0, &mut out)?;
    Some(out)
}

/// [`canonical`] into a buffer.
fn write_canonical(raw: &str, depth: usize, out: &mut String) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match raw.as_bytes().first()? {
        b'{' => {
            let Object(mut members) = object(raw)?;
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (n, (name, value)) in members.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_string(&name, out);
                out.push(':');
                write_canonical(value, depth + 1, out)?;
            }
            out.push('}');
        }
        b'[' => {
            out.push('[');
            for (n, element) in list(raw)?.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(element, depth + 1, out)?;
            }
            out.push(']');
        }
        b'"' => write_string(&text(raw)?, out),
        _ => out.push_str(raw),
    }
    Some(())
}

/// How far the exponents of numbers go that both databases hold exactly.
const MAX_EXPONENT: i64 = 1000;

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
                let small = exponent.parse::<i64>().is_ok_and(|exponent| exponent.abs() <= MAX_EXPONENT);
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

/// Writes `text` as a JSON string.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
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
