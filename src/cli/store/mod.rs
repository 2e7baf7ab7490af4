//! `netosync store`: the stores that are mirrored, one file a subcommand.

mod add;
pub mod address;
mod check;
pub mod identity;
mod import;
mod list;
mod pause;
mod rekey;
mod remove;
mod secret;
mod set;
pub mod view;

use clap::{Args, Subcommand};

use super::app::App;
use super::complain;
use super::exit::{CliError, Exit};
use crate::domain::store::{Origin, Store};
use crate::storage::{Database, overview};

/// Add, test and change the stores that are mirrored.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store add main --url https://www.shop.example --key-file key.txt\n  \
    netosync store check main\n  \
    netosync sync main")]
pub struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Add(add::AddArgs),
    List(list::ListArgs),
    Show(list::ShowArgs),
    Check(check::CheckArgs),
    Rekey(rekey::RekeyArgs),
    Set(set::SetArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Remove(remove::RemoveArgs),
    Import(import::ImportArgs),
}

/// Runs the command.
pub async fn run(app: &App, args: &StoreArgs) -> Result<Exit, CliError> {
    match &args.command {
        StoreCommand::Add(args) => add::run(app, args).await,
        StoreCommand::List(args) => list::list(app, args).await,
        StoreCommand::Show(args) => list::show(app, args).await,
        StoreCommand::Check(args) => check::run(app, args).await,
        StoreCommand::Rekey(args) => rekey::run(app, args).await,
        StoreCommand::Set(args) => set::run(app, args).await,
        StoreCommand::Pause(args) => pause::pause(app, args).await,
        StoreCommand::Resume(args) => pause::resume(app, args).await,
        StoreCommand::Remove(args) => remove::run(app, args).await,
        StoreCommand::Import(args) => import::run(app, args).await,
    }
}

/// Tells what became of a store: its object for scripts, a sentence for people.
pub async fn tell(app: &App, db: &Database, name: &str, json: bool, sentence: &str) -> Result<Exit, CliError> {
    if json {
        crate::cli::say(view::object(app, &overview::of_store(db, name).await?));
    } else {
        crate::cli::say(sentence);
    }
    Ok(Exit::Done)
}

/// Warns that what a person does to an imported store does not last; `does` is what the next import does.
fn warn_imported(store: &Store, does: &str) {
    if store.origin == Origin::Import {
        let name = &store.name;
        complain(&format!(
            "warning: {name} comes from your own database, and the next import {does}; change the row instead, or take the store \
             over with `netosync store set {name} --origin manual`"
        ));
    }
}

/// An IANA time zone.
fn timezone(text: &str) -> Result<String, String> {
    match text.parse::<chrono_tz::Tz>() {
        Ok(timezone) => Ok(timezone.name().to_owned()),
        Err(_) => Err("it is not an IANA time zone such as Australia/Brisbane".to_owned()),
    }
}

/// The range of a budget, as in the configuration.
const CALLS_PER_MINUTE: std::ops::RangeInclusive<i64> = 1..=1_000_000;
