//! `netosync store check`: one call, and what it says about the key.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::json;
use tracing::info;

use crate::cli::app::App;
use crate::cli::caller::Caller;
use crate::cli::exit::{CliError, Exit};
use crate::connector::described::Position;
use crate::connector::neto;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;
use crate::domain::lifecycle::{Judgement, Then};
use crate::domain::store::{Credential, CredentialState, Scheme, Store};
use crate::storage::learnt::{self, Learnt};
use crate::storage::standings::Flag;
use crate::storage::{Database, credentials, standings, store_calls, stores};
use crate::sync::api::Api;
use crate::tokens;

/// Test a store's key with one call.
///
/// Ends with 0 when the key works, 5 when the store refuses it, 7 when the store cannot be reached. A key that works loses
/// its flag; one that is refused is flagged `suspect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  netosync store check main\n  netosync store check main --json | jq .ok")]
pub struct CheckArgs {
    /// Name of the store.
    name: String,
    /// Print a JSON object with ok, state and evidence.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &CheckArgs) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let store = stores::find_store(&db, &args.name).await?;
    let (finding, credential) = Finding::of(app, &db, &store).await?;
    if args.json {
        crate::cli::say(finding.object(app, &store, &credential));
    }
    match finding.answer {
        Ok(_) => {
            if !args.json {
                crate::cli::say(finding.good_news(&store, &credential));
            }
            Ok(Exit::Done)
        }
        Err(error) => Err(CliError::new(Exit::of_class(error.class), bad_news(app, &store, &credential, &error))),
    }
}

/// What the call showed.
struct Finding {
    answer: Result<Shown, RemoteError>,
    /// When the answer came.
    at: DateTime<Utc>,
    took: TimeDelta,
    calls: u64,
    /// State of the credential now.
    state: CredentialState,
    /// Whether a flag was taken away.
    restored: bool,
    /// The store's domain, when that is another than it was.
    domain: Option<String>,
}

impl Finding {
    /// Makes the call and records what it says about the key; with a new token first where the one in hand ends, and afterwards
    /// where it is refused. Gives the credential that was judged.
    async fn of(app: &App, db: &Database, store: &Store) -> Result<(Self, Credential), CliError> {
        let connectors = app.connectors();
        let most = connectors.get(&store.connector).ok().and_then(|description| description.calls_per_minute);
        let mut caller = Caller::new(app, db, store, most).await?;
        let begun = app.now();
        let api = Api::of(&connectors, store, &caller.credential);
        let answer = match api {
            Ok(api) => caller.make(async |caller| canary(api, store, caller).await).await?,
            Err(error) => Err(error),
        };
        let credential = &caller.credential;
        if caller.is_stopped() {
            return Err(CliError::new(Exit::Interrupted, "interrupted; nothing was recorded"));
        }
        if let Some(until) = caller.context.budget.silence() {
            store_calls::keep_silent(db, store.id, until).await?;
        }
        let at = app.now();
        let restored = match &answer {
            // A store whose key was given up has something to make up for: it is due now.
            Ok(_) => standings::credential_worked(db, store.id, &credential.fingerprint, Some(at), at).await?,
            Err(error) if error.class == ErrorClass::Unauthorized => {
                flag(db, credential, error, at).await?;
                false
            }
            Err(error) => {
                if error.class == ErrorClass::Transient {
                    standings::store_not_reached(db, store.id, &credential.fingerprint, at).await?;
                }
                false
            }
        };
        let domain = if answer.is_ok() { relearn(db, store, &caller).await? } else { None };
        let found = credentials::load_credential(db, store.id).await?;
        let state = found.map_or(credential.standing.state, |found| found.state);
        let finding =
            Self { answer, at, took: at - begun, calls: caller.context.calls_made(), state, restored, domain };
        Ok((finding, caller.credential))
    }

    /// The result for scripts.
    fn object(&self, app: &App, store: &Store, credential: &Credential) -> serde_json::Value {
        let error = self.answer.as_ref().err();
        let shown = self.answer.as_ref().ok();
        json!({
            "ok": self.answer.is_ok(),
            "store": store.name,
            "state": self.state,
            "evidence": {
                "at": self.at,
                "status": error.map_or(Some(200), |error| error.status),
                "message": error.map_or("the store answered", |error| error.message.as_str()),
                "fingerprint": credential.fingerprint,
            },
            "error_class": error.map(|error| error.class),
            "hint": error.map(|error| fix(app, store, credential, error)),
            "restored": self.restored,
            "domain": self.domain.as_ref().or(store.domain.as_ref()),
            "products_seen": shown.and_then(|shown| shown.products),
            "server_time": shown.and_then(|shown| shown.server_time.as_deref()),
            "calls": self.calls,
            "duration_ms": self.took.num_milliseconds(),
        })
    }

