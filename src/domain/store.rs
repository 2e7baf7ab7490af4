//! A store and its credential, as the rest of the program sees them.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::learned::Learned;
use super::lifecycle::Standing;
use super::secret::Secret;
use super::text_enum::text_enum;

/// The one connector that is programmed; all others are described.
pub const NETO: &str = "neto";

/// A webstore whose catalogue is mirrored.
#[derive(Clone, Debug)]
pub struct Store {
    /// Key of the store in the database.
    pub id: i64,
    /// Unique name, chosen by the operator.
    pub name: String,
    /// Which connector speaks to it: [`NETO`], or the name of a described one.
    pub connector: String,
    /// The store's address, without the API's path.
    pub url: Url,
    /// The store's time zone (IANA name), if known.
    pub timezone: Option<String>,
    /// Set while the operator has paused the store.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why it is paused.
    pub paused_reason: Option<String>,
    /// When the pause ends by itself.
    pub paused_until: Option<DateTime<Utc>>,
    /// Who paused it: the import ends its own pauses only.
    pub paused_by: Origin,
    /// Own cron expression for `full` runs; `None` = the configured one.
    pub schedule_full: Option<String>,
    /// Own cron expression for `incremental` runs.
    pub schedule_incremental: Option<String>,
    /// Own cron expression for `sweep` runs.
    pub schedule_sweep: Option<String>,
    /// Own budget, calls a minute; `None` = the configured one.
    pub calls_per_minute: Option<u32>,
    /// Until when every row is known to hold: start of the last run that ended `complete` or `repaired`.
    pub as_of: Option<DateTime<Utc>>,
    /// When the store was added.
    pub created_at: DateTime<Utc>,
    /// Nobody calls the store before: it has answered HTTP 429.
    pub silent_until: Option<DateTime<Utc>>,
    /// Seconds by which incremental runs look back before their cursor, as sweeps have shown it to be needed; `None` = the
    /// configured least.
    pub overlap_secs: Option<i64>,
    /// What its answers have taught.
    pub learned: Learned,
    /// How the vendor names it, whatever its address: the `store_id` or `api_id` that came with its tokens.
    pub remote_id: Option<String>,
    /// The shop's own domain, as the vendor last said; calls go to `url`.
    pub domain: Option<String>,
    /// An address it has told us, to which nothing goes before a person has approved it.
    pub pending_url: Option<Url>,
    /// Who keeps its address and its key up to date.
    pub origin: Origin,
}

/// How the reason begins for which a store rests whose merchant's consent was taken back.
pub const DISCONNECTED: &str = "disconnected";

/// How the reason begins for which a store rests whose domain has changed, until a person approves the new one.
pub const MOVED: &str = "its domain has changed to ";

impl Store {
    /// Whether it has records of a described connector instead of products.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.connector != NETO
    }

    /// The command that ends its pause: what it rests for decides.
    #[must_use]
    pub fn ends_pause(&self) -> String {
        let name = &self.name;
        let disconnected = self.paused_reason.as_ref().is_some_and(|reason| reason.starts_with(DISCONNECTED));
        match (&self.pending_url, self.paused_by) {
            (Some(url), _) => format!("netosync store set {name} --url {url}"),
            // A resume would last until the next import.
            (None, Origin::Import) => "netosync store import".to_owned(),
            (None, Origin::Manual) if disconnected => format!("netosync oauth connect {name}"),
            (None, Origin::Manual) => format!("netosync store resume {name}"),
        }
    }

    /// Whether the store rests at `now`.
    #[must_use]
    pub fn is_paused(&self, now: DateTime<Utc>) -> bool {
        self.paused_at.is_some() && self.paused_until.is_none_or(|until| now < until)
    }
}

text_enum! {
    /// Who decides: a person by hand, or the rows of the operator's own database.
    Origin {
        /// A person, with the commands.
        Manual = "manual",
        /// The import (`[credentials.import]`).
        Import = "import",
    }
}

