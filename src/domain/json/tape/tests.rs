//! The scanner against `serde_json`: every slice, every name and every refusal.

use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::*;

/// An object's members in their order, as `serde_json` reads them.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose()).collect::<Result<_, _>>().map(Pairs)
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// What `serde_json` makes of a text, level by level: the slices of all values, and names as they are decoded.
fn by_serde(raw: &str, out: &mut Vec<String>) {
    out.push(raw.to_owned());
    if raw.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(raw).expect("a list");
        for element in elements {
            by_serde(element.get(), out);
        }
    } else if raw.starts_with('{') {
        match serde_json::from_str::<Pairs<'_>>(raw) {
            Err(_) => out.push("unreadable name".to_owned()),
            Ok(Pairs(members)) => members.into_iter().for_each(|(name, value)| {
                out.push(name);
                by_serde(value.get(), out);
            }),
        }
    }
}

fn by_tape(node: Node<'_, '_>, out: &mut Vec<String>) {
    out.push(node.raw().to_owned());
    node.elements().for_each(|element| by_tape(element, out));
    if node.first() == b'{' {
        match node.members() {
            None => out.push("unreadable name".to_owned()),
            Some(members) => members.for_each(|(name, value)| {
                out.push(name.name().into_owned());
                by_tape(value, out);
            }),
        }
    }
}

fn both_agree(raw: &str) {
    let whole: Option<&RawValue> = serde_json::from_str(raw).ok();
    let tape = Tape::new(raw);
    assert_eq!(tape.is_some(), whole.is_some(), "{raw:?}");
    for levels in 0..3 {
        let shallow = Tape::shallow(raw, levels);
        assert_eq!(shallow.as_ref().map(|tape| tape.root().raw()), whole.map(RawValue::get), "{raw:?}");
    }
    if let (Some(tape), Some(whole)) = (tape, whole) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        by_tape(tape.root(), &mut ours);
        by_serde(whole.get(), &mut theirs);
        assert_eq!(ours, theirs, "{raw:?}");
    }
}

#[test]
fn what_serde_json_refuses_is_refused_and_no_more() {
    for raw in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "{\"a\" : 1 }",
        "[1}",
        "{\"a\":1]",
        "01",
        "-",
        "-0",
        "-01",
        "1.",
        ".5",
        "1.5e",
        "1e+",
        "1E-7",
        "1e5",
        "+1",
        "0x1",
        "1e5.2",
        "- 1",
        "tru",
        "true",
        "truex",
        "nul",
        "null",
        "nan",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "{\"\\ud800\":1}",
        "{\"\\ud83d\\ude00\":1,\"\\u0000\":2}",
        "[{\"\\ud800\":[1]},2]",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{7f}é\"",
        "\u{feff}1",
        "\u{a0}1",
        "1 1",
        "[] []",
        " [ ] ",
        "{ }",
        "[[],{},[{}]]",
        "\"12345678\\\"12345678\"",
        "\"1234567\"",
        "[\"\"]",
        "\u{b}1",
        "\"12345678\u{1f}\"",
        "[1,[2,[3,[4,{\"a\":[5]}]]]]",
    ] {
        both_agree(raw);
    }
}

#[test]
fn depth_is_no_danger() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Tape::new(&deep).is_some());
    assert!(Tape::new(&deep[1..]).is_none());
}

fn json() -> impl Strategy<Value = String> {
    let white = "[ \n\t\r]{0,2}";
    let string = r#""([a-zé€ ]|\\u[0-9a-fA-Fd]{4}|\\["\\/bfnrt]){0,12}""#;
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        string,
        Just("true".to_owned()),
        Just("null".to_owned())
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let padded = (white, inner.clone(), white).prop_map(|(a, b, c)| format!("{a}{b}{c}"));
        let member = (white, string, white, padded.clone()).prop_map(|(a, b, c, d)| format!("{a}{b}{c}:{d}"));
        prop_oneof![
            prop::collection::vec(padded, 0..5).prop_map(|elements| format!("[{}]", elements.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn valid_text_is_taken_apart_as_serde_json_does(raw in json()) {
        both_agree(&raw);
    }

    #[test]
    fn damaged_text_is_judged_as_serde_json_does(raw in json(), at in any::<prop::sample::Index>(), put in "[\\[\\]{}\",:0-9eE.+\\-\\\\ \u{1}untr]{0,2}", cut in 0..3_usize) {
        let mut chars: Vec<char> = raw.chars().collect();
        let at = at.index(chars.len());
        let until = chars.len().min(at + cut);
        chars.splice(at..until, put.chars());
        both_agree(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_is_judged_as_serde_json_does(raw in "[\\[\\]{}\",:0-9eE.+\\- \\\\a-c]{0,24}") {
        both_agree(&raw);
    }
}
