//! The columns of an import, by name. Their order means nothing.

use super::ImportError;
use crate::storage::foreign::Value;

/// Columns without which a store cannot be called.
const REQUIRED: [&str; 3] = ["name", "url", "secret"];

/// Every column that means something.
pub const KNOWN: [&str; 17] = [
    "name",
    "url",
    "secret",
    "scheme",
    "username",
    "client_id",
    "client_secret",
    "refresh_token",
    "token_url",
    "scopes",
    "connector",
    "timezone",
    "paused",
    "schedule_full",
    "schedule_incremental",
    "schedule_sweep",
    "calls_per_minute",
];

/// Where each known column stands.
#[derive(Debug)]
pub struct Columns {
    names: Vec<String>,
}

impl Columns {
    /// Reads the names. Capitals mean nothing.
    pub fn of(names: &[String]) -> Result<Self, ImportError> {
        let names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let refuse = |problem| Err(ImportError::Columns { problem, known: KNOWN.join(", ") });
        if let Some(name) = names.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            // An expression without a name is called by its text, which may hold a phrase.
            let plain = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let said = if plain {
                format!("yields a column {name}")
            } else {
                "yields a column without a name (use AS)".to_owned()
            };
            return refuse(format!("{said}, which means nothing here"));
        }
        if let Some(name) = REQUIRED.iter().find(|required| !names.iter().any(|name| name == *required)) {
            return refuse(format!("yields no column {name}"));
        }
        if let Some(name) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
            return refuse(format!("yields two columns {name}"));
        }
        Ok(Self { names })
    }

    /// Whether the query has that column at all.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The value of that column in a row; NULL when there is no such column.
    pub fn value<'a>(&self, row: &'a [Value], name: &str) -> &'a Value {
        let at = self.names.iter().position(|known| known == name);
        at.and_then(|at| row.get(at)).unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(names: &[&str]) -> String {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Columns::of(&names).expect_err("wrong columns").to_string()
    }

    #[test]
    fn columns_are_known_by_name_whatever_their_order_and_capitals() {
        let names = ["Secret", "URL", "paused", "name"].map(str::to_owned);
        let columns = Columns::of(&names).expect("all known");
        let row = [Value::Null, Value::Unreadable];
        assert!(
            matches!(columns.value(&row, "url"), Value::Unreadable) && columns.has("paused") && !columns.has("scheme")
        );
    }

    #[test]
    fn a_wrong_column_is_named_with_those_there_are() {
        assert!(
            refusal(&["name", "url", "secret", "key"])
                .contains("yields a column key, which means nothing here; the columns are name, url, secret, scheme")
        );
        assert!(refusal(&["name", "url"]).contains("yields no column secret"));
        assert!(refusal(&["name", "url", "secret", "Name"]).contains("yields two columns name"));
        assert!(!refusal(&["name", "url", "pgp_sym_decrypt(x, 'canary')"]).contains("canary"));
    }
}
