//! What every table and column means: the mirrored ones from [`crate::domain::catalogue`], ours from here.
//!
//! Shown by `netosync db schema`. A test compares it with the tables that the migrations make, on both engines.

mod columns;

use std::fmt;

use self::columns::{
    CONSUMERS, CREDENTIALS, CURSORS, Columns, FINDINGS, HELD_REMOVALS, HISTORY, INCIDENTS, INSTANCES, OAUTH_STATES,
    PRODUCT_CHANGES, PRODUCT_KEY, PRODUCT_OURS, QUARANTINE, RECORD_CHANGES, RECORDS, RUNS, STORES,
};
use super::Engine;
use crate::domain::catalogue::{CHILDREN, Column, Kind, PRODUCT, TEXTS};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// One of the kinds the catalogue knows.
    Of(Kind),
    /// Bytes.
    Bytes,
    /// JSON as it was written.
    Written,
}

impl ColumnKind {
    /// The type the column was declared with.
    #[must_use]
    pub fn sql_type(self, engine: Engine) -> &'static str {
        let (sqlite, postgres) = match self {
            Self::Of(Kind::Text) => ("text", "text"),
            Self::Of(Kind::Int) => ("integer", "bigint"),
            Self::Of(Kind::Decimal) => ("numeric", "numeric"),
            Self::Of(Kind::Bool) => ("boolean", "boolean"),
            Self::Of(Kind::Time) => ("timestamp_with_timezone_text", "timestamp with time zone"),
            Self::Of(Kind::LocalTime) => ("datetime_text", "timestamp without time zone"),
            Self::Of(Kind::Date) => ("date_text", "date"),
            Self::Of(Kind::Json) => ("jsonb_text", "jsonb"),
            Self::Written => ("jsonb_text", "json"),
            Self::Bytes => ("blob", "bytea"),
        };
        match engine {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Of(Kind::Text) => "text",
            Self::Of(Kind::Int) => "integer",
            Self::Of(Kind::Decimal) => "decimal",
            Self::Of(Kind::Bool) => "boolean",
            Self::Of(Kind::Time) => "time (UTC)",
            Self::Of(Kind::LocalTime) => "time (local)",
            Self::Of(Kind::Date) => "date",
            Self::Of(Kind::Json) | Self::Written => "JSON",
            Self::Bytes => "bytes",
        })
    }
}

/// The meaning of a column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnDoc {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// One sentence.
    pub doc: &'static str,
}

/// The meaning of a table.
#[derive(Clone, Debug)]
pub struct TableDoc {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Whether it is a view.
    pub view: bool,
    /// The columns of its primary key; of a view those that name a row.
    pub key: Vec<&'static str>,
    /// Its columns, in the order of the table.
    pub columns: Vec<ColumnDoc>,
}

impl fmt::Display for TableDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = if self.view { "view, " } else { "" };
        writeln!(f, "{}  ({view}key: {})\n  {}", self.name, self.key.join(", "), self.doc)?;
        let width = self.columns.iter().map(|column| column.name.len()).max().unwrap_or_default();
        for ColumnDoc { name, kind, doc } in &self.columns {
            writeln!(f, "    {name:width$}  {kind:12}  {doc}")?;
        }
        Ok(())
    }
}

/// Every table, in the order in which one would read about them.
#[must_use]
pub fn tables() -> Vec<TableDoc> {
    let mut tables = vec![own("stores", "The webstores that are mirrored.", &["id"], STORES)];
    tables.push(mirrored("products", "The products, one row each.", &[], PRODUCT, PRODUCT_OURS));
    tables.push(mirrored("product_texts", "The long texts of the products.", &[], TEXTS, &[]));
    for child in CHILDREN {
        let key: Vec<_> = child.columns[..child.key].iter().map(|column| column.name).collect();
        tables.push(mirrored(child.name, child.doc, &key, child.columns, &[]));
    }
    tables.extend([
        TableDoc {
            view: true,
            ..own("product_changes", "What changed, in the order it was seen.", &["store_id", "seq"], PRODUCT_CHANGES)
        },
        own(
            "product_change_lines",
            "What the view product_changes reads; an added product's line leaves out what the product's rows say, so read the view.",
            &["store_id", "seq"],
            PRODUCT_CHANGES,
        ),
        own("consumers", "How far each reader of the change feed has come.", &["store_id", "name"], CONSUMERS),
        own("runs", "The syncs: those that wait, the one that runs, and the history.", &["id"], RUNS),
        own("instances", "The daemons that share this database.", &["name"], INSTANCES),
        own("findings", "What a run's sweep found and has not dealt with yet.", &["run_id", "inventory_id"], FINDINGS),
        own("held_removals", "Removals that wait for approval.", &["store_id"], HELD_REMOVALS),
        own("cursors", "Where the next listing of a kind starts.", &["store_id", "kind"], CURSORS),
        own("quarantine", "Records that could not be read, kept as sent.", &["id"], QUARANTINE),
        own("records", "Records of the described connectors.", &["store_id", "stream", "key"], RECORDS),
        own(
            "record_changes",
            "What changed in records, in the order it was seen.",
            &["store_id", "seq"],
            RECORD_CHANGES,
        ),
        own("credentials", "The sealed keys of the stores; keep analysts out of it.", &["store_id"], CREDENTIALS),
        own("oauth_states", "Connections that were begun: states that are waited for.", &["digest"], OAUTH_STATES),
        own("incidents", "What a person is told about: what is or was wrong.", &["id"], INCIDENTS),
        own(migration::HISTORY_TABLE, "The migrations that were applied.", &["version"], HISTORY),
    ]);
    tables
}

fn own(name: &'static str, doc: &'static str, key: &[&'static str], columns: Columns) -> TableDoc {
    TableDoc { name, doc, view: false, key: key.to_vec(), columns: columns.iter().map(described).collect() }
}

fn mirrored(
    name: &'static str,
    doc: &'static str,
    key: &[&'static str],
    from_store: &'static [Column],
    ours: Columns,
) -> TableDoc {
    let columns = PRODUCT_KEY
        .iter()
        .map(described)
        .chain(from_store.iter().map(|c| ColumnDoc { name: c.name, kind: ColumnKind::Of(c.kind), doc: c.doc }))
        .chain(ours.iter().map(described))
        .collect();
    TableDoc { name, doc, view: false, key: [&["store_id", "inventory_id"], key].concat(), columns }
}

fn described(&(name, kind, doc): &(&'static str, ColumnKind, &'static str)) -> ColumnDoc {
    ColumnDoc { name, kind, doc }
}
