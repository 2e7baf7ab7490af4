//! The words of JSON text: where white space, a string, a number or a literal ends. As strict as `serde_json`, against which the tests of
//! [`super::tape`] hold it.
//!
//! Offsets are bytes. Every function takes the offset of the word's first byte and gives that of the first byte after it.

/// Skips white space.
#[inline]
pub fn white(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'\0'..=b' ') = bytes.get(at) {
        if !matches!(bytes[at], b' ' | b'\n' | b'\t' | b'\r') {
            break;
        }
        at += 1;
    }
    at
}

/// Whether there are control characters in a text. Outside its strings they can be white space; inside they are not allowed, and where
/// there are none at all nobody has to look for them in every string.
pub fn has_controls(bytes: &[u8]) -> bool {
    // Without a way out of the inner loop it becomes a few vector instructions.
    bytes.chunks(256).any(|chunk| chunk.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ')
}

/// The end of a string that begins with the quote at `at`, and whether there is an escape in it. An escaped half of a surrogate pair
/// passes: only who wants the text can say that there is none. `controls`: what [`has_controls`] says.
#[inline]
pub fn string(bytes: &[u8], at: usize, controls: bool) -> Option<(usize, bool)> {
    let end = special(bytes, at + 1)?;
    if bytes[end] == b'"' && !controls { Some((end + 1, false)) } else { any_string(bytes, at + 1, end, controls) }
}

/// [`string`], where it is not as plain as most are; `at` is after the quote, `end` the first quote or backslash.
#[cold]
fn any_string(bytes: &[u8], at: usize, mut end: usize, controls: bool) -> Option<(usize, bool)> {
    let mut escaped = false;
    while bytes[end] != b'"' {
        escaped = true;
        end = special(bytes, escape(bytes, end + 1)?)?;
    }
    (!controls || !has_controls(&bytes[at..end])).then_some((end + 1, escaped))
}

/// The first quote or backslash at or after `at`. Most texts are short: two words by hand, before a vector is worth its call.
#[inline]
fn special(bytes: &[u8], at: usize) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // Sets the high bit of every byte that is zero; above the first of them it may err, and nobody looks there.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let rest = bytes.get(at..)?;
    if let Some(words) = rest.first_chunk::<16>() {
        let (words, _) = words.as_chunks::<8>();
        for (n, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            let quote = zero(word ^ (ONES * u64::from(b'"')));
            let hit = (quote | zero(word ^ (ONES * u64::from(b'\\')))) & (ONES << 7);
            if hit != 0 {
                return Some(at + n * 8 + (hit.trailing_zeros() / 8) as usize);
            }
        }
    }
    memchr::memchr2(b'"', b'\\', rest).map(|found| at + found)
}

/// The end of an escape, after its backslash.
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
        _ => None,
    }
}

/// The end of a number.
pub fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let mut at = from;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    let whole = at + usize::from(bytes.get(at) == Some(&b'-'));
    let mut at = if bytes.get(whole) == Some(&b'0') { whole + 1 } else { digits(whole)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(at + 1 + sign)?;
    }
    Some(at)
}

/// The end of `true`, `false` or `null`.
pub fn literal(bytes: &[u8], at: usize) -> Option<usize> {
    let word: &[u8] = match bytes.get(at)? {
        b't' => b"true",
        b'f' => b"false",
        _ => b"null",
    };
    bytes[at..].starts_with(word).then_some(at + word.len())
}
