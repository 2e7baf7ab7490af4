//! A store as the commands show it: the object for scripts and the facts for people. Never the secret.

use serde_json::{Value, json};

use crate::cli::app::App;
use crate::cli::status::{State, why_not};
use crate::cli::sync::run_json;
use crate::cli::{runs, text};
use crate::domain::learned::Learned;
use crate::domain::store::Origin;
use crate::storage::credentials::SealedCredential;
use crate::storage::overview::Overview;

/// The store for scripts, keyed like the columns of `stores`; what the configuration adds is in `effective`.
pub fn object(app: &App, overview: &Overview) -> Value {
    let store = &overview.store;
    let effective = Effective::of(app, overview);
    let last_run = overview.unfinished.as_ref().or(overview.last_ended.as_ref());
    json!({
        "id": store.id,
        "name": store.name,
        "connector": store.connector,
        "origin": store.origin,
        "url": store.url.as_str(),
        "domain": store.domain,
        "remote_id": store.remote_id,
        "pending_url": store.pending_url,
        "state": State::of(overview, app.now()),
        "timezone": store.timezone,
        "paused": store.is_paused(app.now()),
        "paused_at": store.paused_at,
        "paused_reason": store.paused_reason,
        "paused_until": store.paused_until,
        "paused_by": store.is_paused(app.now()).then_some(store.paused_by),
        "schedule_full": store.schedule_full,
        "schedule_incremental": store.schedule_incremental,
        "schedule_sweep": store.schedule_sweep,
        "calls_per_minute": store.calls_per_minute,
        "overlap_secs": store.overlap_secs,
        "learned": store.learned,
        "effective": {
            "timezone": effective.timezone,
            "schedule_full": effective.full,
            "schedule_incremental": effective.incremental,
            "schedule_sweep": effective.sweep,
            "calls_per_minute": effective.calls_per_minute,
        },
        "credential": overview.credential.as_ref().map(credential),
        "as_of": store.as_of,
        "products": overview.products,
        "quarantined": overview.quarantined,
        "last_run": last_run.map(|run| run_json(&store.name, run)),
        "created_at": store.created_at,
    })
}

/// A credential for scripts.
fn credential(found: &SealedCredential) -> Value {
    let sealed = &found.sealed;
    json!({
        "scheme": sealed.scheme,
        "username": sealed.username,
        "client_id": sealed.client_id,
        "fingerprint": sealed.fingerprint,
        "key_id": sealed.key_id,
        "scopes": sealed.scopes,
        "token_url": sealed.token_url,
        "renewed_at": sealed.renewed_at,
        "expires_at": sealed.expires_at,
        "state": found.state,
        "state_since": found.state_since,
        "last_checked_at": found.last_checked_at,
        "last_ok_at": found.last_ok_at,
        "last_error": found.last_error,
        "last_status": found.last_status,
        "refusals": found.refusals,
        "next_check_at": found.next_check_at,
        "last_failed_at": found.last_failed_at,
    })
}

