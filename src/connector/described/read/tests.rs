//! Every kind of mistake is found at its line, and nothing makes reading panic.

use std::path::PathBuf;

use proptest::prelude::*;

use crate::connector::described::{Auth, Description, MAX_FILE_BYTES, Mistake};

/// A file that uses everything, to break.
const EVERYTHING: &str = include_str!("../../../../tests/fixtures/connectors/everything.toml");

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A case: what is wrong, and after each `# !` what is said of that line, fragment by fragment.
fn cases() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/connectors/wrong");
    let files = std::fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("a file").path());
    let mut cases: Vec<_> = files
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a fixture"))
        })
        .collect();
    cases.sort();
    cases
}

/// The fixtures expect, in comments behind the line, `#! FRAGMENT` for each mistake of that line; no others may be found.
fn expected(text: &str) -> Vec<(usize, String)> {
    let behind = |(n, line): (usize, &str)| {
        let fragments: Vec<_> = line.split("#! ").skip(1).map(|fragment| (n + 1, fragment.trim().to_owned())).collect();
        fragments
    };
    text.lines().enumerate().flat_map(behind).collect()
}

#[test]
fn every_kind_of_mistake_is_refused_at_its_line_with_its_rule() {
    let cases = cases();
    let mut kinds = 0;
    let mut wrong = Vec::new();
    for (name, text) in &cases {
        let mut expected = expected(text);
        kinds += expected.len();
        let found = Description::parse(text.as_bytes(), "shop").expect_err(name);
        for mistake in &found {
            let said = mistake.to_string();
            match expected.iter().position(|(line, fragment)| *line == mistake.line && said.contains(fragment.as_str()))
            {
                Some(known) => _ = expected.remove(known),
                None => wrong.push(format!("{name}: not expected: {said}")),
            }
        }
        wrong.extend(expected.iter().map(|(line, fragment)| format!("{name}: not found: {line}: {fragment}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds >= 100, "{kinds} kinds of mistake");
}

#[test]
fn a_file_that_uses_everything_is_read() {
    let read = Description::parse(EVERYTHING.as_bytes(), "everything").map_err(|mistakes| lines(&mistakes));
    let read = read.expect("a description");
    let schemes: Vec<_> = read.auth.iter().map(Auth::scheme).collect();
    // In the order of the file, which is not that of the alphabet.
    assert_eq!(schemes, ["login", "header-key", "header-pair", "bearer", "client-credentials", "authorization-code"]);
    let styles: Vec<_> = read.streams.iter().map(|stream| stream.paging.style()).collect();
    assert_eq!(styles, ["page", "offset", "next-link", "cursor", "none"]);
}

#[test]
fn a_file_that_is_too_large_or_no_utf8_is_refused() {
    let large = Description::parse(&vec![b'#'; MAX_FILE_BYTES + 1], "shop").expect_err("too large");
    assert!(large[0].rule.contains("256 KiB"), "{large:?}");
    let binary = Description::parse(b"name = \"shop\"\n# \xff", "shop").expect_err("no UTF-8");
    assert_eq!((binary[0].line, binary[0].column), (2, 3), "{binary:?}");
}

#[test]
fn a_mistake_counts_characters_and_not_bytes() {
    let text = EVERYTHING.replace("query = { fields = \"id\" }", "query = { \"é\" = \"é\", b = [] }");
    let mistakes = Description::parse(text.as_bytes(), "everything").expect_err("a list");
    assert_eq!(lines(&mistakes), "42:26: `check.query.b` must be a text, a whole number, true or false");
    let text = EVERYTHING.replace("title = \"Everything\"", "\"títle\" = 1 ");
    let mistakes = Description::parse(text.as_bytes(), "everything").expect_err("an unknown key");
    assert_eq!(lines(&mistakes), "3:1: a connector has no key `títle`; write `title` if that is meant");
}

#[test]
fn deep_nesting_and_giant_numbers_are_mistakes_and_no_panic() {
    let nests = ["[", "{a="].map(|open| format!("x = {}", open.repeat(50_000)));
    let giant = format!("[rate]\ncalls_per_minute = {}", "9".repeat(100_000));
    let dotted = format!("{} = 1", vec!["a"; 50_000].join("."));
    let headers = (0..10_000).map(|n| format!("[a{n}.b]")).collect::<Vec<_>>().join("\n");
    let unknown = (0..20_000).map(|n| format!("k{n} = 1\n")).collect::<Vec<_>>().concat();
    let faults = "a =\n".repeat(50_000);
    for text in nests.into_iter().chain([giant, dotted, headers, unknown, faults]) {
        assert!(text.len() < MAX_FILE_BYTES && Description::parse(text.as_bytes(), "shop").is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Description::parse(&bytes, "shop");
    }

    #[test]
    fn no_lines_moved_about_make_reading_panic(moves in proptest::collection::vec((0_u8..3, any::<u16>(), any::<u16>()), 1..8)) {
        let mut lines: Vec<&str> = EVERYTHING.lines().collect();
        mutate(&mut lines, &moves);
        read_or_explain(&lines.join("\n"))?;
    }

    #[test]
    fn no_tokens_moved_about_make_reading_panic(moves in proptest::collection::vec((0_u8..3, any::<u16>(), any::<u16>()), 1..8)) {
        let mut tokens: Vec<&str> = EVERYTHING.split_inclusive([' ', '"', '{', '}', '[', ']', '=', ',', '.', '\n']).collect();
        mutate(&mut tokens, &moves);
        read_or_explain(&tokens.concat())?;
    }

    #[test]
    fn no_byte_changed_makes_reading_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Description::parse(&bytes, "everything");
    }
}

/// Deletes, doubles and swaps parts.
fn mutate(parts: &mut Vec<&str>, moves: &[(u8, u16, u16)]) {
    for (kind, a, b) in moves {
        let (a, b) = (usize::from(*a) % parts.len(), usize::from(*b) % parts.len());
        match kind {
            0 if parts.len() > 1 => _ = parts.remove(a),
            1 => parts.insert(b, parts[a]),
            _ => parts.swap(a, b),
        }
    }
}

/// A file is read, or has at least one mistake, each within the file.
fn read_or_explain(text: &str) -> Result<(), TestCaseError> {
    if let Err(mistakes) = Description::parse(text.as_bytes(), "everything") {
        prop_assert!(!mistakes.is_empty());
        for mistake in mistakes {
            prop_assert!((1..=text.lines().count() + 1).contains(&mistake.line), "{mistake} in {text}");
            prop_assert!(!mistake.to_string().contains('\n'));
        }
    }
    Ok(())
}
