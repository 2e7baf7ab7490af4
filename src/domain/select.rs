//! Whether a text is one statement that reads. Not a parser: the database has the last word, in a transaction that may only read.

/// Checks that `query` is one SELECT (or WITH … SELECT); the error is the rule it breaks, without a word of the query.
pub fn check(query: &str) -> Result<(), &'static str> {
    let code = without_quotes(query);
    let code = code.trim().trim_end_matches(';').trim_end();
    if code.contains(';') {
        return Err("must be one statement, without a semicolon but at its end");
    }
    if query.contains('\0') {
        return Err("must be text, without a zero byte");
    }
    let first = code.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if first.eq_ignore_ascii_case("select") || first.eq_ignore_ascii_case("with") {
        Ok(())
    } else {
        Err("must be a SELECT, or a WITH that ends in one")
    }
}

/// The query without its comments, and with nothing in its quotes.
fn without_quotes(query: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(query.len()), query);
    while let Some(c) = rest.chars().next() {
        let end = match c {
            _ if rest.starts_with("--") => Some("\n"),
            _ if rest.starts_with("/*") => Some("*/"),
            '\'' => Some("'"),
            '"' => Some("\""),
            '`' => Some("`"),
            '[' => Some("]"),
            _ => None,
        };
        let Some(end) = end else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.push(' ');
        let opening = if c == '-' || c == '/' { 2 } else { 1 };
        let inside = &rest[opening..];
        rest = inside.find(end).map_or("", |at| &inside[at + end.len()..]);
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_select_passes_however_it_is_written() {
        for query in [
            "SELECT name, url, secret FROM shops",
            " select 1;\n",
            "SELECT 1; -- the shops",
            "-- the shops; all\nSELECT ';' AS name",
            "/* ; */ WITH a AS (SELECT 1) SELECT * FROM a",
            "SELECT 'it''s; fine' AS name, \"a;b\", [c;d] FROM t",
        ] {
            assert_eq!(check(query), Ok(()), "{query}");
        }
    }

    #[test]
    fn what_is_more_or_something_else_does_not() {
        for query in [
            "",
            ";",
            "DELETE FROM shops",
            "SELECT 1; DELETE FROM shops",
            "SELECT 'a' ; DROP TABLE shops --",
            "VACUUM INTO 'copy.db'",
            "ATTACH 'x' AS y",
            "PRAGMA query_only = 0",
            "/* SELECT */ UPDATE shops SET secret = ''",
            "EXPLAIN SELECT 1",
            "SELECT 1\0",
        ] {
            assert!(check(query).is_err(), "{query}");
        }
    }
}
