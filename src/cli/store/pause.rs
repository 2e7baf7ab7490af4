//! `netosync store pause` and `netosync store resume`.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use clap::Args;

use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::storage::{runs, stores};

/// Stop syncing a store, for a while or until it is resumed.
///
/// A run that is being worked on goes on to its end; the rows stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync store pause main --reason 'moving to a new theme'\n  \
    netosync store pause main --until '2027-01-04 08:00'\n\n\
    A time without an offset is read in the store's time zone, else in schedule.timezone.")]
pub struct PauseArgs {
    /// Name of the store.
    name: String,
    /// Why, for whoever asks later.
    #[arg(long)]
    reason: Option<String>,
    /// When the pause ends by itself: YYYY-MM-DD, 'YYYY-MM-DD HH:MM' or RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print the store as a JSON object.
    #[arg(long)]
    json: bool,
}

/// End the pause of a store.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  netosync store resume main")]
pub struct ResumeArgs {
    /// Name of the store.
    name: String,
    /// Print the store as a JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `store pause`.
pub async fn pause(app: &App, args: &PauseArgs) -> Result<Exit, CliError> {
    let name = args.name.as_str();
    let db = app.database().await?;
    let store = stores::find_store(&db, name).await?;
    let configured = app.config.schedule.timezone;
    let timezone = store.timezone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(configured);
    let end =
        args.until.as_deref().map(|text| until(text, timezone, app.now())).transpose().map_err(CliError::usage)?;
    let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    stores::pause_store(&db, name, reason, end).await?;
    let ends = end.map_or_else(
        || format!("`netosync store resume {name}` ends it"),
        |end| format!("it ends {}", text::time(end)),
    );
    let mut news = vec![format!("paused {name}; {ends}")];
    if let Some(run) = runs::unfinished(&db, store.id).await? {
        news.push(format!("run {} is {} and is not stopped by this", run.id, run.state));
    }
    super::tell(app, &db, name, args.json, &news.join("\n")).await
}

/// Runs `store resume`.
pub async fn resume(app: &App, args: &ResumeArgs) -> Result<Exit, CliError> {
    let name = args.name.as_str();
    let db = app.database().await?;
    let before = stores::find_store(&db, name).await?;
    stores::resume_store(&db, name).await?;
    let sentence =
        if before.is_paused(app.now()) { format!("resumed {name}") } else { format!("{name} was not paused") };
    super::tell(app, &db, name, args.json, &sentence).await
}

/// The end of a pause: a time to come.
fn until(text: &str, timezone: Tz, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let local = |text: &str| {
        let minutes = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"];
        let times = minutes.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        times.or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
    };
    let end = match DateTime::parse_from_rfc3339(text) {
        Ok(end) => Some(end.to_utc()),
        Err(_) => local(text).and_then(|time| in_zone(time, timezone)),
    };
    match end {
        None => Err(format!(
            "--until {text:?} is not a time: write YYYY-MM-DD, 'YYYY-MM-DD HH:MM' or 2027-01-04T08:00:00+10:00"
        )),
        Some(end) if end <= now => Err(format!("--until {} is not in the future", text::time(end))),
        Some(end) => Ok(end),
    }
}

/// A local time as UTC. Of two the later, so that a pause is never cut short; one that a clock change skips is the hour after.
fn in_zone(time: NaiveDateTime, timezone: Tz) -> Option<DateTime<Utc>> {
    match timezone.from_local_datetime(&time) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(_, time) => Some(time.to_utc()),
        MappedLocalTime::None => {
            timezone.from_local_datetime(&(time + TimeDelta::hours(1))).latest().map(|time| time.to_utc())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, timezone: Tz) -> Result<String, String> {
        let now = DateTime::from_timestamp(1_790_000_000, 0).expect("a time"); // 2026-09-21
        until(text, timezone, now).map(text::time)
    }

    #[test]
    fn a_time_is_read_in_the_time_zone_unless_it_has_its_own() {
        let sydney = chrono_tz::Australia::Sydney;
        for (text, meant) in [
            ("2027-01-04", "2027-01-03 13:00:00Z"),
            ("2027-01-04 08:00", "2027-01-03 21:00:00Z"),
            (" 2027-01-04T08:00 ", "2027-01-03 21:00:00Z"),
            ("2027-01-04T08:00:00Z", "2027-01-04 08:00:00Z"),
            ("2027-01-04T08:00:00+10:00", "2027-01-03 22:00:00Z"),
            ("2026-10-04 02:30", "2026-10-03 16:30:00Z"), // skipped: clocks went from 02:00 to 03:00
            ("2027-04-04 02:30", "2027-04-03 16:30:00Z"), // twice: the later one
        ] {
            assert_eq!(read(text, sydney).as_deref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn a_pause_ends_in_the_future_at_a_time_there_is() {
        for text in ["2026-09-20", "tomorrow", "2027-02-30", "2027-01-04 25:00", ""] {
            assert!(read(text, Tz::UTC).is_err(), "{text}");
        }
    }
}
