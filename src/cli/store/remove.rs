//! `netosync store remove`.

use clap::Args;

use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::storage::{overview, store_removal};

/// Remove a store with its key, its products and its history from the database.
///
/// The webstore itself is not touched.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    netosync store remove main          says what would be removed\n  \
    netosync store remove main --yes    removes it")]
pub struct RemoveArgs {
    /// Name of the store.
    name: String,
    /// Yes, remove it all.
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &RemoveArgs) -> Result<Exit, CliError> {
    let name = args.name.as_str();
    let db = app.database().await?;
    let overview = overview::of_store(&db, name).await?;
    let rows = if overview.store.has_records() { "records" } else { "products" };
    let what = format!("its key, {} {rows} and its history", overview.products);
    if !args.yes {
        return Err(CliError::usage(format!(
            "this would remove the store {name} with {what}; nothing was done: `netosync store remove {name} --yes` does it, `netosync store pause {name}` keeps it all and only stops the syncs"
        )));
    }
    super::warn_imported(&overview.store, "adds it again while its row is there");
    store_removal::remove_store(&db, name).await?;
    crate::cli::say(format!("removed the store {name} with {what}"));
    Ok(Exit::Done)
}
