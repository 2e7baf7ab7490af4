//! `netosync store set`.

use clap::Args;

use super::{CALLS_PER_MINUTE, address};
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::config::check_cron;
use crate::domain::store::Origin;
use crate::storage::stores::{self, Change, StoreChanges};

/// What stands for "as configured" on the command line.
const DEFAULT: &str = "default";

/// Change a store's address, time zone, schedules or budget.
///
/// `default` takes a setting of its own away from the store, so that the configured one holds.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store set main --schedule-full '0 3 * * 0' --timezone Australia/Brisbane\n  \
    netosync store set main --calls-per-minute 120\n  \
    netosync store set main --schedule-full default")]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub struct SetArgs {
    /// Name of the store.
    name: String,
    /// Its address, such as https://www.shop.example.
    #[arg(long, group = "change")]
    url: Option<String>,
    /// Its time zone, such as Australia/Brisbane.
    #[arg(long, group = "change", value_name = "TZ|default", value_parser = timezone)]
    timezone: Option<Setting<String>>,
    /// When everything is fetched in full detail: minute hour day month weekday.
    #[arg(long, group = "change", value_name = "CRON|default", value_parser = cron)]
    schedule_full: Option<Setting<String>>,
    /// When what has changed is fetched.
    #[arg(long, group = "change", value_name = "CRON|default", value_parser = cron)]
    schedule_incremental: Option<Setting<String>>,
    /// When everything is compared in little detail.
    #[arg(long, group = "change", value_name = "CRON|default", value_parser = cron)]
    schedule_sweep: Option<Setting<String>>,
    /// Calls a minute it gets from us.
    #[arg(long, group = "change", value_name = "N|default", value_parser = calls)]
    calls_per_minute: Option<Setting<u32>>,
    /// Who keeps it up to date: the commands, or the import out of your own database ([credentials.import]).
    #[arg(long, group = "change", value_name = "manual|import", value_parser = origin)]
    origin: Option<Origin>,
    /// Print the store as a JSON object.
    #[arg(long)]
    json: bool,
}

/// A setting as given.
#[derive(Clone, Debug)]
enum Setting<T> {
    Default,
    Own(T),
}

/// Runs the command.
pub async fn run(app: &App, args: &SetArgs) -> Result<Exit, CliError> {
    let url = args.url.as_ref().map(|url| address::parse(url, app.config.transport.allow_loopback)).transpose()?;
    let db = app.database().await?;
    let before = stores::find_store(&db, &args.name).await?;
    let changes = StoreChanges {
        url,
        timezone: change(args.timezone.as_ref()),
        schedule_full: change(args.schedule_full.as_ref()),
        schedule_incremental: change(args.schedule_incremental.as_ref()),
        schedule_sweep: change(args.schedule_sweep.as_ref()),
        calls_per_minute: change(args.calls_per_minute.as_ref()),
        origin: args.origin,
    };
    if args.origin.is_none() {
        super::warn_imported(&before, "brings back what its row says");
    }
    let after = stores::change_store(&db, &args.name, &changes).await?;
    let name = &after.name;
    let sentence = if before.url.host_str() == after.url.host_str() {
        format!("changed {name}; `netosync store show {name}` shows it")
    } else {
        let host = after.url.host_str().unwrap_or_default();
        format!("changed {name}; its key goes to {host} from now on: `netosync store check {name}` tests it there")
    };
    super::tell(app, &db, name, args.json, &sentence).await
}

fn origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text).ok_or_else(|| "it is manual or import".to_owned())
}

fn change<T: Clone>(setting: Option<&Setting<T>>) -> Change<T> {
    match setting {
        None => Change::Keep,
        Some(Setting::Default) => Change::Clear,
        Some(Setting::Own(value)) => Change::Set(value.clone()),
    }
}

fn setting<T>(text: &str, own: impl FnOnce(&str) -> Result<T, String>) -> Result<Setting<T>, String> {
    match text.trim() {
        DEFAULT => Ok(Setting::Default),
        text => own(text).map(Setting::Own),
    }
}

fn timezone(text: &str) -> Result<Setting<String>, String> {
    setting(text, super::timezone)
}

fn cron(text: &str) -> Result<Setting<String>, String> {
    setting(text, |text| check_cron(text).map(|()| text.to_owned()))
}

fn calls(text: &str) -> Result<Setting<u32>, String> {
    setting(text, |text| {
        text.parse().ok().filter(|calls| CALLS_PER_MINUTE.contains(&i64::from(*calls))).ok_or_else(|| {
            format!(
                "must be a whole number from {} to {}, or default",
                CALLS_PER_MINUTE.start(),
                CALLS_PER_MINUTE.end()
            )
        })
    })
}
