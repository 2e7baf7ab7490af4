//! The links of the chain: facts in, one sentence each out. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::facts::Facts;
use super::last;
use crate::cli::status::worked_on;
use crate::cli::text;
use crate::domain::error::ErrorClass;
use crate::domain::incident::IncidentKind;
use crate::domain::run::RunState;
use crate::domain::store::{CredentialState, DISCONNECTED};
use crate::scheduler::due::{Due, Reason as NotDue};
use crate::scheduler::plan::{Plan, Planned};
use crate::tokens;

/// One link.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What it is about.
    pub about: &'static str,
    /// The sentence.
    pub says: String,
    /// 0 = as it should be; the higher, the sooner it has to be dealt with.
    pub gravity: u8,
    /// The command that helps.
    pub fix: Option<String>,
}

/// What a person has decided about this store, or the store about its key: nothing else helps before.
const DECIDED: u8 = 5;
/// The vendor's trouble, which passes.
const VENDOR: u8 = 4;
/// Nobody works, or nothing ever tells them to.
const NOBODY: u8 = 3;
/// The run at hand waits.
const WAITS: u8 = 2;
/// The last run did not end well.
pub(super) const ENDED_BADLY: u8 = 1;

impl Reason {
    pub(super) fn fine(about: &'static str, says: impl Into<String>) -> Self {
        Self { about, says: says.into(), gravity: 0, fix: None }
    }

    pub(super) fn wrong(about: &'static str, gravity: u8, says: impl Into<String>, fix: Option<String>) -> Self {
        Self { about, says: says.into(), gravity, fix }
    }
}

/// All links, in order.
pub fn chain(facts: &Facts<'_>) -> Vec<Reason> {
    let mut chain = vec![daemon(facts), pause(facts), key(facts)];
    chain.extend(facts.incidents.iter().filter(|incident| incident.kind != IncidentKind::KeyRevoked).map(|incident| {
        let since = text::time(incident.opened_at);
        match incident.kind {
            IncidentKind::VendorOutage => {
                let says = format!("since {since}: {}", incident.sentence);
                Reason::wrong("vendor", VENDOR, says, None)
            }
            IncidentKind::ImportFailed => Reason::fine("import", format!("since {since}: {}", incident.sentence)),
            _ => Reason::fine("incident", format!("open since {since}: {}", incident.sentence)),
        }
    }));
    chain.extend(schedule(facts));
    chain.push(budget(facts));
    chain.extend(run(facts));
    chain.push(last::run(facts));
    chain
}

fn daemon(facts: &Facts<'_>) -> Reason {
    let alive: Vec<_> = facts.instances.iter().filter(|instance| instance.is_alive(facts.now)).collect();
    if alive.is_empty() {
        let last = facts.instances.iter().map(|instance| instance.seen_at).max();
        let seen = last.map_or(String::new(), |at| format!(" (the last was seen {} ago)", text::age(at, facts.now)));
        let says = format!("no `netosync run` is alive on this database{seen}, so nothing is synced by itself");
        return Reason::wrong("daemon", NOBODY, says, Some("systemctl start netosync".to_owned()));
    }
    let (running, slots) =
        alive.iter().fold((0, 0), |(running, slots), one| (running + one.running, slots + one.slots));
    let names: Vec<_> = alive.iter().map(|one| one.name.as_str()).collect();
    Reason::fine("daemon", format!("{} alive, {running} of {slots} slots at work: {}", alive.len(), names.join(", ")))
}

fn pause(facts: &Facts<'_>) -> Reason {
    let store = &facts.overview.store;
    if !store.is_paused(facts.now) {
        return Reason::fine("pause", "not paused");
    }
    let since = store.paused_at.map_or(String::new(), |at| format!(" since {}", text::time(at)));
    let until = store.paused_until.map_or("until resumed".to_owned(), |at| format!("until {}", text::time(at)));
    let why = store.paused_reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let consent = store.paused_reason.as_ref().is_some_and(|reason| reason.starts_with(DISCONNECTED));
    let fix = if consent { tokens::reconnect(facts.config, store) } else { store.ends_pause() };
    Reason::wrong("pause", DECIDED, format!("paused{since}, {until}{why}"), Some(fix))
}

fn key(facts: &Facts<'_>) -> Reason {
    let name = &facts.overview.store.name;
    let rekey = Some(format!("netosync store rekey {name}"));
    let Some(key) = &facts.overview.credential else {
        return Reason::wrong("key", DECIDED, "the store has no key, and no call can be made without one", rekey);
    };
    if key.state == CredentialState::Ok {
        let worked = key.last_ok_at.map_or("has not been used yet".to_owned(), |at| {
            format!("last worked {} ({} ago)", text::time(at), text::age(at, facts.now))
        });
        return Reason::fine("key", format!("ok; it {worked}"));
    }
    let by_consent = tokens::by_consent(key.sealed.scheme, key.sealed.client_id.as_deref());
    let anew = if by_consent { Some(tokens::reconnect(facts.config, &facts.overview.store)) } else { rekey };
    let said = key.last_error.as_deref().unwrap_or("the store refused it");
    let status = key.last_status.map_or(String::new(), |status| format!(", HTTP {status}"));
    let next = match key.next_check_at {
        Some(at) if at > facts.now => format!("it is tested again by itself at {}", text::time(at)),
        Some(_) => "it is tested again by itself at the next tick of the daemon".to_owned(),
        None if by_consent && key.state == CredentialState::Revoked => {
            "only the merchant can connect it again".to_owned()
        }
        None => "it is asked again with the run".to_owned(),
    };
    let says = format!(
        "{} since {} (fingerprint {}{status}): {said}; {next}",
        key.state,
        text::time(key.state_since),
        key.sealed.fingerprint
    );
    // One refusal may be a mistake: ask again before a new key is made.
    let suspect = key.state == CredentialState::Suspect;
    Reason::wrong("key", DECIDED, says, if suspect { Some(format!("netosync store check {name}")) } else { anew })
}

