//! Stores and their keys out of the operator's own database (`[credentials.import]`).
//!
//! ```text
//! storage::foreign (one SELECT) ─► columns (by name) ─► row (one store, checked) ─► plan (against what is held; pure) ─► storage::imported
//! ```
//! The rows say what ought to be; [`run`] makes it so, and does nothing where it is so already: a second import of the same rows
//! writes nothing. A row that cannot be used changes nothing of its store, and the others go on. An import that cannot be trusted as
//! a whole (the database is away, a column is missing, no row came, too many stores would rest) changes nothing at all. Both are an
//! incident until they are over.
//!
//! To add a column: `columns::KNOWN`, its meaning in `row.rs`, its comparison in `plan.rs`, its name in `config/default.toml`.

mod columns;
mod error;
mod key;
mod plan;
mod report;
mod row;
pub mod task;

pub use error::ImportError;
pub use report::{Changed, Name, Paused, Refused, Report};

use self::columns::Columns;
use self::plan::{Guard, Held};
use self::row::Wanted;
use crate::config;
use crate::connector::described::Registry;
use crate::domain::incident::IncidentKind;
use crate::domain::store::Origin;
use crate::storage::foreign::{self, Question};
use crate::storage::imported::{self, Turn};
use crate::storage::incidents::{self, Subject};
use crate::storage::vault::{Vault, VaultError};
use crate::storage::{Database, StorageError, credentials, stores};

/// What an import goes by.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Where it reads.
    pub settings: &'a config::Import,
    /// The described connectors.
    pub connectors: &'a Registry,
    /// Whether stores may be on this machine, and without https.
    pub allow_loopback: bool,
    /// A person has approved that any number of stores rest.
    pub approved: bool,
    /// Only say what it would do.
    pub dry: bool,
}

/// Imports once, and keeps the incident about it. Not told with [`Terms::dry`].
///
/// # Errors
/// [`ImportError`]; then nothing has changed, except where our own database or key failed half way: the next import goes on.
pub async fn run(db: &Database, vault: &Vault, terms: Terms<'_>) -> Result<Report, ImportError> {
    let Some(turn) = Turn::take(db).await? else { return Err(ImportError::Busy) };
    let outcome = import(db, vault, terms).await;
    let told = if terms.dry { Ok(()) } else { tell(db, &outcome).await };
    turn.give_back().await;
    told?;
    outcome
}

/// How many rows the other database yields now, and whether each could be used. For `netosync check`; writes nothing.
///
/// # Errors
/// Those of the reading.
pub async fn look(terms: Terms<'_>) -> Result<(usize, Vec<Refused>), ImportError> {
    let (wanted, refused) = read(terms).await?;
    Ok((wanted.len() + refused.len(), refused))
}

async fn read(terms: Terms<'_>) -> Result<(Vec<Wanted>, Vec<Refused>), ImportError> {
    let settings = terms.settings;
    let url = settings.url.as_ref().ok_or(ImportError::Off)?;
    let question = Question { url: url.secret(), query: &settings.query, timeout: settings.timeout() };
    let answer = foreign::read(question).await?;
    let columns = Columns::of(&answer.columns)?;
    Ok(row::read_all(&columns, &answer.rows, terms.connectors, terms.allow_loopback))
}

async fn import(db: &Database, vault: &Vault, terms: Terms<'_>) -> Result<Report, ImportError> {
    let (wanted, refused) = read(terms).await?;
    let (held, manual) = held(db, vault).await?;
    let guard = Guard { max_share: terms.settings.max_share, approved: terms.approved };
    let plan = plan::plan(wanted, refused, &held, &manual, guard, db.clock().now())?;
    let mut report = plan.report;
    if terms.dry {
        report.dry_run = true;
        return Ok(report);
    }
    for step in plan.steps {
        let name = step.name().to_owned();
        let done = imported::apply(db, vault, step.as_step(&held), step.key.clone(), &step.pause);
        match done.await {
            Ok(true) => {}
            Ok(false) => report.refuse(&name, "it was changed or removed at this moment; the next import looks again"),
            Err(VaultError::Storage(StorageError::StoreExists { .. })) => {
                report.refuse(&name, "a store of that name was added at this moment; the next import looks again");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(report)
}

/// The stores that an import has brought, with their keys opened; and the names of all others.
async fn held(db: &Database, vault: &Vault) -> Result<(Vec<Held>, Vec<String>), StorageError> {
    let (imported, manual): (Vec<_>, Vec<_>) =
        stores::list_stores(db).await?.into_iter().partition(|store| store.origin == Origin::Import);
    let mut keys: std::collections::HashMap<_, _> =
        credentials::list_credentials(db).await?.into_iter().map(|found| (found.store_id, found)).collect();
    let held = imported
        .into_iter()
        .map(|store| {
            // One that does not open is put anew.
            let key = keys.remove(&store.id).and_then(|found| vault.opened(found).ok());
            Held { store, key }
        })
        .collect();
    Ok((held, manual.into_iter().map(|store| store.name).collect()))
}

/// Opens, keeps or closes the incident.
async fn tell(db: &Database, outcome: &Result<Report, ImportError>) -> Result<(), StorageError> {
    let now = db.clock().now();
    let sentence = match outcome {
        Ok(report) => report.refusals(),
        // These say nothing about the rows.
        Err(ImportError::Storage(_) | ImportError::Busy | ImportError::Off) => return Ok(()),
        Err(error) => Some(format!("the import of credentials changes nothing: {error}")),
    };
    match sentence {
        Some(sentence) => {
            incidents::begin(db, IncidentKind::ImportFailed, Subject::Import, &sentence, now).await.map(drop)
        }
        None => incidents::end(db, IncidentKind::ImportFailed, Subject::Import, now).await.map(drop),
    }
}
