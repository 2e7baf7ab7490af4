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
    first: u8,
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
                places.push(Place { start: start as u32, end: end as u32, next, first: bytes[start], escaped });
            }
            end
        };
        at = scan::white(bytes, at);
        'word: {
            if open.closing == b'}' {
                if *bytes.get(at)? != b'"' {
                    return None;
                }
                let mut colon = leaf(at, scan::string(bytes, at, controls)?);
                // Texts of an object nobody asks about, without white space, are most of a page of records.
                while !keep && bytes.get(colon..colon + 2) == Some(b":\"") {
                    let (end, _) = scan::string(bytes, colon + 1, controls)?;
                    if bytes.get(end..end + 2) != Some(b",\"") {
                        at = end;
                        break 'word;
                    }
                    (colon, _) = scan::string(bytes, end + 1, controls)?;
                }
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
                        places.push(Place { start: at as u32, end: 0, next: 0, first: bracket, escaped: false });
                    }
                    outside.push(std::mem::replace(&mut open, Open { place, closing: bracket + 2 })); // as the letters are in ASCII
                    at = scan::white(bytes, at + 1);
                    if *bytes.get(at)? != open.closing {
                        continue 'value;
                    }
                }
                _ => at = leaf(at, (scan::literal(bytes, at)?, false)),
            }
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
    #[inline]
    fn place(self) -> &'t Place {
        &self.tape.places[self.at]
    }

    #[inline]
    fn until(self) -> usize {
        self.place().next as usize
    }

    /// Its text, without white space around it. Never empty.
    #[inline]
    #[must_use]
    pub fn raw(self) -> &'a str {
        let place = self.place();
        &self.tape.raw[place.start as usize..place.end as usize]
    }

    /// Its first byte, which tells what it is.
    #[inline]
    #[must_use]
    pub fn first(self) -> u8 {
        self.place().first
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
    #[inline]
    #[must_use]
    pub fn name(self) -> Cow<'a, str> {
        match self.plain() {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(self.decoded().expect("`members` has read it")),
        }
    }

    /// The text of a string that has no escape, which is most of them.
    #[inline]
    #[must_use]
    pub fn plain(self) -> Option<&'a str> {
        let Place { start, end, first, escaped, .. } = *self.place();
        (first == b'"' && !escaped).then(|| &self.tape.raw[start as usize + 1..end as usize - 1])
    }

    /// Whether it is a string of this text, which is ASCII, in any letter case.
    #[inline]
    #[must_use]
    pub fn is(self, ascii: &str) -> bool {
        let Place { start, end, first, escaped, .. } = *self.place();
        if escaped {
            return self.decoded().is_some_and(|text| text.eq_ignore_ascii_case(ascii));
        }
        if first != b'"' || (end - start) as usize != ascii.len() + 2 {
            return false;
        }
        let text = &self.tape.raw.as_bytes()[start as usize + 1..end as usize - 1];
        text == ascii.as_bytes() || text.eq_ignore_ascii_case(ascii.as_bytes())
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

    #[inline]
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
mod tests;
