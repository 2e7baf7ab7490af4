//! One rule a key, and the rules between keys.

use std::net::SocketAddr;

use config::ValueKind;
use serde_json::Value as Json;

use super::ConfigError;
use super::layers::Leaves;
use super::tree::{Config, SecretUrl};
use crate::domain::select;

/// What a key's value must be.
enum Kind {
    /// A whole number between two bounds, both allowed.
    Whole(u32, u32),
    /// A share between 0 and 1, both allowed.
    Share,
    /// `true` or `false`.
    Flag,
    /// A text that passes a check; the error is the rule it breaks.
    Text(fn(&str) -> Result<(), String>),
    /// The same, for a text no error may show.
    Secret(fn(&str) -> Result<(), String>),
}

/// The rule of one key.
pub(super) struct FieldRule {
    field: &'static str,
    kind: Kind,
}

const fn rule(field: &'static str, kind: Kind) -> FieldRule {
    FieldRule { field, kind }
}

static RULES: &[FieldRule] = &[
    rule("database.url", Kind::Secret(database_url)),
    rule("database.schema", Kind::Text(schema)),
    rule("secrets.key_file", Kind::Text(path)),
    rule("credentials.import.url", Kind::Secret(import_url)),
    rule("credentials.import.query", Kind::Secret(import_query)),
    rule("credentials.import.interval_secs", Kind::Whole(10, 86_400)),
    rule("credentials.import.timeout_secs", Kind::Whole(1, 600)),
    rule("credentials.import.max_share", Kind::Share),
    rule("worker.slots", Kind::Whole(1, 1024)),
    rule("worker.lease_secs", Kind::Whole(5, 3600)),
    rule("worker.slice_secs", Kind::Whole(1, 86_400)),
    rule("worker.max_attempts", Kind::Whole(1, 100)),
    rule("schedule.full", Kind::Text(schedule)),
    rule("schedule.incremental", Kind::Text(schedule)),
    rule("schedule.sweep", Kind::Text(schedule)),
    rule("schedule.timezone", Kind::Text(timezone)),
    rule("schedule.tick_secs", Kind::Whole(1, 3600)),
    rule("schedule.spread_secs", Kind::Whole(0, 86_400)),
    rule("fetch.page_size", Kind::Whole(1, 10_000)),
    rule("fetch.sweep_page_size", Kind::Whole(8, 10_000)),
    rule("fetch.overlap_secs", Kind::Whole(0, 172_800)),
    rule("fetch.in_flight", Kind::Whole(1, 16)),
    rule("fetch.group_products", Kind::Whole(0, 100_000)),
    rule("fetch.connect_timeout_secs", Kind::Whole(1, 300)),
    rule("fetch.read_timeout_secs", Kind::Whole(1, 3600)),
    rule("fetch.timeout_secs", Kind::Whole(1, 3600)),
    rule("fetch.max_body_bytes", Kind::Whole(64 << 10, 1 << 30)),
    rule("fetch.max_pages", Kind::Whole(1, 10_000_000)),
    rule("budget.calls_per_minute", Kind::Whole(1, 1_000_000)),
    rule("retry.initial_ms", Kind::Whole(1, 600_000)),
    rule("retry.max_ms", Kind::Whole(1, 600_000)),
    rule("retry.max_elapsed_secs", Kind::Whole(1, 86_400)),
    rule("retry.attempts", Kind::Whole(1, 100)),
    rule("auth.canary_tries", Kind::Whole(1, 20)),
    rule("auth.canary_initial_ms", Kind::Whole(1, 600_000)),
    rule("auth.canary_max_ms", Kind::Whole(1, 600_000)),
    rule("auth.retest_initial_secs", Kind::Whole(60, 604_800)),
    rule("auth.retest_max_secs", Kind::Whole(60, 2_592_000)),
    rule("auth.outage_stores", Kind::Whole(2, 100_000)),
    rule("auth.outage_share", Kind::Share),
    rule("auth.outage_window_secs", Kind::Whole(60, 86_400)),
    rule("retention.succeeded_days", Kind::Whole(1, 36_500)),
    rule("retention.failed_days", Kind::Whole(1, 36_500)),
    rule("retention.changes_days", Kind::Whole(0, 36_500)),
    rule("retention.consumer_days", Kind::Whole(0, 36_500)),
    rule("quarantine.max_share", Kind::Share),
    rule("removal.max_share", Kind::Share),
    rule("oauth.client_id", Kind::Text(header_text)),
    rule("oauth.client_secret_file", Kind::Text(path)),
    rule("oauth.version", Kind::Whole(1, 2)),
    rule("oauth.public_url", Kind::Text(public_url)),
    rule("oauth.uninstall_key_file", Kind::Text(path)),
    rule("oauth.refresh_ahead_secs", Kind::Whole(1, 86_400)),
    rule("oauth.v1_url", Kind::Text(base_url)),
    rule("oauth.v2_url", Kind::Text(base_url)),
    rule("log.format", Kind::Text(log_format)),
    rule("log.filter", Kind::Text(crate::telemetry::check_filter)),
    rule("http.listen", Kind::Text(listen)),
    rule("notify.webhook_url", Kind::Secret(webhook_url)),
    rule("notify.remind_hours", Kind::Whole(1, 8760)),
    rule("connectors.dir", Kind::Text(path)),
    rule("transport.allow_loopback", Kind::Flag),
];

