//! Keeps what a server says from carrying a secret, or a terminal's control codes, into an error.

use crate::domain::error::RemoteError;
use crate::domain::http::{HeaderText, Request};
use crate::domain::secret::Secret;

/// This much of a secret, in either case, is cut out wherever it stands. A server may send back a part of it only.
const TELLING: usize = 8;

/// How much of a text is looked at, in characters: redaction must not take long on a body of megabytes.
const LOOKED_AT: usize = 4096;

/// How much of an answer an error shows, in characters.
const SHOWN: usize = 80;

/// How long an error's sentence or hint may be, in characters.
const LONGEST: usize = 600;

/// Takes the secrets of one request out of whatever is said about it.
pub(super) struct Redactor<'a>(Vec<&'a Secret>);

impl<'a> Redactor<'a> {
    /// For the secrets of `request`, wherever it carries them.
    pub(super) fn of(request: &'a Request) -> Self {
        let in_headers = request.headers.iter().filter_map(|(_, text)| match text {
            HeaderText::Secret(secret) => Some(secret),
            HeaderText::Plain(_) => None,
        });
        Self(in_headers.chain(&request.hidden).collect())
    }

    /// The error without secrets, each of its texts on one line.
    pub(super) fn error(&self, mut error: RemoteError) -> RemoteError {
        error.message = shorten(&self.text(start(&error.message)), LONGEST);
        error.hint = error.hint.map(|hint| shorten(&self.text(start(&hint)), LONGEST));
        error
    }

    /// The start of a body, for a person to recognise it by.
    pub(super) fn excerpt(&self, body: &str) -> String {
        shorten(&self.text(start(body)), SHOWN)
    }

    /// `text` without the secrets and their parts.
    fn text(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            // A password may have other characters than ASCII, and end here in the middle of one.
            let found = self.secret_at(rest.as_bytes()).map(|length| rest.ceil_char_boundary(length));
            match found {
                Some(_) => clean.push_str("[REDACTED]"),
                None => clean.push(first),
            }
            rest = &rest[found.unwrap_or(first.len_utf8())..];
        }
        clean
    }

    /// Length of the longest part of a secret that `text` begins with, if it tells anything.
    fn secret_at(&self, text: &[u8]) -> Option<usize> {
        let telling = |secret: &&Secret| {
            let secret = secret.expose().as_bytes();
            let same = |(a, b): &(&u8, &u8)| a.eq_ignore_ascii_case(b);
            let common = |from: usize| text.iter().zip(&secret[from..]).take_while(same).count();
            let longest = (0..secret.len()).map(common).max().unwrap_or(0);
            (longest > 0 && longest >= TELLING.min(secret.len())).then_some(longest)
        };
        self.0.iter().filter_map(telling).max()
    }
}

fn start(text: &str) -> &str {
    text.char_indices().nth(LOOKED_AT).map_or(text, |(end, _)| &text[..end])
}

/// At most `most` characters on one line: white space and control characters become one space.
fn shorten(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() || unseen(c) { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(most) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Characters that change how the rest of a line looks.
fn unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "canary-Zx81Qq72Lm90";

    fn request() -> Request {
        let url = "https://shop.example.com/".parse().expect("a URL");
        Request::new(url, "").plain("NETOAPI_USERNAME", "integration").secret("NETOAPI_KEY", Secret::new(KEY))
    }

    #[test]
    fn a_key_sent_back_whole_in_part_or_in_another_case_is_cut_out() {
        let request = request();
        let redactor = Redactor::of(&request);
        for echoed in [KEY, &KEY[..12], &KEY[7..], &KEY.to_uppercase(), &format!("x{KEY}{KEY}é")] {
            let shown = redactor.excerpt(&format!("Invalid key {echoed} for integration"));
            assert!(!shown.to_lowercase().contains("zx81") && shown.contains("[REDACTED]"), "{shown}");
            assert!(shown.starts_with("Invalid key ") && shown.ends_with(" for integration"), "{shown}");
        }
    }

    #[test]
    fn a_key_at_the_edge_of_the_excerpt_is_not_shown_in_part() {
        let request = request();
        let shown = Redactor::of(&request).excerpt(&format!("{}{KEY}", "x ".repeat(38)));
        assert!(!shown.contains("cana"), "{shown}");
    }

    #[test]
    fn control_characters_do_not_get_through() {
        let request = request();
        let shown = Redactor::of(&request).excerpt("a\u{1b}[31m\r\n\tb\u{202e}c");
        assert_eq!(shown, "a [31m b c");
    }

    proptest! {
        #[test]
        fn whatever_is_around_it_the_key_does_not_get_through(before in ".{0,40}", after in ".{0,40}") {
            let request = request();
            let error = RemoteError::new(crate::domain::error::ErrorClass::Rejected, format!("{before}{KEY}{after}"));
            prop_assert!(!Redactor::of(&request).error(error).message.contains("Zx81Qq72"));
        }
    }
}
