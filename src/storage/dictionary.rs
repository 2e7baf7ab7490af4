//! What every table and column means: the mirrored ones from [`crate::domain::catalogue`], ours from here.
//!
//! Shown by `netosync db schema`. A test compares it with the tables that the migrations make, on both engines.

use std::fmt;

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
    /// The columns of its primary key.
    pub key: Vec<&'static str>,
    /// Its columns, in the order of the table.
    pub columns: Vec<ColumnDoc>,
}

impl fmt::Display for TableDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  (key: {})\n  {}", self.name, self.key.join(", "), self.doc)?;
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
        own("product_changes", "What changed, in the order it was seen.", &["store_id", "seq"], PRODUCT_CHANGES),
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

fn own(
    name: &'static str,
    doc: &'static str,
    key: &[&'static str],
    columns: &[(&'static str, ColumnKind, &'static str)],
) -> TableDoc {
    TableDoc { name, doc, key: key.to_vec(), columns: columns.iter().map(described).collect() }
}

fn mirrored(
    name: &'static str,
    doc: &'static str,
    key: &[&'static str],
    from_store: &'static [Column],
    ours: &[(&'static str, ColumnKind, &'static str)],
) -> TableDoc {
    let columns = PRODUCT_KEY
        .iter()
        .map(described)
        .chain(from_store.iter().map(|c| ColumnDoc { name: c.name, kind: ColumnKind::Of(c.kind), doc: c.doc }))
        .chain(ours.iter().map(described))
        .collect();
    TableDoc { name, doc, key: [&["store_id", "inventory_id"], key].concat(), columns }
}

fn described(&(name, kind, doc): &(&'static str, ColumnKind, &'static str)) -> ColumnDoc {
    ColumnDoc { name, kind, doc }
}

type Columns = &'static [(&'static str, ColumnKind, &'static str)];

const TEXT: ColumnKind = ColumnKind::Of(Kind::Text);
const INT: ColumnKind = ColumnKind::Of(Kind::Int);
const TIME: ColumnKind = ColumnKind::Of(Kind::Time);
const JSON: ColumnKind = ColumnKind::Of(Kind::Json);
const BYTES: ColumnKind = ColumnKind::Bytes;

const OF_STORE: &str = "The store, stores.id.";
const CONTENT_HASH: &str = "Hash over all values; an equal one means nothing changed.";
const FIRST_SEEN: &str = "When netosync first stored it.";
const CHANGED: &str = "When netosync last stored a change of it.";
const REMOVED: &str = "When the store was found not to have it any more; NULL while it does.";

const PRODUCT_KEY: Columns = &[
    ("store_id", INT, OF_STORE),
    ("inventory_id", INT, "The store's id of the product; never reused, never renamed."),
];

const PRODUCT_OURS: Columns = &[
    ("content_hash", BYTES, CONTENT_HASH),
    ("first_seen_at", TIME, FIRST_SEEN),
    ("changed_at", TIME, CHANGED),
    ("removed_at", TIME, REMOVED),
    ("light_hash", BYTES, "Hash over prices, stock and the date of the last edit, which sweeps compare."),
    ("answer_hash", BYTES, "Hash over the record as the store sent it; the same bytes again are not even parsed."),
];

const FINDINGS: Columns = &[
    ("run_id", INT, "The run that found it, runs.id."),
    ("inventory_id", INT, "The product."),
    (
        "kind",
        TEXT,
        "look (new or edited: to be fetched), missing (to be asked for by its ID) or gone (asked for, not there).",
    ),
];

const HELD_REMOVALS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("run_id", INT, "The run that found them missing."),
    ("products", INT, "How many products."),
    ("id_digest", TEXT, "Digest of their IDs: an equal one in the next sweep confirms them."),
    ("at", TIME, "When they were held back."),
];

const STORES: Columns = &[
    ("id", INT, "Number of the store."),
    ("name", TEXT, "Unique name, chosen by the operator."),
    ("connector", TEXT, "Which connector speaks to it."),
    ("url", TEXT, "The store's address."),
    ("timezone", TEXT, "The store's time zone (IANA name), if known."),
    ("paused_at", TIME, "Set while the operator has paused the store."),
    ("paused_reason", TEXT, "Why it is paused."),
    ("paused_until", TIME, "When the pause ends by itself."),
    ("schedule_full", TEXT, "Own cron expression for full runs; NULL = the configured one."),
    ("schedule_incremental", TEXT, "Own cron expression for incremental runs; NULL = the configured one."),
    ("schedule_sweep", TEXT, "Own cron expression for sweep runs; NULL = the configured one."),
    ("calls_per_minute", INT, "Own budget of calls a minute; NULL = the configured one."),
    ("as_of", TIME, "Until when every row of the store is known to hold."),
    ("change_seq", INT, "Number of its last row in product_changes or record_changes."),
    ("created_at", TIME, "When the store was added."),
    ("silent_until", TIME, "Nobody calls the store before, because it answered HTTP 429."),
    ("overlap_secs", INT, "By how much an incremental run begins before its cursor; NULL = the configured least."),
    (
        "learned",
        JSON,
        "What its answers have taught: parts of a request it refuses, page sizes it bears; doubted after a week.",
    ),
    ("remote_id", TEXT, "How the vendor names it, whatever its address: store_id or api_id of its OAuth tokens."),
    ("domain", TEXT, "The shop's own domain, as the vendor last said; calls go to url."),
    ("pending_url", TEXT, "An address it has told us; nothing goes there before a person has approved it."),
    ("origin", TEXT, "import: it comes from your own database ([credentials.import]); NULL: added by hand."),
    ("paused_by", TEXT, "import: only the import ends this pause by itself; NULL: a person paused it."),
];

const CREDENTIALS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("scheme", TEXT, "How it is presented: api-key, oauth or bearer; described connectors have more."),
    ("username", TEXT, "Staff user of a user-based key."),
    ("client_id", TEXT, "OAuth client id."),
    ("secret", BYTES, "The key or token, sealed; of no length while none has been got."),
    ("refresh_secret", BYTES, "What buys the next token, sealed: a refresh token or a password."),
    ("key_id", TEXT, "Which master key sealed them."),
    ("fingerprint", TEXT, "Tells one key from another without giving it away."),
    ("expires_at", TIME, "When the token expires, if it does."),
    ("state", TEXT, "ok, suspect (refused once, being asked again) or revoked."),
    ("state_since", TIME, "Since when it is in that state."),
    ("last_checked_at", TIME, "When the store last judged it."),
    ("last_ok_at", TIME, "When a call with it last succeeded."),
    ("last_error", TEXT, "What the store said against it, redacted."),
    ("refusals", INT, "Refused calls in a row; those during an outage of the vendor do not count."),
    ("next_check_at", TIME, "Due then, whatever the schedule: no call with a key given up before; a new key at once."),
    ("last_failed_at", TIME, "When the store last refused it or could not be reached."),
    ("last_status", INT, "HTTP status with which it was last refused; 200 is an error in the body."),
    ("client_secret", BYTES, "The secret of the OAuth client, sealed."),
    ("token_url", TEXT, "Where its tokens are got, where that is not what the connector says."),
    ("scopes", TEXT, "What its token allows, in the server's words."),
    ("renewed_at", TIME, "When its token was got."),
    ("renewing_by", TEXT, "Who is getting a new token, so that nobody else does."),
    ("renewing_until", TIME, "Until when that is believed."),
];

