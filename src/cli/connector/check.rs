//! `netosync connector check`: every mistake of a file with its line, or what it describes.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::view;
use crate::cli::exit::Exit;
use crate::cli::text;
use crate::connector::described::{Description, Wrong, read_file};

/// Check a connector's file: every mistake as FILE:LINE:COLUMN: RULE, or what the file describes.
///
/// Reads the file only: no configuration, no database, no call. Ends with 0, or with 3 when a file has a mistake.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  netosync connector check /etc/netosync/connectors/mine.toml")]
pub struct CheckArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a JSON object a file, a line each.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &CheckArgs) -> Exit {
    let mut exit = Exit::Done;
    for file in &args.files {
        let read = read_file(file);
        if read.is_err() {
            exit = Exit::Configuration;
        }
        if args.json {
            crate::cli::say(object(file, &read));
            continue;
        }
        match &read {
            Ok(description) => crate::cli::say(summary(file, description)),
            Err(Wrong::Mistakes { mistakes, .. }) => {
                for mistake in mistakes {
                    crate::cli::say(text::one_line(&format!("{}:{mistake}", file.display())));
                }
            }
            Err(wrong) => crate::cli::say(text::one_line(&wrong.to_string())),
        }
    }
    exit
}

fn summary(file: &std::path::Path, description: &Description) -> String {
    let count = description.streams.len();
    let streams: Vec<_> = description.streams.iter().map(|stream| stream.name.as_str()).collect();
    let plural = if count == 1 { "" } else { "s" };
    text::one_line(&format!(
        "{}: connector {} ({}) is fine: {count} stream{plural} ({}), ways in: {}",
        file.display(),
        description.name,
        description.title,
        streams.join(", "),
        view::schemes(description).join(", "),
    ))
}

fn object(file: &std::path::Path, read: &Result<Description, Wrong>) -> serde_json::Value {
    let file = file.display().to_string();
    match read {
        Ok(description) => json!({ "file": file, "ok": true, "connector": view::object(description), "mistakes": [] }),
        Err(Wrong::Mistakes { mistakes, .. }) => json!({ "file": file, "ok": false, "mistakes": mistakes }),
        Err(wrong) => json!({ "file": file, "ok": false, "mistakes": [], "error": wrong.to_string() }),
    }
}