/// The store for people.
pub fn facts(app: &App, overview: &Overview) -> String {
    let store = &overview.store;
    let now = app.now();
    let effective = Effective::of(app, overview);
    let own = |own: bool| if own { "own" } else { "default" };
    let schedule =
        |cron: Option<&str>, is_own: bool| format!("{} ({})", cron.unwrap_or("never by itself"), own(is_own));
    let state = State::of(overview, now);
    let mut facts = vec![
        ("name", store.name.clone()),
        ("connector", if store.has_records() { store.connector.clone() } else { String::new() }),
        ("url", store.url.to_string()),
        ("domain", store.domain.clone().unwrap_or_default()),
        ("vendor's id", store.remote_id.clone().unwrap_or_default()),
        ("wants to move to", store.pending_url.as_ref().map(ToString::to_string).unwrap_or_default()),
        (
            "origin",
            if store.origin == Origin::Import { "your own database (import)".to_owned() } else { String::new() },
        ),
        ("state", state.words().to_owned()),
        ("why", why_not(&app.config, overview, now).join("; ")),
        (if store.has_records() { "records" } else { "products" }, overview.products.to_string()),
        ("quarantine", if overview.quarantined > 0 { overview.quarantined.to_string() } else { String::new() }),
        (
            "as of",
            store
                .as_of
                .map_or("never synced".to_owned(), |at| format!("{} ({} ago)", text::time(at), text::age(at, now))),
        ),
    ];
    match &overview.credential {
        None => facts.push(("key", "none".to_owned())),
        Some(found) => facts.extend([
            ("key", format!("{}, fingerprint {}", found.sealed.scheme, found.sealed.fingerprint)),
            ("username", found.sealed.username.clone().unwrap_or_default()),
            ("client id", found.sealed.client_id.clone().unwrap_or_default()),
            ("granted", found.sealed.scopes.clone().unwrap_or_default()),
            ("token expires", text::time_if(found.sealed.expires_at)),
            ("token url", found.sealed.token_url.clone().unwrap_or_default()),
            ("key state", format!("{} since {}", found.state, text::time(found.state_since))),
            ("key last worked", found.last_ok_at.map_or("never yet".to_owned(), text::time)),
            ("key last checked", text::time_if(found.last_checked_at)),
            ("key last failed", text::time_if(found.last_failed_at)),
            ("key refused", refusal(found)),
            ("key next check", text::time_if(found.next_check_at)),
        ]),
    }
    facts.extend([
        ("schedule full", schedule(effective.full, store.schedule_full.is_some())),
        ("schedule incremental", schedule(effective.incremental, store.schedule_incremental.is_some())),
        ("schedule sweep", schedule(effective.sweep, store.schedule_sweep.is_some())),
        ("timezone", format!("{} ({})", effective.timezone, own(store.timezone.is_some()))),
        ("calls per minute", format!("{} ({})", effective.calls_per_minute, own(store.calls_per_minute.is_some()))),
        ("looks back", overlap(app, store.overlap_secs)),
        ("learned", learned(&store.learned)),
        ("added", text::time(store.created_at)),
    ]);
    if let Some(run) = overview.unfinished.as_ref().or(overview.last_ended.as_ref()) {
        facts.push(("last run", runs::sentence(run)));
    }
    text::facts(&facts)
}

/// By how much incremental runs look back before the newest edit they have seen.
fn overlap(app: &App, shown: Option<i64>) -> String {
    let least = i64::from(app.config.fetch.overlap_secs);
    match shown.filter(|shown| *shown > least) {
        Some(shown) => format!("{shown} s (a sweep has found edits that appear late)"),
        None => format!("{least} s (default)"),
    }
}

/// What the store's answers have taught; nothing, if they have not.
fn learned(Learned { refused, page_size, sweep_page_size, since }: &Learned) -> String {
    let mut facts = Vec::new();
    if !refused.is_empty() {
        facts.push(format!("it refuses {}", refused.join(", ")));
    }
    facts.extend(page_size.map(|size| format!("it bears {size} products a page")));
    facts.extend(sweep_page_size.map(|size| format!("it bears {size} products a page of a sweep")));
    facts.extend(since.map(|since| format!("since {}, asked anew after a week", text::time(since))));
    facts.join("; ")
}

/// The evidence against a key.
fn refusal(found: &SealedCredential) -> String {
    let Some(said) = &found.last_error else { return String::new() };
    let status = found.last_status.map_or(String::new(), |status| format!("HTTP {status}: "));
    match found.refusals {
        0 => format!("{status}{said}"),
        1 => format!("once, {status}{said}"),
        times => format!("{times} times in a row, {status}{said}"),
    }
}

/// What holds for a store: its own settings, or else the configured ones.
struct Effective<'a> {
    timezone: &'a str,
    full: Option<&'a str>,
    incremental: Option<&'a str>,
    sweep: Option<&'a str>,
    calls_per_minute: u32,
}

impl<'a> Effective<'a> {
    fn of(app: &'a App, overview: &'a Overview) -> Self {
        let store = &overview.store;
        let schedule = &app.config.schedule;
        Self {
            timezone: store.timezone.as_deref().unwrap_or(schedule.timezone.name()),
            full: store.schedule_full.as_deref().or(schedule.full.as_deref()),
            incremental: store.schedule_incremental.as_deref().or(schedule.incremental.as_deref()),
            sweep: store.schedule_sweep.as_deref().or(schedule.sweep.as_deref()),
            calls_per_minute: store.calls_per_minute.unwrap_or(app.config.budget.calls_per_minute),
        }
    }
}