    fn good_news(&self, store: &Store, credential: &Credential) -> String {
        let name = &store.name;
        let mut news = vec![format!(
            "{name}: ok · the key {} works · answered in {} ms",
            short(&credential.fingerprint),
            self.took.num_milliseconds()
        )];
        if self.restored {
            let was = credential.standing.state;
            news.push(format!("it was {was} and counts as ok again: the store is synced as before"));
        }
        if self.answer.as_ref().is_ok_and(|shown| shown.products == Some(0)) {
            news.push(
                "the store shows no product: it has none, or the staff group of this key may not see them".to_owned(),
            );
        }
        if !credential.standing.worked {
            let what = if store.has_records() { "records" } else { "catalogue" };
            news.push(format!("next: `netosync sync {name}` fetches the {what}"));
        }
        news.join("\n")
    }
}

/// What a good answer shows besides.
struct Shown {
    /// Products on it, where it lists some.
    products: Option<usize>,
    /// The store's clock.
    server_time: Option<String>,
}

/// The smallest call there is, with the credential in hand.
async fn canary(api: Api<'_>, store: &Store, caller: &Caller<'_>) -> Result<Shown, RemoteError> {
    if let Api::Neto = api {
        let request = neto::canary(&store.url, &caller.credential);
        let decode = |answer: Answer| {
            let status = answer.status;
            neto::decode(answer.body, answer.lossy).map_err(|error| error.status(status))
        };
        let page = caller.send(&request, decode).await?;
        let products = page.records().len();
        return Ok(Shown { products: Some(products), server_time: page.current_time });
    }
    let mut place = Some(Position::start(None));
    while let Some(at) = place {
        let request = api.canary(store, &caller.credential, &at)?;
        place = caller.send(&request, |answer| api.heard(store, &at, answer)).await?;
    }
    Ok(Shown { products: None, server_time: None })
}

/// What the vendor says about a store of the shared host is learnt anew; its domain, when it is another than before. It changes
/// during a store's life, and is where the merchant reconnects (spec: Neto API §6.2).
async fn relearn(db: &Database, store: &Store, caller: &Caller<'_>) -> Result<Option<String>, CliError> {
    let credential = &caller.credential;
    let api_id = store.remote_id.as_ref().filter(|_| credential.scheme == Scheme::Bearer && !store.has_records());
    let Some(api_id) = api_id else { return Ok(None) };
    let properties = match caller.tokens.properties(api_id, &credential.secret).await {
        Ok(properties) => properties,
        Err(error) => {
            info!("the vendor says nothing about {}: {error}", store.name);
            return Ok(None);
        }
    };
    let learnt = Learnt { domain: properties.domain, timezone: properties.timezone, ..Learnt::default() };
    let after = learnt::learn(db, &store.name, learnt).await?;
    Ok(after.domain.filter(|domain| store.domain.as_ref() != Some(domain)))
}

/// Records the refusal. The calls of a run decide whether a suspect is revoked; this one, which a person may make as often as he
/// likes, only begins the doubt.
async fn flag(db: &Database, credential: &Credential, error: &RemoteError, at: DateTime<Utc>) -> Result<(), CliError> {
    let before = credential.standing;
    let state = match before.state {
        CredentialState::Revoked => CredentialState::Revoked,
        CredentialState::Ok | CredentialState::Suspect => CredentialState::Suspect,
    };
    let next_check_at = before.next_check_at.filter(|_| before.state != CredentialState::Ok);
    let after = Judgement { state, refusals: before.refusals.max(1), next_check_at, then: Then::End };
    let status = error.status.unwrap_or(200);
    let flag = Flag { before, after, said: &error.message, status, incident: &error.message };
    standings::flag_credential(db, credential.store_id, &credential.fingerprint, &flag, at).await?;
    Ok(())
}

/// What failed, why, and what to do next.
fn bad_news(app: &App, store: &Store, credential: &Credential, error: &RemoteError) -> String {
    let known = match error.class {
        ErrorClass::Unauthorized => "",
        _ => "; this says nothing about the key",
    };
    let fix = fix(app, store, credential, error);
    let fix = if fix.is_empty() { fix } else { format!("; {fix}") };
    format!("{}: {}{known}{fix}", store.name, error.message)
}

/// What to do about it.
fn fix(app: &App, store: &Store, credential: &Credential, error: &RemoteError) -> String {
    let name = &store.name;
    if error.class != ErrorClass::Unauthorized {
        return error.hint.clone().unwrap_or_default();
    }
    if tokens::by_consent(credential.scheme, credential.client_id.as_deref()) {
        return format!("the merchant must reconnect: {}", tokens::reconnect(&app.config, store));
    }
    let replace = format!("give a working one with `netosync store rekey {name}`");
    match (credential.scheme, &credential.username) {
        (Scheme::ApiKey, Some(username)) => format!(
            "{replace}; the key was sent with the user name {username}: it works for a key of that user only, and a store-wide key goes without (`netosync store rekey {name} --no-username`)"
        ),
        (Scheme::ApiKey, None) => format!(
            "{replace}; the key was sent without a user name: one made on a staff user needs it (`netosync store rekey {name} --username USER`)"
        ),
        (Scheme::Bearer, _) => format!("{replace}; access tokens expire, so it may need a new one"),
        _ => replace,
    }
}

/// The start of a fingerprint, enough for a person.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..8).unwrap_or(fingerprint)
}
