//! The command line: one file a command. stdout is the result, stderr the log and the errors.

mod app;
mod audit;
mod caller;
mod change_text;
mod changes;
mod check;
mod connector;
mod db;
mod demo;
mod exit;
mod forecast;
mod instances;
mod keys;
mod next_run;
mod oauth;
mod patience;
mod progress;
mod quarantine;
mod reload;
mod run;
mod runs;
mod signals;
mod simulate;
mod status;
mod store;
mod sync;
mod text;
mod why;

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
    Store(store::StoreArgs),
    Check(check::CheckArgs),
    Db(db::DbArgs),
    Keys(keys::KeysArgs),
    #[command(subcommand)]
    Oauth(oauth::OauthCommand),
    Run(run::RunArgs),
    Sync(sync::SyncArgs),
    Audit(audit::AuditArgs),
    Status(status::StatusArgs),
    Why(why::WhyArgs),
    Runs(runs::RunsArgs),
    Changes(changes::ChangesArgs),
    Quarantine(quarantine::QuarantineArgs),
    Connector(connector::ConnectorArgs),
    Simulate(simulate::SimulateArgs),
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
        Command::Store(args) => store::run(&load()?, &args).await,
        Command::Check(args) => check::run(&load()?, &args).await,
        Command::Db(args) => db::run(&load()?, &args).await,
        Command::Keys(args) => keys::run(&load()?, &args).await,
        Command::Oauth(command) => oauth::run(&load()?, &command).await,
        Command::Run(args) => run::run(&load()?, &args).await,
        Command::Audit(args) => audit::run(&load()?, &args).await,
        Command::Sync(args) => sync::run(&load()?, &args).await,
        Command::Status(args) => status::run(&load()?, &args).await,
        Command::Why(args) => why::run(&load()?, &args).await,
        Command::Runs(args) => runs::run(&load()?, &args).await,
        Command::Changes(args) => changes::run(&load()?, &args).await,
        Command::Quarantine(args) => quarantine::run(&load()?, &args).await,
        Command::Connector(args) => connector::run(cli.config.as_deref(), &args),
        Command::Simulate(args) => simulate::run(&args).await,
    }
}

/// Says something to the person on stderr.
fn complain(sentence: &str) {
    eprintln!("{sentence}");
}

/// Prints a result on stdout. A reader that has seen enough and closed the pipe is no error.
fn say(result: impl std::fmt::Display) {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{result}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("error: the result cannot be written: {error}"));
            std::process::exit(Exit::Failed as i32);
        }
        _ => {}
    }
}

fn parse_kind(text: &str) -> Result<RunKind, String> {
    RunKind::parse(text).filter(|kind| RunKind::SYNCS.contains(kind)).ok_or_else(|| {
        let kinds: Vec<_> = RunKind::SYNCS.iter().map(|kind| kind.as_str()).collect();
        format!("the kinds are {}", kinds.join(", "))
    })
}