/// The rule of `field`, if there is such a key.
pub(super) fn of(field: &str) -> Option<&'static FieldRule> {
    RULES.iter().find(|rule| rule.field == field)
}

/// Whether `name` is a section.
pub(super) fn is_section(name: &str) -> bool {
    RULES.iter().any(|rule| {
        rule.section() == name || rule.section().strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Every key, in the order of the reference.
#[cfg(test)]
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.field)
}

/// What could have been meant instead of the unknown `field`: the keys of its section, else the sections.
pub(super) fn known_beside(field: &str) -> String {
    let section = section_of(field);
    if RULES.iter().any(|rule| rule.section() == section) {
        let keys: Vec<_> = RULES.iter().filter(|rule| rule.section() == section).map(FieldRule::key).collect();
        format!("[{section}] has {}", keys.join(", "))
    } else {
        let mut sections: Vec<_> = RULES.iter().map(FieldRule::section).collect();
        sections.dedup();
        format!("the sections are {}", sections.join(", "))
    }
}

/// The part of a key before its last dot; the whole of one without.
fn section_of(field: &str) -> &str {
    field.rsplit_once('.').map_or(field, |(section, _)| section)
}

impl FieldRule {
    fn section(&self) -> &'static str {
        section_of(self.field)
    }

    fn key(&self) -> &'static str {
        self.field.rsplit('.').next().unwrap_or_default()
    }

    /// Whether errors must not show the value.
    pub(super) fn secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }

    /// The value in the type of the key, or the rule it breaks. A value of the environment arrives as text.
    pub(super) fn check(&self, kind: ValueKind, from_text: bool) -> Result<Json, String> {
        match &self.kind {
            Kind::Whole(min, max) => match kind {
                ValueKind::I64(number) => Some(number),
                ValueKind::String(text) if from_text => text.trim().parse().ok(),
                _ => None,
            }
            .filter(|number| (i64::from(*min)..=i64::from(*max)).contains(number))
            .map(Json::from)
            .ok_or_else(|| format!("must be a whole number from {min} to {max}")),
            Kind::Share => match kind {
                ValueKind::Float(number) => Some(number),
                ValueKind::I64(number) => Some(number as f64),
                ValueKind::String(text) if from_text => text.trim().parse().ok(),
                _ => None,
            }
            .filter(|share| (0.0..=1.0).contains(share))
            .map(Json::from)
            .ok_or_else(|| "must be a number from 0 to 1".to_owned()),
            Kind::Flag => match kind {
                ValueKind::Boolean(flag) => Some(flag),
                ValueKind::String(text) if from_text => text.trim().to_ascii_lowercase().parse().ok(),
                _ => None,
            }
            .map(Json::from)
            .ok_or_else(|| "must be true or false".to_owned()),
            Kind::Text(check) | Kind::Secret(check) => {
                let ValueKind::String(text) = kind else { return Err("must be a text in quotes".to_owned()) };
                let text = text.trim();
                check(text).map(|()| Json::from(text))
            }
        }
    }
}

