//! `netosync check`: what is wrong with this installation, and what to do about it. Reads only: it makes no file, no
//! table and no call to a store, so the service runs it before every start.

mod around;

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use super::app::App;
use super::db;
use super::exit::{CliError, Exit};
use crate::import;
use crate::storage::credentials::{self, SealedCredential};
use crate::storage::master_key::{self, KeyError, Places};
use crate::storage::vault::Vault;
use crate::storage::{Database, schema};

/// Check configuration, database, tables, master key and, where there are any, pages, unit and webhook.
///
/// Changes nothing. A fresh machine is fine: what `netosync run` makes by itself may be missing. Ends with 0, 3 (configuration
/// or key) or 4 (database).
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A JSON array on stdout.
    #[arg(long)]
    json: bool,
}

/// What one look showed.
struct Finding {
    subject: &'static str,
    result: Result<String, CliError>,
    /// It works, and a person should know all the same.
    note: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &CheckArgs) -> Result<Exit, CliError> {
    let findings = look(app).await;
    if args.json {
        super::say(findings.iter().map(Finding::json).collect::<Value>());
    } else {
        for Finding { subject, result, note } in &findings {
            match result {
                Ok(detail) if *note => super::say(format_args!("note     {subject}: {detail}")),
                Ok(detail) => super::say(format_args!("ok       {subject}: {detail}")),
                Err(problem) => super::say(format_args!("problem  {subject}: {}", problem.message)),
            }
        }
    }
    Ok(Exit::gravest(findings.iter().filter_map(|finding| Some(finding.result.as_ref().err()?.exit))))
}

impl Finding {
    fn new(subject: &'static str, result: Result<String, CliError>) -> Self {
        Self { subject, result, note: false }
    }

    fn note(subject: &'static str, detail: String) -> Self {
        Self { subject, result: Ok(detail), note: true }
    }

    fn json(&self) -> Value {
        match &self.result {
            Ok(detail) => json!({ "check": self.subject, "ok": true, "detail": detail }),
            Err(problem) => json!({ "check": self.subject, "ok": false, "detail": problem.message }),
        }
    }
}

/// Looks at everything; what cannot be looked at, because what it needs has a problem, is left out.
async fn look(app: &App) -> Vec<Finding> {
    // Whoever is here has loaded it; a broken one has ended the command before.
    let mut findings = vec![Finding::new("configuration", Ok("every setting is valid".to_owned()))];
    findings.extend(around::look(&app.config));
    let mut add = |subject, result| findings.push(Finding::new(subject, result));
    let db = match app.database_if_it_exists().await {
        Ok(Some(db)) => {
            add("database", Ok(format!("{} at {} answers", db.engine().title(), db.target())));
            Some(db)
        }
        Ok(None) => {
            add("database", Ok(format!("{} does not exist yet and will be made", app.database_file())));
            None
        }
        Err(problem) => {
            add("database", Err(problem));
            findings.push(key(app, &[]));
            return findings;
        }
    };
    let mut sealed = Vec::new();
    if let Some(db) = &db {
        let (tables, usable) = tables(db).await;
        add("tables", tables);
        if usable {
            match credentials::list_credentials(db).await {
                Ok(found) => sealed = found,
                Err(problem) => add("credentials", Err(problem.into())),
            }
        }
        db.close().await;
    }
    findings.push(key(app, &sealed));
    findings.extend(import(app).await);
    findings
}

/// What the import would read now. It is no reason not to start: what was imported before goes on.
async fn import(app: &App) -> Option<Finding> {
    const SUBJECT: &str = "credentials.import";
    let settings = &app.config.credentials.import;
    let url = settings.url.as_ref()?;
    let (connectors, allow_loopback) = (&app.connectors(), app.config.transport.allow_loopback);
    let terms = import::Terms { settings, connectors, allow_loopback, approved: false, dry: true };
    Some(match import::look(terms).await {
        Ok((rows, refused)) if refused.is_empty() => Finding::new(SUBJECT, Ok(format!("{url} yields {rows} stores"))),
        Ok((rows, refused)) => {
            let refused: Vec<_> = refused.iter().take(10).map(ToString::to_string).collect();
            Finding::note(SUBJECT, format!("{url} yields {rows} rows, and not all can be used: {}", refused.join(", ")))
        }
        Err(error) => Finding::note(SUBJECT, format!("nothing is imported: {error}")),
    })
}

/// What is to be said about the tables, and whether they can be read.
async fn tables(db: &Database) -> (Result<String, CliError>, bool) {
    let status = match schema::status(db).await {
        Ok(status) => status,
        Err(problem) => return (Err(problem.into()), false),
    };
    let usable = !status.is_empty() && status.pending.is_empty() && status.unknown.is_empty();
    let verdict = db::verdict(&status);
    (verdict.map(|next| format!("{} migrations applied, {next}", status.applied.len())).map_err(Into::into), usable)
}

/// What is to be said about the master key.
fn key(app: &App, sealed: &[SealedCredential]) -> Finding {
    const SUBJECT: &str = "master key";
    match opens(app, sealed) {
        Ok((detail, None)) => Finding::new(SUBJECT, Ok(detail)),
        Ok((detail, Some(left))) => Finding::note(SUBJECT, format!("{detail}; {left}")),
        Err(problem) => Finding::new(SUBJECT, Err(problem)),
    }
}

/// Whether the master key is there, or will be made, and opens what is sealed; and what is left of a rotation.
fn opens(app: &App, sealed: &[SealedCredential]) -> Result<(String, Option<String>), CliError> {
    let places = Places::of(&app.config);
    let in_use: BTreeSet<_> = sealed.iter().map(|credential| credential.sealed.key_id.clone()).collect();
    let Some(found) = master_key::find_existing(&places)? else {
        let path = places.beside_database().ok_or(KeyError::Nowhere)?;
        if in_use.is_empty() {
            return Ok((format!("{} does not exist yet and will be made when it is needed", path.display()), None));
        }
        return Err(KeyError::Lost { path, key_ids: in_use.into_iter().collect() }.into());
    };
    let left = rotation_left(&found.crypter.key_ids(), sealed);
    let vault = Vault::new(found.crypter);
    let closed: Vec<_> = sealed.iter().filter_map(|one| Some((one.store_id, vault.try_open(one).err()?))).collect();
    match closed.first() {
        None if sealed.is_empty() => Ok((format!("{} is there; nothing is sealed yet", found.path.display()), left)),
        None => Ok((format!("{} opens all {} stored credentials", found.path.display(), sealed.len()), left)),
        Some((store_id, error)) => {
            let message = format!(
                "{} does not open {} of {} stored credentials; that of store number {store_id}: {error}",
                found.path.display(),
                closed.len(),
                sealed.len()
            );
            Err(CliError::new(Exit::Configuration, message))
        }
    }
}

/// What is left to do of a rotation of the master key.
fn rotation_left(keys: &[String], sealed: &[SealedCredential]) -> Option<String> {
    let (first, others) = keys.split_first()?;
    let old = sealed.iter().filter(|one| one.sealed.key_id != *first).count();
    match (old, others) {
        (0, []) => None,
        (0, others) => Some(format!(
            "nothing is sealed with the old key ({}) any more: `netosync keys rotate --forget-old` takes it out of the file",
            others.join(", ")
        )),
        (old, _) => Some(format!(
            "a rotation is not finished, {old} are sealed with an old key: `netosync keys rotate` goes on"
        )),
    }
}
