//! `netosync changes consumers` and `--ack`: how far the readers are.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::storage::consumers::{self, Consumer};
use crate::storage::{Database, stores};

/// Show who reads the feed and how far they are, or forget a reader.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  netosync changes consumers list\n  netosync changes consumers remove search")]
pub struct ConsumersArgs {
    #[command(subcommand)]
    command: ConsumersCommand,
}

#[derive(Debug, Subcommand)]
enum ConsumersCommand {
    /// List every consumer with its position in each store.
    List {
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Forget a consumer, so that no line is kept for it any more. One of that name begins anew.
    Remove {
        /// Its name.
        name: String,
        /// In this store only.
        #[arg(value_name = "STORE")]
        store: Option<String>,
    },
}

/// Runs the command.
pub async fn run(db: &Database, args: &ConsumersArgs) -> Result<Exit, CliError> {
    match &args.command {
        ConsumersCommand::List { json } => list(db, *json).await,
        ConsumersCommand::Remove { name, store } => remove(db, name, store.as_deref()).await,
    }
}

/// Acknowledges the lines of a store up to `seq`.
pub async fn acknowledge(db: &Database, name: &str, store: &str, seq: i64) -> Result<Exit, CliError> {
    let store = stores::find_store(db, store).await?;
    let position = consumers::acknowledge(db, name, store.id, seq, db.clock().now()).await?;
    if position > seq {
        crate::cli::complain(&format!(
            "consumer {name} had acknowledged more of store {} before: {position}",
            store.name
        ));
    }
    Ok(Exit::Done)
}

async fn list(db: &Database, json: bool) -> Result<Exit, CliError> {
    let consumers = consumers::list(db).await?;
    if json {
        crate::cli::say(consumers.iter().map(object).collect::<Value>());
        return Ok(Exit::Done);
    }
    if consumers.is_empty() {
        crate::cli::complain("nobody reads the feed by a name yet; `netosync changes --consumer NAME` begins");
        return Ok(Exit::Done);
    }
    let rows = consumers.iter().map(|one| {
        [one.name.clone(), one.store.clone(), one.seq.to_string(), (one.last - one.seq).to_string(), text::time(one.at)]
    });
    crate::cli::say(text::table(["CONSUMER", "STORE", "ACKNOWLEDGED", "BEHIND", "AT"], rows));
    Ok(Exit::Done)
}

async fn remove(db: &Database, name: &str, store: Option<&str>) -> Result<Exit, CliError> {
    let store_id = match store {
        Some(store) => Some(stores::find_store(db, store).await?.id),
        None => None,
    };
    match consumers::remove(db, name, store_id).await? {
        0 => {
            let message = format!("there is no consumer {name}; `netosync changes consumers list` shows the names");
            Err(CliError::new(Exit::Failed, message))
        }
        stores => {
            crate::cli::say(format_args!("forgot consumer {name}, with its position in {stores} stores"));
            Ok(Exit::Done)
        }
    }
}

fn object(one: &Consumer) -> Value {
    json!({
        "consumer": one.name, "store": one.store, "seq": one.seq, "last": one.last,
        "behind": one.last - one.seq, "at": one.at,
    })
}