const OAUTH_STATES: Columns = &[
    ("digest", TEXT, "Digest of the state parameter; the state itself is only in the merchant's browser."),
    ("purpose", TEXT, "connect or disconnect."),
    ("connector", TEXT, "The connector."),
    ("subject", TEXT, "What it was made for: the store's domain, or the address of a described connector's store."),
    ("store_name", TEXT, "The store's name here, if one was asked for."),
    ("redirect_uri", TEXT, "Where the answer comes to."),
    ("created_at", TIME, "When it was made."),
    ("expires_at", TIME, "Not taken any more from then on."),
    ("used_at", TIME, "When it came back; it is taken once."),
];

const INCIDENTS: Columns = &[
    ("id", INT, "Number of the incident."),
    ("kind", TEXT, "key_revoked, vendor_outage, store_failing, removals_held or import_failed."),
    ("store_id", INT, "The store, stores.id; NULL when it is about a connector, or about the import."),
    ("connector", TEXT, "The connector, of the store or by itself; import when it is about the import."),
    ("opened_at", TIME, "When it was noticed."),
    ("last_seen_at", TIME, "When it was last seen to last."),
    ("closed_at", TIME, "When it was over; NULL while it lasts."),
    ("sentence", TEXT, "What is wrong and what to do."),
    ("told_opened_at", TIME, "When its beginning was told (webhook, else log)."),
    ("told_reminded_at", TIME, "When it was last told that it lasts."),
    ("told_closed_at", TIME, "When its end was told."),
    ("notice_at", TIME, "No notice of it before."),
    ("notice_tries", INT, "How often the next notice was tried in vain."),
];

