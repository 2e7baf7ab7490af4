//! `netosync audit`: is the copy what the store says? Triggers an audit of a store and follows it to its end, as `sync` does
//! with its runs.

mod report;

use clap::Args;
use tokio_util::sync::CancellationToken;

pub use self::report::{audit_json, lines};
use super::app::App;
use super::exit::{CliError, Exit};
use super::patience::patiently;
use super::progress::Progress;
use super::sync::{AuditWish, DATABASE_PATIENCE, Follower, Hands, Wish, named, report_error};
use crate::domain::audit::{AuditRequest, USUAL_SAMPLE};
use crate::domain::run::RunKind;

/// Compare the copy of a store with the store.
///
/// Fetches a random sample of the products and compares it with the copy field by field, and lists all IDs and compares those.
/// Says how many products are identical at least, with 95 % confidence, and names each difference. A product that was edited at
/// the store since the last sync is told apart and does not count. Changes nothing, unless asked to repair.
///
/// Ends with 0 when all is as it should be or was repaired, with 6 when differences stand, else as `sync`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  netosync audit main\n  netosync audit main --sample all --repair\n  netosync audit main --seed 7 --json | jq '.audit.differences'"
)]
pub struct AuditArgs {
    /// Name of the store.
    #[arg(value_name = "STORE")]
    store: String,
    /// How many products are fetched and compared: a number, or `all`.
    #[arg(long, value_name = "N", default_value_t = Size(Some(USUAL_SAMPLE)), value_parser = parse_size)]
    sample: Size,
    /// Draw the sample that an earlier audit with this seed has drawn.
    #[arg(long)]
    seed: Option<u32>,
    /// Store what is different as the store says it, and remove what it does not have, up to `removal.max_share`.
    #[arg(long)]
    repair: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// Size of a sample; `None` = all.
#[derive(Clone, Copy, Debug)]
struct Size(Option<u32>);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(products) => write!(f, "{products}"),
            None => f.write_str("all"),
        }
    }
}

fn parse_size(text: &str) -> Result<Size, String> {
    match text.parse() {
        _ if text == "all" => Ok(Size(None)),
        Ok(products) if products > 0 => Ok(Size(Some(products))),
        _ => Err("a sample is a number of products above 0, or `all`".to_owned()),
    }
}

/// Runs the command.
pub async fn run(app: &App, args: &AuditArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let store = match patiently(DATABASE_PATIENCE, async || named(&db, &args.store, app.now()).await).await? {
        Ok(store) => store,
        Err(error) => {
            report_error(&args.store, RunKind::Audit, &error, args.json);
            return Ok(error.exit);
        }
    };
    if store.has_records() {
        let message = format!(
            "an audit compares products, and {} has records of connector {}; `netosync sync {} --kind sweep` lists and compares them all",
            store.name, store.connector, store.name
        );
        return Err(CliError::usage(message));
    }
    let seed = args.seed.unwrap_or_else(rand::random);
    let request = AuditRequest { sample: args.sample.0, seed, repair: args.repair };
    let audit = Some(AuditWish { request, seeded: args.seed.is_some() });
    let wish = Wish { kind: RunKind::Audit, approve_removals: false, audit };
    let stop = CancellationToken::new();
    let _signals = super::signals::stop_on_signal(stop.clone());
    let progress = Progress::new(args.json);
    let hands = Hands::new(app, &db, stop.clone());
    let mut exit = None;
    let follower = Follower { app, db: &db, wish, stop: &stop, progress: &progress, hands };
    let followed = follower.follow([store], |store, outcome| {
        progress.suspend(|| match outcome {
            Ok(run) => {
                exit = Some(Exit::of_run(&run));
                report::report(&store.name, &run, args.json);
            }
            Err(error) => {
                exit = Some(error.exit);
                report_error(&store.name, RunKind::Audit, &error, args.json);
            }
        });
    });
    if let Err(error) = followed.await {
        exit = Some(error.exit);
        report_error(&args.store, RunKind::Audit, &error, args.json);
    }
    Ok(exit.unwrap_or(Exit::Failed))
}
