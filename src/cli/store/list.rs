//! `netosync store list` and `netosync store show`.

use clap::Args;
use serde_json::Value;

use super::view;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::status::State;
use crate::cli::text;
use crate::storage::overview;

/// List the stores.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  netosync store list --json | jq -r '.[].name'")]
pub struct ListArgs {
    /// Print a JSON array, an object a store.
    #[arg(long)]
    json: bool,
}

/// Show everything about a store but its key.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  netosync store show main")]
pub struct ShowArgs {
    /// Name of the store.
    name: String,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `store list`.
pub async fn list(app: &App, args: &ListArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let all = overview::of_all(&db).await?;
    if args.json {
        crate::cli::say(all.iter().map(|overview| view::object(app, overview)).collect::<Value>());
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        crate::cli::complain("there is no store yet; add one with `netosync store add NAME --url URL`");
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|overview| {
        let store = &overview.store;
        [
            store.name.clone(),
            State::of(overview, app.now()).words().to_owned(),
            overview.credential.as_ref().map_or("none".to_owned(), |found| found.sealed.scheme.to_string()),
            overview.products.to_string(),
            store.as_of.map_or("never".to_owned(), text::time),
            store.url.to_string(),
        ]
    });
    crate::cli::say(text::table(["STORE", "STATE", "KEY", "PRODUCTS", "AS OF", "URL"], rows));
    Ok(Exit::Done)
}

/// Runs `store show`.
pub async fn show(app: &App, args: &ShowArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let overview = overview::of_store(&db, &args.name).await?;
    if args.json {
        crate::cli::say(view::object(app, &overview));
    } else {
        crate::cli::say(view::facts(app, &overview));
    }
    Ok(Exit::Done)
}
