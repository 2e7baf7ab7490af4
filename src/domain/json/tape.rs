//! JSON text read once: where every value begins and ends, so that nothing has to be looked for, or found valid, a second time.

use std::borrow::Cow;

use super::scan;

/// A valid JSON text and the places of its values.
#[derive(Debug)]
pub struct Tape<'a> {
    raw: &'a str,
    /// The values in the order of the text; those inside a list or an object follow it, names before their values.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
    /// The place after this value and all that is inside it.
    next: u32,
    /// Whether it is a string with an escape.
    escaped: bool,
}

/// A list or an object whose end has not been met, and the byte that will be its end. No place: it lies too deep to be kept.
struct Open {
    place: Option<u32>,
    closing: u8,
}

/// Bytes of a record for each value of it, names included, about: what is set aside for the places.
const BYTES_A_VALUE: usize = 12;

impl<'a> Tape<'a> {
    /// Reads a text with all that is in it. `None` when it is not one valid JSON value.
    #[must_use]
    pub fn new(raw: &'a str) -> Option<Self> {
        Self::read(raw, usize::MAX, Vec::with_capacity(raw.len() / BYTES_A_VALUE + 4))
    }

    /// Reads a text, of which only the values down to `levels` below the whole can be asked for: what lies deeper is found valid and
    /// passed over.
    #[must_use]
    pub fn shallow(raw: &'a str, levels: usize) -> Option<Self> {
        Self::read(raw, levels, Vec::new())
    }

    fn read(raw: &'a str, levels: usize, mut places: Vec<Place>) -> Option<Self> {
        u32::try_from(raw.len()).ok()?;
        scan(raw.as_bytes(), levels, &mut places)?;
        Some(Self { raw, places })
    }

    /// The whole.
    #[must_use]
    pub fn root(&self) -> Node<'_, 'a> {
        Node { tape: self, at: 0 }
    }
}

/// Puts the places of all values down to `levels` below the whole into `places`.
#[expect(clippy::cast_possible_truncation, reason = "no text is longer than 2³² bytes, and no place is without a byte")]
fn scan(bytes: &[u8], levels: usize, places: &mut Vec<Place>) -> Option<()> {
    let controls = scan::has_controls(bytes);
    let mut outside: Vec<Open> = Vec::with_capacity(8);
    let mut open = Open { place: None, closing: 0 };
    let mut at = 0;
    'value: loop {
        let keep = outside.len() <= levels;
        let mut leaf = |start: usize, (end, escaped): (usize, bool)| {
            if keep {
                let next = places.len() as u32 + 1;
                places.push(Place { start: start as u32, end: end as u32, next, escaped });
            }
            end
        };
        at = scan::white(bytes, at);
        if open.closing == b'}' {
            if *bytes.get(at)? != b'"' {
                return None;
            }
            let colon = leaf(at, scan::string(bytes, at, controls)?);
            let colon = scan::white(bytes, colon);
            if *bytes.get(colon)? != b':' {
                return None;
            }
            at = scan::white(bytes, colon + 1);
        }
        match *bytes.get(at)? {
            b'"' => at = leaf(at, scan::string(bytes, at, controls)?),
            b'-' | b'0'..=b'9' => at = leaf(at, (scan::number(bytes, at)?, false)),
            bracket @ (b'{' | b'[') => {
                let place = keep.then_some(places.len() as u32);
                if keep {
                    places.push(Place { start: at as u32, end: 0, next: 0, escaped: false });
                }
                outside.push(std::mem::replace(&mut open, Open { place, closing: bracket + 2 })); // as the letters are in ASCII
                at = scan::white(bytes, at + 1);
                if *bytes.get(at)? != open.closing {
                    continue 'value;
                }
            }
            _ => at = leaf(at, (scan::literal(bytes, at)?, false)),
        }
        loop {
            at = scan::white(bytes, at);
            if outside.is_empty() {
                return (at == bytes.len()).then_some(());
            }
            let byte = *bytes.get(at)?;
            at += 1;
            if byte == b',' {
                continue 'value;
            }
            if byte != open.closing {
                return None;
            }
            let next = places.len() as u32;
            if let Some(place) = open.place {
                let place = &mut places[place as usize];
                (place.end, place.next) = (at as u32, next);
            }
            open = outside.pop()?;
        }
    }
}

/// A value of a [`Tape`], or a member's name.
#[derive(Clone, Copy, Debug)]
pub struct Node<'t, 'a> {
    tape: &'t Tape<'a>,
    at: usize,
}

impl<'t, 'a> Node<'t, 'a> {
    fn place(self) -> &'t Place {
        &self.tape.places[self.at]
    }

    fn until(self) -> usize {
        self.place().next as usize
    }

    /// Its text, without white space around it. Never empty.
    #[must_use]
    pub fn raw(self) -> &'a str {
        let place = self.place();
        &self.tape.raw[place.start as usize..place.end as usize]
    }

    /// Its first byte, which tells what it is.
    #[must_use]
    pub fn first(self) -> u8 {
        self.tape.raw.as_bytes()[self.place().start as usize]
    }

    /// The elements of a list; of anything else none.
    pub fn elements(self) -> impl Iterator<Item = Self> + use<'t, 'a> {
        let (mut at, until) = if self.first() == b'[' { (self.at + 1, self.until()) } else { (0, 0) };
        std::iter::from_fn(move || {
            let element = (at < until).then_some(Self { tape: self.tape, at })?;
            at = element.until();
            Some(element)
        })
    }

    /// The members of an object in their order. `None` when it is none, or one of the names is no text (an unpaired surrogate).
    #[must_use]
    pub fn members(self) -> Option<Members<'t, 'a>> {
        if self.first() != b'{' {
            return None;
        }
        let members = Members { tape: self.tape, at: self.at + 1, until: self.until() };
        let readable = |(name, _): (Self, Self)| !name.place().escaped || name.decoded().is_some();
        members.clone().all(readable).then_some(members)
    }

    /// A member's name, borrowed unless there is an escape in it.
    #[must_use]
    pub fn name(self) -> Cow<'a, str> {
        match self.plain() {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(self.decoded().expect("`members` has read it")),
        }
    }

    /// The text of a string that has no escape, which is most of them.
    #[must_use]
    pub fn plain(self) -> Option<&'a str> {
        let Place { start, end, escaped, .. } = *self.place();
        (!escaped && self.first() == b'"').then(|| &self.tape.raw[start as usize + 1..end as usize - 1])
    }

    fn decoded(self) -> Option<String> {
        serde_json::from_str(self.raw()).ok()
    }
}

/// Names and values of an object.
#[derive(Clone, Debug)]
pub struct Members<'t, 'a> {
    tape: &'t Tape<'a>,
    at: usize,
    until: usize,
}

impl<'t, 'a> Iterator for Members<'t, 'a> {
    type Item = (Node<'t, 'a>, Node<'t, 'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.until {
            return None;
        }
        let node = |at| Node { tape: self.tape, at };
        let (name, value) = (node(self.at), node(self.at + 1));
        self.at = value.until();
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
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
            elements.into_iter().for_each(|element| by_serde(element.get(), out));
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
}
