//! `netosync changes`: the change feed, for people and for programs that follow it.

mod consumers;
mod reader;

use clap::{Args, Subcommand};

use self::reader::Reader;
use super::app::App;
use super::exit::{CliError, Exit};

/// Print what changed, in the order it was stored, and follow it.
///
/// Every line has the store's next number: within a store there are no gaps. With a consumer's name reading begins behind
/// what that consumer has acknowledged. Delivery is at least once: a page of lines is printed, flushed and then
/// acknowledged, so after a crash in between the page comes again. A program that must not lose a line it has
/// received but not worked off says --no-ack, and acknowledges with --ack once it has. Several processes may go by one
/// name: no line is lost, some may come twice.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  netosync changes main --since 120\n  netosync changes --consumer search --json --follow | ./index\n  \
        netosync changes main --consumer erp --json --no-ack --limit 100\n  netosync changes main --consumer erp --ack 220\n  \
        netosync changes consumers list"
)]
pub struct ChangesArgs {
    #[command(subcommand)]
    command: Option<ChangesCommand>,
    #[command(flatten)]
    read: ReadArgs,
}

/// What to read, and how far it is acknowledged.
#[derive(Clone, Debug, Args)]
pub struct ReadArgs {
    /// Of this store only.
    #[arg(value_name = "STORE")]
    store: Option<String>,
    /// Only lines after this number (default: from the oldest there is).
    #[arg(long, value_name = "SEQ", requires = "store", conflicts_with = "consumer", value_parser = seq())]
    since: Option<i64>,
    /// How many lines at the most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// One JSON object a line, with the old and new value of each column.
    #[arg(long)]
    json: bool,
    /// Begin behind what the consumer of this name has acknowledged, and acknowledge what is printed.
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Leave it to the consumer to acknowledge, with --ack.
    #[arg(long, requires = "consumer")]
    no_ack: bool,
    /// Print nothing: acknowledge the lines up to this number for the consumer.
    #[arg(
        long,
        value_name = "SEQ",
        requires = "consumer",
        requires = "store",
        conflicts_with_all = ["no_ack", "follow", "limit"],
        value_parser = seq()
    )]
    ack: Option<i64>,
    /// Go on with new lines as they come, until Ctrl-C (exit 130) or until nobody reads them any more.
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Subcommand)]
enum ChangesCommand {
    /// Show who reads the feed and how far they are, or forget a reader.
    Consumers(consumers::ConsumersArgs),
}

fn seq() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(0..)
}

/// Runs the command.
pub async fn run(app: &App, args: &ChangesArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    match (&args.command, &args.read) {
        (Some(ChangesCommand::Consumers(args)), _) => consumers::run(&db, args).await,
        (None, ReadArgs { ack: Some(seq), consumer: Some(name), store: Some(store), .. }) => {
            consumers::acknowledge(&db, name, store, *seq).await
        }
        (None, read) => Reader::new(&db, read).run().await,
    }
}
