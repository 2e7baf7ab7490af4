//! `netosync quarantine`: records that could not be read.

mod replay;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::app::App;
use super::exit::{CliError, Exit};
use super::runs::names;
use super::text;
use crate::storage::quarantine::{self, Entry};
use crate::storage::{Database, stores};

/// Look at the records that could not be read, or try to read them again.
///
/// They are kept as the store sent them, and are not among the products.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  netosync quarantine list main\n  netosync quarantine show 3\n  netosync quarantine replay main"
)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List the newest records, newest first.
    #[command(after_help = "Example:\n  netosync quarantine list --json | jq -r '.[].reason' | sort | uniq -c")]
    List {
        /// Of this store only.
        #[arg(value_name = "STORE")]
        store: Option<String>,
        /// How many at the most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        limit: u64,
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Show one record as the store sent it.
    #[command(after_help = "Example:\n  netosync quarantine show 3 --json | jq -r .raw")]
    Show {
        /// Number of the record in quarantine.
        id: i64,
        /// Print a JSON object, the record as text in `raw`.
        #[arg(long)]
        json: bool,
    },
    /// Read the waiting records again, after an upgrade for example. No call is made.
    ///
    /// A record that can be read now becomes its product, with a line in the change feed, unless the copy holds that version
    /// or a newer one, or has seen the product removed since: then it is only marked. Ends with 6 when some still cannot be read.
    #[command(after_help = "Examples:\n  netosync quarantine replay\n  netosync quarantine replay main --id 3")]
    Replay {
        /// Of this store only.
        #[arg(value_name = "STORE")]
        store: Option<String>,
        /// Only the record of this number.
        #[arg(long, value_name = "N")]
        id: Option<i64>,
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(app: &App, args: &QuarantineArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    match &args.command {
        QuarantineCommand::List { store, limit, json } => list(&db, store.as_deref(), *limit, *json).await,
        QuarantineCommand::Show { id, json } => show(&db, *id, *json).await,
        QuarantineCommand::Replay { store, id, json } => replay::run(&db, store.as_deref(), *id, *json).await,
    }
}

async fn list(db: &Database, store: Option<&str>, limit: u64, json: bool) -> Result<Exit, CliError> {
    let names = names(db, store).await?;
    let only = store.and_then(|_| names.keys().next().copied());
    let entries = quarantine::newest(db, only, limit).await?;
    let name = |entry: &Entry| names.get(&entry.store_id).cloned().unwrap_or_default();
    if json {
        super::say(entries.iter().map(|entry| object(&name(entry), entry)).collect::<Value>());
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        super::complain("the quarantine is empty: every record could be read");
        return Ok(Exit::Done);
    }
    let number = |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
    let rows = entries.iter().map(|entry| {
        let replayed = if entry.replayed_at.is_some() { "yes" } else { "" };
        [
            entry.id.to_string(),
            name(entry),
            number(entry.inventory_id),
            number(entry.run_id),
            text::time(entry.at),
            replayed.to_owned(),
            entry.reason.clone(),
        ]
    });
    super::say(text::table(["ID", "STORE", "PRODUCT", "RUN", "AT", "REPLAYED", "REASON"], rows));
    Ok(Exit::Done)
}

async fn show(db: &Database, id: i64, json: bool) -> Result<Exit, CliError> {
    let (entry, raw) = find(db, id).await?;
    let store = stores::load_store(db, entry.store_id).await?.name;
    if json {
        let mut object = object(&store, &entry);
        object["raw"] = json!(raw);
        super::say(object);
        return Ok(Exit::Done);
    }
    let facts = [
        ("id", entry.id.to_string()),
        ("store", store),
        ("product", entry.inventory_id.map_or(String::new(), |id| id.to_string())),
        ("run", entry.run_id.map_or(String::new(), |id| id.to_string())),
        ("at", text::time(entry.at)),
        ("replayed", text::time_if(entry.replayed_at)),
        ("reason", entry.reason),
    ];
    super::say(format!("{}\n\n{}", text::facts(&facts), text::lines(&raw)));
    Ok(Exit::Done)
}

async fn find(db: &Database, id: i64) -> Result<(Entry, String), CliError> {
    quarantine::get(db, id).await?.ok_or_else(|| {
        let message = format!("there is no record {id} in quarantine; `netosync quarantine list` shows the numbers");
        CliError::new(Exit::Failed, message)
    })
}

fn object(store: &str, entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "store": store,
        "run_id": entry.run_id,
        "inventory_id": entry.inventory_id,
        "reason": entry.reason,
        "at": entry.at,
        "replayed_at": entry.replayed_at,
    })
}
