//! What is wrong with a file, where, and what to do.

use std::fmt;
use std::ops::Range;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The rule that is broken, by what: one sentence without a full stop.
    pub rule: String,
    /// What to do, when the rule alone does not say it.
    pub advice: Option<String>,
}

/// `LINE:COLUMN: rule; advice`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.rule)?;
        self.advice.iter().try_for_each(|advice| write!(f, "; {advice}"))
    }
}

/// Collects the mistakes of one file.
pub(super) struct Mistakes<'t> {
    text: &'t str,
    /// Offset in bytes, rule and advice.
    found: Vec<(usize, String, Option<String>)>,
}

impl<'t> Mistakes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes a broken rule at the place of its cause.
    pub(super) fn note(&mut self, at: &Range<usize>, rule: impl Into<String>) {
        self.found.push((at.start, rule.into(), None));
    }

    /// Notes a broken rule and what to do.
    pub(super) fn note_with(&mut self, at: &Range<usize>, rule: impl Into<String>, advice: impl Into<String>) {
        self.found.push((at.start, rule.into(), Some(advice.into())));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them in the order of the file, none twice.
    pub(super) fn sorted(mut self) -> Vec<Mistake> {
        self.found.sort();
        self.found.dedup();
        let (mut line, mut column, mut read) = (1, 1, 0);
        let mut mistakes = Vec::with_capacity(self.found.len());
        for (at, rule, advice) in self.found {
            let at = self.text.floor_char_boundary(at);
            for c in self.text[read..at].chars() {
                (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            read = at;
            mistakes.push(Mistake { line, column, rule, advice });
        }
        mistakes
    }
}
