//! `netosync why STORE`: the chain of reasons why a store is, or is not, synced, and the command that changes it.
//!
//! Each link of the chain is one sentence, in the order in which things have to be right: somebody who works, no pause, a key, a
//! schedule, silence and budget, the run itself, the outcome of the last one. The last line is the command for the gravest.

mod facts;
mod last;
mod reasons;

use clap::Args;
use serde_json::{Value, json};

use self::facts::Facts;
use self::reasons::Reason;
use super::app::App;
use super::exit::{CliError, Exit};
use super::status::State;
use super::text;

/// Explain why a store is synced or not, and what to do about it.
///
/// Reads the database only; no call is made. The last line is the command that helps.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  netosync why main\n  netosync why main --json | jq -r .fix")]
pub struct WhyArgs {
    /// Name of the store.
    #[arg(value_name = "STORE")]
    store: String,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &WhyArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let facts = Facts::read(app, &db, &args.store).await?;
    let reasons = reasons::chain(&facts);
    let fix = gravest(&reasons).and_then(|reason| reason.fix.as_deref());
    let state = State::of(&facts.overview, facts.now);
    if args.json {
        let (kind, at) = facts.next.unzip();
        super::say(json!({
            "store": args.store,
            "state": state,
            "next_run_at": at,
            "next_run_kind": kind,
            "reasons": reasons.iter().map(object).collect::<Value>(),
            "fix": fix,
        }));
        return Ok(Exit::Done);
    }
    let told: Vec<_> = reasons.iter().map(|reason| (reason.about, told(reason))).collect();
    super::say(format_args!("{} is {}\n{}", args.store, state.words(), text::facts(&told)));
    match (gravest(&reasons), fix) {
        (_, Some(fix)) => super::say(format_args!("do: {fix}")),
        (Some(_), None) => super::say("do: nothing; it passes by itself"),
        (None, _) => super::say(format_args!("do: nothing; netosync sync {} would sync it now", args.store)),
    }
    Ok(Exit::Done)
}

/// The reason that has to go first.
fn gravest(reasons: &[Reason]) -> Option<&Reason> {
    // The first of equals, where `max_by_key` would give the last.
    reasons.iter().filter(|reason| reason.gravity > 0).rev().max_by_key(|reason| reason.gravity)
}

fn told(reason: &Reason) -> String {
    let mark = if reason.gravity > 0 { "! " } else { "" };
    format!("{mark}{}", reason.says)
}

fn object(reason: &Reason) -> Value {
    json!({ "about": reason.about, "holds_up": reason.gravity > 0, "says": reason.says, "fix": reason.fix })
}