text_enum! {
    /// How a credential is presented to the store (spec: Neto API §2).
    Scheme {
        /// `NETOAPI_KEY`, with `NETOAPI_USERNAME` when a user name is set.
        ApiKey = "api-key",
        /// `X_ACCESS_KEY` (client id) and `X_SECRET_KEY` (access token).
        Oauth = "oauth",
        /// `Authorization: Bearer`, with a token that was given, or got by an OAuth of which a refresh token is left.
        Bearer = "bearer",
        /// A key in a header of its own (described connectors).
        HeaderKey = "header-key",
        /// The client id in one header, a key in another (described connectors).
        HeaderPair = "header-pair",
        /// A token that client id and client secret buy (described connectors).
        ClientCredentials = "client-credentials",
        /// A token that a person's consent brought, renewed where the server gave a refresh token (described connectors).
        AuthorizationCode = "authorization-code",
        /// A token that user name and password buy (described connectors).
        Login = "login",
    }
}

text_enum! {
    /// Whether a credential is believed to work (design §4).
    CredentialState {
        /// Worked the last time, or has not been tried.
        Ok = "ok",
        /// Refused once; being asked again.
        Suspect = "suspect",
        /// Refused for good, with evidence.
        Revoked = "revoked",
    }
}

/// A store's credential, opened.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The store it belongs to.
    pub store_id: i64,
    /// How it is presented.
    pub scheme: Scheme,
    /// Staff user of a user-based API key.
    pub username: Option<String>,
    /// OAuth client id.
    pub client_id: Option<String>,
    /// The key or token; empty while no token has been got yet.
    pub secret: Secret,
    /// What buys the next token: a refresh token, or the password of a login.
    pub refresh: Option<Secret>,
    /// The secret of the OAuth client.
    pub client_secret: Option<Secret>,
    /// Where tokens are got, where that is not what the connector says.
    pub token_url: Option<Url>,
    /// What the token allows, in the server's words.
    pub scopes: Option<String>,
    /// When the token was got, if it was.
    pub renewed_at: Option<DateTime<Utc>>,
    /// When the token expires, if that is known.
    pub expires_at: Option<DateTime<Utc>>,
    /// Tells one key from another without giving it away.
    pub fingerprint: String,
    /// What is known about it.
    pub standing: Standing,
    /// Whether its last call was refused or brought no answer.
    pub failing: bool,
}

impl Credential {
    /// Whether there is no token yet, or it is about to expire: within `ahead`, or within the last quarter of its life where that
    /// is shorter, so that a token of a minute is not renewed all the time.
    #[must_use]
    pub fn wants_token(&self, now: DateTime<Utc>, ahead: TimeDelta) -> bool {
        let ends = |at: DateTime<Utc>| {
            let quarter = self.renewed_at.map_or(ahead, |since| (at - since) / 4);
            now >= at - ahead.min(quarter)
        };
        self.secret.is_empty() || self.expires_at.is_some_and(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_ahead_of_its_end_but_not_before_the_last_quarter_of_its_life() {
        let got = DateTime::UNIX_EPOCH;
        let credential = |life: i64| Credential {
            store_id: 1,
            scheme: Scheme::Bearer,
            username: None,
            client_id: None,
            secret: Secret::new("token"),
            refresh: None,
            client_secret: None,
            token_url: None,
            scopes: None,
            renewed_at: Some(got),
            expires_at: Some(got + TimeDelta::seconds(life)),
            fingerprint: String::new(),
            standing: Standing::working(got),
            failing: false,
        };
        let at = |life: i64, after: i64| {
            credential(life).wants_token(got + TimeDelta::seconds(after), TimeDelta::seconds(300))
        };
        assert_eq!([at(3600, 3299), at(3600, 3300), at(60, 44), at(60, 45)], [false, true, false, true]);
        let endless = Credential { expires_at: None, ..credential(1) };
        assert!(!endless.wants_token(got + TimeDelta::days(99), TimeDelta::seconds(300)));
        let none = Credential { secret: Secret::new(""), ..endless };
        assert!(none.wants_token(got, TimeDelta::seconds(300)));
    }
}