const RUNS: Columns = &[
    ("id", INT, "Number of the run."),
    ("store_id", INT, OF_STORE),
    ("kind", TEXT, "full, incremental, sweep or audit."),
    ("trigger", TEXT, "Who asked for it: schedule or manual; a person may ask for one that waits."),
    ("state", TEXT, "queued, running, succeeded, failed or cancelled."),
    ("scheduled_at", TIME, "Not before."),
    ("attempt", INT, "How often it was claimed; stops and snoozes do not count."),
    ("lease_owner", TEXT, "The worker that holds or last held it."),
    ("lease_epoch", INT, "Grows with every claim; a worker with a lower one has lost."),
    ("lease_expires_at", TIME, "Until when the worker may write."),
    ("checkpoint", JSON, "Where it goes on after an interruption."),
    ("pages", INT, "Pages stored."),
    ("calls", INT, "API calls made, repeats included."),
    ("seen", INT, "Distinct records the store gave."),
    ("inserted", INT, "Products that were new."),
    ("updated", INT, "Products that had changed."),
    ("unchanged", INT, "Products that were the same; not written."),
    ("removed", INT, "Products marked removed."),
    ("quarantined", INT, "Records that could not be read."),
    ("verdict", TEXT, "complete, repaired or partial, once succeeded."),
    ("error_class", TEXT, "Class of the error that ended or delayed it."),
    ("error", TEXT, "The sentence that goes with it, or the reason of partial."),
    ("started_at", TIME, "First claim."),
    ("finished_at", TIME, "End."),
    ("created_at", TIME, "When it was asked for."),
    ("cancel_requested_at", TIME, "When a person cancelled it while a worker was on it."),
    ("repaired", INT, "Products that had slipped between pages and were fetched by ID."),
    ("id_digest", TEXT, "Digest of all IDs the store listed, whatever their order."),
    ("approve_removals", ColumnKind::Of(Kind::Bool), "Whether a person has approved all removals of this run."),
    ("audit_request", JSON, "Of an audit: the size and seed of its sample, and whether it repairs."),
    (
        "audit_findings",
        JSON,
        "Of an audit: how many products of the sample are identical, the first differences, all IDs.",
    ),
];

const INSTANCES: Columns = &[
    ("name", TEXT, "Name in leases, unique: host, process and a random number."),
    ("host", TEXT, "The machine it runs on."),
    ("pid", INT, "Number of its process there."),
    ("version", TEXT, "Version of the program."),
    ("started_at", TIME, "When it started."),
    ("seen_at", TIME, "Its last sign of life; one every 5 seconds."),
    ("slots", INT, "How many runs it works on at once at the most."),
    ("running", INT, "How many it was working on then."),
];

const CURSORS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("kind", TEXT, "The kind of run, or stream: and a stream of a described connector."),
    ("value", TEXT, "The position, where it is not a time."),
    ("starts_at", TIME, "The position, in the server's time."),
    ("updated_at", TIME, "When it was moved."),
];

const PRODUCT_CHANGES: Columns = &[
    ("store_id", INT, OF_STORE),
    ("seq", INT, "1, 2, 3, … without gaps within a store; the oldest may have been forgotten."),
    ("inventory_id", INT, "The product."),
    ("sku", TEXT, "Its SKU at that time."),
    ("kind", TEXT, "added, changed, removed or restored."),
    (
        "fields",
        ColumnKind::Written,
        "Columns and tables to [old, new]: those that changed, of an added product all; NULL when removed.",
    ),
    ("run_id", INT, "The run that saw it; runs are pruned, so it may be gone."),
    ("at", TIME, "When it was stored."),
];

const CONSUMERS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("name", TEXT, "The name the reader goes by."),
    ("seq", INT, "The last line it has acknowledged; 0 = none yet."),
    ("at", TIME, "When it last acknowledged, or first came."),
];

const QUARANTINE: Columns = &[
    ("id", INT, "Number of the entry."),
    ("store_id", INT, OF_STORE),
    ("run_id", INT, "The run that met it; may be gone."),
    ("inventory_id", INT, "The product, if that much could be read."),
    ("reason", TEXT, "What is wrong with it."),
    ("raw", TEXT, "The record as sent."),
    ("at", TIME, "When it was met."),
    ("replayed_at", TIME, "When it was read after all."),
];

const RECORDS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("stream", TEXT, "The stream of the connector."),
    ("key", TEXT, "The record's key in the stream."),
    ("data", JSON, "The record as sent."),
    ("content_hash", BYTES, CONTENT_HASH),
    ("first_seen_at", TIME, FIRST_SEEN),
    ("changed_at", TIME, CHANGED),
    ("removed_at", TIME, REMOVED),
];

const RECORD_CHANGES: Columns = &[
    ("store_id", INT, OF_STORE),
    ("seq", INT, "1, 2, 3, … without gaps within a store; the oldest may have been forgotten."),
    ("stream", TEXT, "The stream of the connector."),
    ("key", TEXT, "The record's key in the stream."),
    ("kind", TEXT, "added, changed, removed or restored."),
    (
        "fields",
        JSON,
        "Fields of the record to [old, new]: those that changed, of an added record all; NULL when removed.",
    ),
    ("run_id", INT, "The run that saw it; runs are pruned, so it may be gone."),
    ("at", TIME, "When it was stored."),
];

const HISTORY: Columns =
    &[("version", TEXT, "Name of the migration."), ("applied_at", INT, "When, in seconds since 1970.")];
