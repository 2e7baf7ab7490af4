//! `netosync connector`: the APIs that are described in files, one file a subcommand. None of them needs the database.

mod check;
mod list;
mod show;
mod view;

use std::path::Path;

use clap::{Args, Subcommand};

use super::app::App;
use super::exit::{CliError, Exit};

/// Check, list and show the connectors: Neto, and the APIs that are described in files.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync connector list\n  \
    netosync connector show netexplorer --source > /etc/netosync/connectors/mine.toml\n  \
    netosync connector check /etc/netosync/connectors/mine.toml")]
pub struct ConnectorArgs {
    #[command(subcommand)]
    command: ConnectorCommand,
}

#[derive(Debug, Subcommand)]
enum ConnectorCommand {
    List(list::ListArgs),
    Check(check::CheckArgs),
    Show(show::ShowArgs),
}

/// Runs the command. A file is checked without a configuration.
pub fn run(config: Option<&Path>, args: &ConnectorArgs) -> Result<Exit, CliError> {
    match &args.command {
        ConnectorCommand::List(args) => Ok(list::run(&App::load(config)?, args)),
        ConnectorCommand::Check(args) => Ok(check::run(args)),
        ConnectorCommand::Show(args) => show::run(&App::load(config)?, args),
    }
}
