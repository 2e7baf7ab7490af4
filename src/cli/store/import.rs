//! `netosync store import`.

use clap::Args;

use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::import::{self, Report, Terms};

/// Read stores and keys from your own database now ([credentials.import]).
///
/// `netosync run` does so by itself. Ends with 6 when rows were refused; the others were used. An import that fails changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store import --dry-run\n  \
    netosync store import --json | jq -r '.refused[].reason'")]
pub struct ImportArgs {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Let any number of stores rest whose rows are gone or say so.
    #[arg(long)]
    approve_pauses: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &ImportArgs) -> Result<Exit, CliError> {
    let settings = &app.config.credentials.import;
    let allow_loopback = app.config.transport.allow_loopback;
    let connectors = &app.connectors();
    let terms = Terms { settings, connectors, allow_loopback, approved: args.approve_pauses, dry: args.dry_run };
    let db = app.database().await?;
    let vault = app.vault(&db).await?;
    let report = import::run(&db, &vault, terms).await?;
    if args.json {
        crate::cli::say(serde_json::to_value(&report).expect("names and numbers"));
    } else {
        crate::cli::say(told(&report));
    }
    Ok(if report.refused.is_empty() { Exit::Done } else { Exit::Partial })
}

/// One line a store of which there is something to say, then the rest as a number.
fn told(report: &Report) -> String {
    let changed = report.changed.iter().map(|one| ("changed", format!("{} ({})", one.store, one.what.join(", "))));
    let paused = report.paused.iter().map(|one| ("paused", format!("{} ({})", one.store, one.reason)));
    let lines = report.added.iter().map(|name| ("added", name.clone()));
    let lines = lines.chain(changed).chain(paused).chain(report.resumed.iter().map(|name| ("resumed", name.clone())));
    let refused = report.refused.iter().map(|one| ("refused", one.to_string()));
    let mut told: Vec<_> =
        lines.chain(refused).map(|(word, what)| format!("{word:8} {}", text::one_line(&what))).collect();
    let dry = if report.dry_run { "; nothing was done (--dry-run)" } else { "" };
    told.push(format!("unchanged: {}{dry}", report.unchanged));
    told.join("\n")
}
