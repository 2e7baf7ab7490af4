//! The typed configuration. Every field is the key of the same name in `config/default.toml`, which explains it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::layers::Leaves;
use crate::domain::secret::Secret;
use crate::domain::{lifecycle, outage};

/// The whole configuration, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "a field is the section of the same name in default.toml, where it is documented")]
pub struct Config {
    pub database: Database,
    pub secrets: Secrets,
    pub credentials: Credentials,
    pub worker: Worker,
    pub schedule: Schedule,
    pub fetch: Fetch,
    pub budget: Budget,
    pub retry: Retry,
    pub auth: Auth,
    pub retention: Retention,
    pub quarantine: Quarantine,
    pub removal: Removal,
    pub oauth: Oauth,
    pub log: Log,
    pub http: Http,
    pub notify: Notify,
    pub connectors: Connectors,
    pub transport: Transport,
    /// The keys it was read from, to tell it from another.
    #[serde(skip)]
    pub(super) leaves: Leaves,
}

/// Declares a section: fields documented in `default.toml`.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "a field is the key of the same name in default.toml, where it is documented")]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty),+ }
    };
}

section! {
    /// `[database]`
    Database { url: SecretUrl, schema: String }
}
section! {
    /// `[secrets]`
    Secrets { #[serde(deserialize_with = "unless_empty")] key_file: Option<PathBuf> }
}
section! {
    /// `[credentials]`
    Credentials { import: Import }
}
section! {
    /// `[credentials.import]`
    Import {
        #[serde(deserialize_with = "unless_empty")] url: Option<SecretUrl>,
        /// May hold the phrase that opens a sealed column, so it is shown nowhere.
        #[serde(deserialize_with = "secret")] query: Secret,
        interval_secs: u32,
        timeout_secs: u32,
        max_share: f64,
    }
}
section! {
    /// `[worker]`
    Worker { slots: u32, lease_secs: u32, slice_secs: u32, max_attempts: u32 }
}
section! {
    /// `[schedule]`: cron expressions of five fields; `None` = never by itself.
    Schedule {
        #[serde(deserialize_with = "unless_empty")] full: Option<String>,
        #[serde(deserialize_with = "unless_empty")] incremental: Option<String>,
        #[serde(deserialize_with = "unless_empty")] sweep: Option<String>,
        #[serde(deserialize_with = "timezone")] timezone: chrono_tz::Tz,
        tick_secs: u32,
        spread_secs: u32,
    }
}
section! {
    /// `[fetch]`
    Fetch {
        page_size: u32,
        sweep_page_size: u32,
        overlap_secs: u32,
        in_flight: u32,
        /// Products of pages that wait for the database and are stored in one transaction, where more than one page is in flight.
        group_products: u32,
        connect_timeout_secs: u32,
        read_timeout_secs: u32,
        timeout_secs: u32,
        max_body_bytes: usize,
        max_pages: u32,
    }
}
section! {
    /// `[budget]`
    Budget { calls_per_minute: u32 }
}
section! {
    /// `[retry]`
    Retry { initial_ms: u32, max_ms: u32, max_elapsed_secs: u32, attempts: u32 }
}
section! {
    /// `[auth]`
    Auth {
        canary_tries: u32,
        canary_initial_ms: u32,
        canary_max_ms: u32,
        retest_initial_secs: u32,
        retest_max_secs: u32,
        outage_window_secs: u32,
        outage_stores: u32,
        outage_share: f64,
    }
}
section! {
    /// `[retention]`
    Retention { succeeded_days: u32, failed_days: u32, changes_days: u32, consumer_days: u32 }
}
section! {
    /// `[quarantine]`
    Quarantine { max_share: f64 }
}
section! {
    /// `[removal]`
    Removal { max_share: f64 }
}
section! {
    /// `[oauth]`
    Oauth {
        #[serde(deserialize_with = "unless_empty")] client_id: Option<String>,
        #[serde(deserialize_with = "unless_empty")] client_secret_file: Option<PathBuf>,
        version: u32,
        #[serde(deserialize_with = "unless_empty")] public_url: Option<Url>,
        #[serde(deserialize_with = "unless_empty")] uninstall_key_file: Option<PathBuf>,
        refresh_ahead_secs: u32,
        v1_url: Url,
        v2_url: Url,
    }
}
section! {
    /// `[log]`
    Log { format: LogFormat, filter: String }
}
section! {
    /// `[http]`
    Http { #[serde(deserialize_with = "unless_empty")] listen: Option<SocketAddr> }
}
section! {
    /// `[notify]`
    Notify { #[serde(deserialize_with = "unless_empty")] webhook_url: Option<SecretUrl>, remind_hours: u32 }
}
section! {
    /// `[connectors]`
    Connectors { #[serde(deserialize_with = "unless_empty")] dir: Option<PathBuf> }
}
section! {
    /// `[transport]`
    Transport { allow_loopback: bool }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Lines without time, each with its priority, as systemd's journal wants them.
    Journald,
}

impl Database {
    /// The file of an SQLite database; `None` for PostgreSQL and for a database in memory.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let url = self.url.expose();
        if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
            return None;
        }
        let options: sqlx::sqlite::SqliteConnectOptions = url.parse().ok()?;
        Some(options.get_filename().to_owned())
    }
}

impl Worker {
    /// How long a lease holds.
    #[must_use]
    pub fn lease(&self) -> TimeDelta {
        TimeDelta::seconds(self.lease_secs.into())
    }

    /// How long a run works before it looks whether others wait.
    #[must_use]
    pub fn slice(&self) -> Duration {
        Duration::from_secs(self.slice_secs.into())
    }
}

impl Budget {
    /// Calls a minute for a store: its `own` number, or else the configured one, but not more than `most` of its connector.
    #[must_use]
    pub fn of(&self, own: Option<u32>, most: Option<u32>) -> u32 {
        own.unwrap_or_else(|| most.map_or(self.calls_per_minute, |most| most.min(self.calls_per_minute)))
    }
}

impl Import {
    /// From one import to the next.
    #[must_use]
    pub fn interval(&self) -> TimeDelta {
        TimeDelta::seconds(self.interval_secs.into())
    }

    /// How long the other database may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_secs.into())
    }
}

impl Fetch {
    /// By how much an incremental run looks back before its cursor, at the least.
    #[must_use]
    pub fn overlap(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::seconds(self.overlap_secs.into())
    }
}

impl Auth {
    /// The limits of a key's life.
    #[must_use]
    pub fn policy(&self) -> lifecycle::Policy {
        lifecycle::Policy {
            tries: self.canary_tries,
            initial: TimeDelta::milliseconds(self.canary_initial_ms.into()),
            max: TimeDelta::milliseconds(self.canary_max_ms.into()),
            retest_initial: TimeDelta::seconds(self.retest_initial_secs.into()),
            retest_max: TimeDelta::seconds(self.retest_max_secs.into()),
            doubt: self.outage().window,
        }
    }

    /// From when on failures are the vendor's.
    #[must_use]
    pub fn outage(&self) -> outage::Rule {
        outage::Rule {
            window: TimeDelta::seconds(self.outage_window_secs.into()),
            stores: self.outage_stores.into(),
            share: self.outage_share,
        }
    }
}

impl Oauth {
    /// How long before its end a token is renewed.
    #[must_use]
    pub fn refresh_ahead(&self) -> TimeDelta {
        TimeDelta::seconds(self.refresh_ahead_secs.into())
    }
}

impl Notify {
    /// How often it is told that an incident lasts.
    #[must_use]
    pub fn remind(&self) -> TimeDelta {
        TimeDelta::hours(self.remind_hours.into())
    }
}

/// A URL that may hold a password or a token. `Debug` and `Display` show where it leads, never how one gets in.
#[derive(Clone)]
pub struct SecretUrl(Secret);

impl SecretUrl {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Secret::new(text))
    }

    /// The plain text, for connecting only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The wrapped text.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    pub(super) fn parsed(&self) -> Option<url::Url> {
        url::Url::parse(self.expose()).ok()
    }
}

impl std::fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A path of SQLite is a file's name; what follows the ? are its options.
        if self.expose().starts_with("sqlite:") {
            return f.write_str(self.expose().split('?').next().unwrap_or_default());
        }
        let Some(url) = self.parsed() else { return f.write_str("[REDACTED]") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for SecretUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(deserializer)?))
    }
}

/// A setting that an empty text switches off. The rules have checked the text, so the error is never met.
fn unless_empty<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| serde::de::Error::custom("unusable text"))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    Ok(Secret::new(&String::deserialize(deserializer)?))
}

fn timezone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<chrono_tz::Tz, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| serde::de::Error::custom("unknown time zone"))
}
