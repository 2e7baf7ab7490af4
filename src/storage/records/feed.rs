//! The lines of the change feed that are about records.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::json::{Object, object, write_string};
use crate::domain::run::Lease;
use crate::storage::page::{Cell, Rows, Transaction};

/// A line on its way into the feed.
#[derive(Debug)]
pub struct Line<'a> {
    pub key: &'a str,
    pub kind: &'static str,
    /// See [`fields`]; none of a record that was removed.
    pub fields: Option<String>,
}

impl Transaction {
    /// Adds lines to the feed.
    pub(super) async fn record_changes(
        &mut self,
        lease: &Lease,
        stream: &str,
        lines: &[Line<'_>],
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        let mut rows = Rows::record_changes();
        for line in lines {
            let row = [
                Cell::Int(lease.store_id),
                Cell::Numbered(rows.len() as i64),
                Cell::Text(stream),
                Cell::Text(line.key),
                Cell::Text(line.kind),
                line.fields.as_deref().map_or(Cell::Null, Cell::Text),
                Cell::Int(lease.run_id),
                Cell::Time(now),
            ];
            rows.push(&row, &[]);
        }
        self.feed(lease.store_id, rows).await
    }
}

/// What a record that is no object has instead of fields.
const WHOLE: &str = "value";

/// Each top-level field in which `old` and `new` differ to `[old, new]`, as JSON; of a record that is new all of its fields. Values
/// keep their spelling.
pub fn fields(old: Option<&str>, new: &str) -> String {
    let (mut old, new) = (old.map(members).unwrap_or_default(), members(new));
    let mut out = String::from("{");
    let mut tell = |name: &str, old: &str, new: &str| {
        if out.len() > 1 {
            out.push(',');
        }
        write_string(name, &mut out);
        out.extend([":[", old, ",", new, "]"]);
    };
    for (name, value) in &new {
        match old.remove(name) {
            Some(old) if old == *value => {}
            before => tell(name, before.unwrap_or("null"), value),
        }
    }
    for (name, before) in old {
        tell(&name, before, "null");
    }
    out.push('}');
    out
}

fn members(data: &str) -> BTreeMap<Cow<'_, str>, &str> {
    match object(data) {
        Some(Object(members)) => members.into_iter().collect(),
        None => BTreeMap::from([(Cow::Borrowed(WHOLE), data)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_change_are_those_that_differ_with_every_digit() {
        assert_eq!(fields(None, r#"{"a":1.50,"b":"x"}"#), r#"{"a":[null,1.50],"b":[null,"x"]}"#);
        assert_eq!(
            fields(Some(r#"{"a":1,"b":{"x":1},"gone":2,"same":0}"#), r#"{"a":1.0,"b":{"x":2},"new":[],"same":0}"#),
            r#"{"a":[1,1.0],"b":[{"x":1},{"x":2}],"new":[null,[]],"gone":[2,null]}"#
        );
        assert_eq!(fields(Some("{}"), "{}"), "{}");
        assert_eq!(fields(Some("1"), "[2]"), r#"{"value":[1,[2]]}"#);
    }
}