/// One link a kind.
fn schedule(facts: &Facts<'_>) -> Vec<Reason> {
    let mut plan = Plan::default();
    let planned = plan.of(&facts.config.schedule, &facts.row, facts.now);
    planned.iter().map(|planned| moment(facts, planned)).collect()
}

fn moment(facts: &Facts<'_>, planned: &Planned<'_>) -> Reason {
    let Planned { kind, schedule, timezone, due } = planned;
    let name = &facts.overview.store.name;
    let cron = schedule.unwrap_or_default();
    let rule = match schedule {
        Some(cron) => format!("{kind} at `{cron}` ({timezone})"),
        None => format!("{kind} never by itself"),
    };
    let when = match due {
        // Said by their own links already.
        Due::No(NotDue::Paused | NotDue::Revoked) => return Reason::fine("schedule", rule),
        Due::No(NotDue::NoSchedule) => {
            let fix = Some(format!("netosync store set {name} --schedule-{kind} '0 3 * * 0'"));
            return Reason::wrong("schedule", NOBODY, format!("{rule}: there is no schedule for it"), fix);
        }
        Due::No(NotDue::BadSchedule(error)) => {
            let says = format!("{kind} never by itself: `{cron}` cannot be used: {error}");
            let fix = Some(format!("netosync store set {name} --schedule-{kind} default"));
            return Reason::wrong("schedule", NOBODY, says, fix);
        }
        Due::Now => "due now".to_owned(),
        Due::At(at) => format!("next {}", in_both(*at, *timezone)),
    };
    Reason::fine("schedule", format!("{rule}, {when}"))
}

/// A time in the store's zone and in UTC.
fn in_both(at: DateTime<Utc>, zone: Tz) -> String {
    match zone {
        Tz::UTC => text::time(at),
        zone => format!("{} = {}", at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z"), text::time(at)),
    }
}

fn budget(facts: &Facts<'_>) -> Reason {
    let store = &facts.overview.store;
    let calls = store.calls_per_minute.unwrap_or(facts.config.budget.calls_per_minute);
    let calls = format!("at most {calls} calls a minute");
    match store.silent_until.filter(|until| *until > facts.now) {
        Some(until) => {
            let says = format!("{calls}, and none until {}: the store answered HTTP 429", text::time(until));
            Reason::wrong("budget", WAITS, says, None)
        }
        None => Reason::fine("budget", calls),
    }
}

/// The run that waits or is worked on.
fn run(facts: &Facts<'_>) -> Option<Reason> {
    let run = facts.overview.unfinished.as_ref()?;
    let (id, kind, name) = (run.id, run.kind, &facts.overview.store.name);
    let page = run.checkpoint.as_ref().map_or(0, |at| at.page);
    let at = format!("{} records seen, next page {page}, attempt {}", run.counts.seen, run.attempt);
    let said = run.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    Some(match run.state {
        RunState::Queued if run.scheduled_at > facts.now => {
            let until = text::time(run.scheduled_at);
            let (says, fix) = match run.error_class {
                Some(ErrorClass::RateLimited) => {
                    (format!("run {id} ({kind}) keeps silence until {until}, as the store asked{said}"), None)
                }
                Some(ErrorClass::Unauthorized) => {
                    (format!("run {id} ({kind}) asks again with the key at {until}{said}"), None)
                }
                class => {
                    let class = class.map_or(String::new(), |class| format!(" after an error ({class})"));
                    let says = format!("run {id} ({kind}) rests until {until}{class}{said}; {at}");
                    (says, Some(format!("netosync runs retry {id}")))
                }
            };
            Reason::wrong("run", WAITS, says, fix)
        }
        RunState::Queued => {
            let since = text::age(run.scheduled_at, facts.now);
            let says = format!("run {id} ({kind}) waits for a free slot since {since}; {at}");
            Reason::wrong("run", WAITS, says, Some(format!("netosync sync {name}")))
        }
        _ if run.cancel_requested_at.is_some() => {
            let says = format!("run {id} ({kind}) is cancelled; its worker has not confirmed yet that it has stopped");
            Reason::wrong("run", WAITS, says, None)
        }
        _ if worked_on(run, facts.now) => {
            let owner = run.lease_owner.as_deref().unwrap_or("a worker");
            let until = run.lease_expires_at.map_or(String::new(), |at| format!(" (lease until {})", text::time(at)));
            Reason::fine("run", format!("run {id} ({kind}) is being worked on by {owner}{until}; {at}"))
        }
        _ => {
            let owner = run.lease_owner.as_deref().unwrap_or("its worker");
            let until = text::time_if(run.lease_expires_at);
            let says = format!("run {id} ({kind}) has lost {owner}, whose lease ran out at {until}; {at}");
            Reason::wrong("run", WAITS, says, Some(format!("netosync sync {name}")))
        }
    })
}
