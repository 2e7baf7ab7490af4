//! What an import did, for people and scripts. It knows no secret.

use serde::Serialize;

/// How many names a sentence holds.
const NAMES: usize = 10;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether it only says what would be done.
    pub dry_run: bool,
    /// Stores that are new.
    pub added: Vec<String>,
    /// Stores of which something changed.
    pub changed: Vec<Changed>,
    /// Stores that rest from now on.
    pub paused: Vec<Paused>,
    /// Stores that the import had paused and that go on.
    pub resumed: Vec<String>,
    /// Rows that were not used.
    pub refused: Vec<Refused>,
    /// How many stores are as they were.
    pub unchanged: usize,
}

/// A store of which something changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub store: String,
    /// The columns.
    pub what: Vec<&'static str>,
}

/// A store that rests from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// Its name.
    pub store: String,
    /// Why.
    pub reason: &'static str,
}

/// A row that was not used; its store, if there is one, is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its number in the answer, from 1; 0 where it is no longer known.
    pub row: usize,
    /// The store's name, if it has one.
    #[serde(rename = "store")]
    pub name: Option<Name>,
    /// Why.
    pub reason: String,
}

/// What stands in the column of names. It may be a key that was put there by mistake: a long one is not shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Wraps it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// As it stands there.
    #[must_use]
    pub fn whole(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Names of stores are shorter, as a rule, and keys are longer.
        const LONG: usize = 24;
        let cut = self.0.chars().nth(LONG).is_some();
        let shown = self.0.chars().take(if cut { 8 } else { LONG });
        let clean: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "{clean}{}", if cut { "…" } else { "" })
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.reason),
            None => write!(f, "row {} ({})", self.row, self.reason),
        }
    }
}

impl Report {
    /// Refuses a store after all.
    pub(super) fn refuse(&mut self, name: &str, reason: &str) {
        self.refused.push(Refused { row: 0, name: Some(Name::new(name)), reason: reason.to_owned() });
    }

    /// The rows that were refused, in a sentence; `None` when there are none.
    #[must_use]
    pub fn refusals(&self) -> Option<String> {
        let refused: Vec<_> = self.refused.iter().take(NAMES).map(ToString::to_string).collect();
        (!refused.is_empty()).then(|| {
            let more = if self.refused.len() > NAMES { ", …" } else { "" };
            format!("the import of credentials refuses {} rows: {}{more}", self.refused.len(), refused.join(", "))
        })
    }

    /// What changed, in a sentence; `None` when nothing did.
    #[must_use]
    pub fn changes(&self) -> Option<String> {
        let changed: Vec<_> =
            self.changed.iter().map(|one| format!("{} ({})", one.store, one.what.join(", "))).collect();
        let paused: Vec<_> = self.paused.iter().map(|one| format!("{} ({})", one.store, one.reason)).collect();
        let parts: Vec<_> =
            [("added", &self.added), ("changed", &changed), ("paused", &paused), ("resumed", &self.resumed)]
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(word, names)| {
                    let more =
                        if names.len() > NAMES { format!(" and {} more", names.len() - NAMES) } else { String::new() };
                    format!("{word} {}{more}", names[..names.len().min(NAMES)].join(", "))
                })
                .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