/// Rules that hold between two keys. The error names the key that was set last, with the other in its rule.
pub(super) fn between_keys(config: &Config, leaves: &Leaves) -> Result<(), ConfigError> {
    let millis = |secs: u32| u64::from(secs) * 1000;
    let fetch = &config.fetch;
    let retry = &config.retry;
    let auth = &config.auth;
    let pairs: [(&str, u64, &str, u64); 6] = [
        (
            "fetch.connect_timeout_secs",
            millis(fetch.connect_timeout_secs),
            "fetch.timeout_secs",
            millis(fetch.timeout_secs),
        ),
        ("fetch.read_timeout_secs", millis(fetch.read_timeout_secs), "fetch.timeout_secs", millis(fetch.timeout_secs)),
        ("retry.initial_ms", retry.initial_ms.into(), "retry.max_ms", retry.max_ms.into()),
        ("retry.max_ms", retry.max_ms.into(), "retry.max_elapsed_secs", millis(retry.max_elapsed_secs)),
        ("auth.canary_initial_ms", auth.canary_initial_ms.into(), "auth.canary_max_ms", auth.canary_max_ms.into()),
        (
            "auth.retest_initial_secs",
            millis(auth.retest_initial_secs),
            "auth.retest_max_secs",
            millis(auth.retest_max_secs),
        ),
    ];
    // 0 days = for ever.
    let days = |days: u32| u64::from(days) * 86_400_000;
    let retention = &config.retention;
    let unread = (retention.consumer_days > 0).then(|| {
        let (low, high) = (days(retention.changes_days), days(retention.consumer_days));
        ("retention.changes_days", low, "retention.consumer_days", high)
    });
    for (low, low_ms, high, high_ms) in pairs.into_iter().chain(unread) {
        if low_ms > high_ms {
            let (low, high) = (low.to_owned(), high.to_owned());
            let (shown, other) = (&leaves[&low], &leaves[&high]);
            let rule = format!("must not be longer than {high}, which is {} (from {})", other.value, other.origin);
            return Err(ConfigError::Rule {
                value: shown.value.to_string(),
                origin: shown.origin.clone(),
                field: low,
                rule,
            });
        }
    }
    let import = &config.credentials.import;
    if import.url.is_some() && import.query.is_empty() {
        let field = "credentials.import.query".to_owned();
        return Err(ConfigError::Rule {
            value: "\"\"".to_owned(),
            origin: leaves[&field].origin.clone(),
            rule: "must be the SELECT that yields the stores, because credentials.import.url is set".to_owned(),
            field,
        });
    }
    Ok(())
}

/// Checks a schedule: a cron expression of five fields. Used for the stores' own schedules too.
pub fn check_cron(text: &str) -> Result<(), String> {
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Err(format!(
            "must be a cron expression of five fields (minute hour day month weekday), this has {fields}"
        ));
    }
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Disallowed).build();
    let cron = parser.parse(text).map_err(|error| format!("is not a cron expression: {error}"))?;
    let ever = cron.find_next_occurrence(&chrono::DateTime::UNIX_EPOCH, true);
    ever.map(drop).map_err(|_| "must have a moment to come; no day is like that".to_owned())
}

fn schedule(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { check_cron(text) }
}

fn path(text: &str) -> Result<(), String> {
    if text.contains(char::is_control) { Err("must be a path on one line, or empty".to_owned()) } else { Ok(()) }
}

fn timezone(text: &str) -> Result<(), String> {
    text.parse::<chrono_tz::Tz>()
        .map(drop)
        .map_err(|_| "must be an IANA time zone such as UTC or Australia/Brisbane".to_owned())
}

fn schema(text: &str) -> Result<(), String> {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && text.len() <= 63 && !text.starts_with("pg_") {
        Ok(())
    } else {
        Err("must be 1 to 63 lower-case letters, digits and _, not begin with a digit or pg_".to_owned())
    }
}

fn database_url(text: &str) -> Result<(), String> {
    let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let sqlite = text.strip_prefix("sqlite:").is_some_and(|rest| !rest.trim_start_matches('/').is_empty());
    if sqlite || (postgres && url::Url::parse(text).is_ok()) {
        Ok(())
    } else {
        Err("must be sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned())
    }
}

fn import_url(text: &str) -> Result<(), String> {
    if text.is_empty() || database_url(text).is_ok() {
        Ok(())
    } else {
        Err("must be sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME, or empty".to_owned())
    }
}

fn import_query(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { select::check(text).map_err(str::to_owned) }
}

fn webhook_url(text: &str) -> Result<(), String> {
    let fits = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if text.is_empty() || SecretUrl::new(text).parsed().as_ref().is_some_and(fits) {
        Ok(())
    } else {
        Err("must be an http or https URL, or empty".to_owned())
    }
}

fn header_text(text: &str) -> Result<(), String> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must be ASCII without spaces: it is sent in a header".to_owned())
    }
}

fn public_url(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { base_url(text) }
}

/// An address to which paths are appended.
fn base_url(text: &str) -> Result<(), String> {
    let plain = |url: &url::Url| {
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        matches!(url.scheme(), "http" | "https") && url.has_host() && bare && url.password().is_none()
    };
    if url::Url::parse(text).as_ref().is_ok_and(plain) {
        Ok(())
    } else {
        Err("must be an http or https URL without user, query and fragment".to_owned())
    }
}

fn log_format(text: &str) -> Result<(), String> {
    if matches!(text, "text" | "json" | "journald") {
        Ok(())
    } else {
        Err("must be \"text\", \"json\" or \"journald\"".to_owned())
    }
}

fn listen(text: &str) -> Result<(), String> {
    if text.is_empty() || text.parse::<SocketAddr>().is_ok() {
        Ok(())
    } else {
        Err("must be an IP address with a port such as 127.0.0.1:9187, or empty".to_owned())
    }
}
