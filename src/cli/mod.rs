//! The command line: one file a command. stdout is the result, stderr the log and the errors.

mod app;
mod demo;
mod exit;
mod progress;
mod signals;
mod simulate;
mod sync;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::app::App;
pub use self::exit::{CliError, Exit};
use crate::domain::run::RunKind;

/// Keeps an exact, queryable copy of many Neto webstores' product catalogues in your own database.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Configuration file (default: /etc/netosync/config.toml, if it exists).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Simulate(simulate::SimulateArgs),
    Sync(sync::SyncArgs),
}

/// Runs the command line of this process and gives its exit code.
pub async fn main() -> Exit {
    let cli = Cli::parse(); // ends the process with 2 where the line makes no sense
    run(cli).await.unwrap_or_else(|error| {
        complain(&format!("error: {}", error.message));
        error.exit
    })
}

async fn run(cli: Cli) -> Result<Exit, CliError> {
    let load = || App::load(cli.config.as_deref());
    match cli.command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Simulate(args) => simulate::run(&args).await,
        Command::Sync(args) => sync::run(&load()?, &args).await,
    }
}

/// Says something to the person on stderr.
fn complain(sentence: &str) {
    eprintln!("{sentence}");
}

fn parse_kind(text: &str) -> Result<RunKind, String> {
    RunKind::parse(text).ok_or_else(|| "this version knows the kind full only".to_owned())
}
