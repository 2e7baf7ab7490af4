//! `netosync connector show`.

use clap::Args;

use super::view;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::connector::described::Registry;

/// Show what a connector describes, or its file to start one of your own from.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  netosync connector show netexplorer --source > mine.toml")]
pub struct ShowArgs {
    /// Name of the connector.
    name: String,
    /// Print a JSON object.
    #[arg(long, conflicts_with = "source")]
    json: bool,
    /// Print its file as it is.
    #[arg(long)]
    source: bool,
}

/// Runs the command.
pub fn run(app: &App, args: &ShowArgs) -> Result<Exit, CliError> {
    let refuse = |problem: String| CliError::new(Exit::Configuration, text::one_line(&problem));
    if args.name == "neto" {
        return Err(CliError::usage(
            "the connector neto is a program of its own and not described; see `netosync db schema`",
        ));
    }
    let registry = Registry::load(app.config.connectors.dir.as_deref());
    if args.source {
        let source = registry.source(&args.name).map_err(|error| refuse(error.to_string()))?;
        crate::cli::say(text::lines(source.trim_end()));
        return Ok(Exit::Done);
    }
    let description = registry.get(&args.name).map_err(|error| refuse(error.to_string()))?;
    if args.json {
        crate::cli::say(view::object(description));
    } else {
        crate::cli::say(view::facts(description));
    }
    Ok(Exit::Done)
}
