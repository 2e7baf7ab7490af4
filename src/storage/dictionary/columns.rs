//! What the columns mean that are ours, table by table.

use super::{ColumnKind, Kind};

/// Columns of a table: name, what it holds, one sentence.
pub(super) type Columns = &'static [(&'static str, ColumnKind, &'static str)];

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

pub(super) const PRODUCT_KEY: Columns = &[
    ("store_id", INT, OF_STORE),
    ("inventory_id", INT, "The store's id of the product; never reused, never renamed."),
];

pub(super) const PRODUCT_OURS: Columns = &[
    ("content_hash", BYTES, CONTENT_HASH),
    ("first_seen_at", TIME, FIRST_SEEN),
    ("changed_at", TIME, CHANGED),
    ("removed_at", TIME, REMOVED),
    ("light_hash", BYTES, "Hash over prices, stock and the date of the last edit, which sweeps compare."),
    ("answer_hash", BYTES, "Hash over the record as the store sent it; the same bytes again are not even parsed."),
];

pub(super) const FINDINGS: Columns = &[
    ("run_id", INT, "The run that found it, runs.id."),
    ("inventory_id", INT, "The product."),
    (
        "kind",
        TEXT,
        "look (new or edited: to be fetched), missing (to be asked for by its ID) or gone (asked for, not there).",
    ),
];

pub(super) const HELD_REMOVALS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("run_id", INT, "The run that found them missing."),
    ("products", INT, "How many products."),
    ("id_digest", TEXT, "Digest of their IDs: an equal one in the next sweep confirms them."),
    ("at", TIME, "When they were held back."),
];

pub(super) const STORES: Columns = &[
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

pub(super) const CREDENTIALS: Columns = &[
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

pub(super) const OAUTH_STATES: Columns = &[
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

pub(super) const INCIDENTS: Columns = &[
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

pub(super) const RUNS: Columns = &[
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

pub(super) const INSTANCES: Columns = &[
    ("name", TEXT, "Name in leases, unique: host, process and a random number."),
    ("host", TEXT, "The machine it runs on."),
    ("pid", INT, "Number of its process there."),
    ("version", TEXT, "Version of the program."),
    ("started_at", TIME, "When it started."),
    ("seen_at", TIME, "Its last sign of life; one every 5 seconds."),
    ("slots", INT, "How many runs it works on at once at the most."),
    ("running", INT, "How many it was working on then."),
];

pub(super) const CURSORS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("kind", TEXT, "The kind of run, or stream: and a stream of a described connector."),
    ("value", TEXT, "The position, where it is not a time."),
    ("starts_at", TIME, "The position, in the server's time."),
    ("updated_at", TIME, "When it was moved."),
];

const CHANGE_SEQ: &str = "1, 2, 3, … without gaps within a store; the oldest may have been forgotten.";
const CHANGE_KIND: &str = "added, changed, removed or restored.";
const CHANGE_RUN: &str = "The run that saw it; runs are pruned, so it may be gone.";
const CHANGE_AT: &str = "When it was stored.";

pub(super) const PRODUCT_CHANGES: Columns = &[
    ("store_id", INT, OF_STORE),
    ("seq", INT, CHANGE_SEQ),
    ("inventory_id", INT, "The product."),
    ("sku", TEXT, "Its SKU at that time."),
    ("kind", TEXT, CHANGE_KIND),
    (
        "fields",
        ColumnKind::Written,
        "Columns and tables to [old, new]: those that changed, of an added product all (none in product_change_lines while its rows say them); NULL when removed.",
    ),
    ("run_id", INT, CHANGE_RUN),
    ("at", TIME, CHANGE_AT),
];

pub(super) const CONSUMERS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("name", TEXT, "The name the reader goes by."),
    ("seq", INT, "The last line it has acknowledged; 0 = none yet."),
    ("at", TIME, "When it last acknowledged, or first came."),
];

pub(super) const QUARANTINE: Columns = &[
    ("id", INT, "Number of the entry."),
    ("store_id", INT, OF_STORE),
    ("run_id", INT, "The run that met it; may be gone."),
    ("inventory_id", INT, "The product, if that much could be read."),
    ("reason", TEXT, "What is wrong with it."),
    ("raw", TEXT, "The record as sent."),
    ("at", TIME, "When it was met."),
    ("replayed_at", TIME, "When it was read after all."),
];

pub(super) const RECORDS: Columns = &[
    ("store_id", INT, OF_STORE),
    ("stream", TEXT, "The stream of the connector."),
    ("key", TEXT, "The record's key in the stream."),
    ("data", JSON, "The record as sent."),
    ("content_hash", BYTES, CONTENT_HASH),
    ("first_seen_at", TIME, FIRST_SEEN),
    ("changed_at", TIME, CHANGED),
    ("removed_at", TIME, REMOVED),
];

pub(super) const RECORD_CHANGES: Columns = &[
    ("store_id", INT, OF_STORE),
    ("seq", INT, CHANGE_SEQ),
    ("stream", TEXT, "The stream of the connector."),
    ("key", TEXT, "The record's key in the stream."),
    ("kind", TEXT, CHANGE_KIND),
    (
        "fields",
        JSON,
        "Fields of the record to [old, new]: those that changed, of an added record all; NULL when removed.",
    ),
    ("run_id", INT, CHANGE_RUN),
    ("at", TIME, "When it was stored."),
];

pub(super) const HISTORY: Columns =
    &[("version", TEXT, "Name of the migration."), ("applied_at", INT, "When, in seconds since 1970.")];
