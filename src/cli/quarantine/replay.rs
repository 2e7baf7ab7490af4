//! `netosync quarantine replay`: normalises records again, and stores what can be read now.

use serde_json::{Value, json};

use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::connector::neto;
use crate::domain::store::Store;
use crate::storage::products::{self, Replay};
use crate::storage::quarantine::{self, Entry};
use crate::storage::{Database, stores};

/// Records read and written at once.
const PAGE: u64 = 200;

/// What became of the records.
#[derive(Default)]
struct Outcome {
    replayed: u64,
    superseded: u64,
    /// Number, store and reason of those that still cannot be read.
    bad: Vec<(i64, String, String)>,
}

/// Runs the command.
pub async fn run(db: &Database, store: Option<&str>, id: Option<i64>, json: bool) -> Result<Exit, CliError> {
    let mut outcome = Outcome::default();
    if let Some(id) = id {
        let (entry, raw) = super::find(db, id).await?;
        let of = stores::load_store(db, entry.store_id).await?;
        if store.is_some_and(|name| name != of.name) {
            return Err(CliError::new(Exit::Failed, format!("record {id} is of store {}", of.name)));
        }
        if let Some(at) = entry.replayed_at {
            return Err(CliError::new(Exit::Failed, format!("record {id} was replayed already, {}", text::time(at))));
        }
        replay(db, &of, vec![(entry, raw)], &mut outcome).await?;
    } else {
        let all = match store {
            Some(name) => vec![stores::find_store(db, name).await?],
            None => stores::list_stores(db).await?,
        };
        for store in all {
            let mut after = 0;
            loop {
                let page = quarantine::waiting(db, store.id, after, PAGE).await?;
                let Some((last, _)) = page.last() else { break };
                after = last.id;
                replay(db, &store, page, &mut outcome).await?;
            }
        }
    }
    Ok(report(&outcome, json))
}

/// Replays records of one store.
async fn replay(
    db: &Database,
    store: &Store,
    records: Vec<(Entry, String)>,
    outcome: &mut Outcome,
) -> Result<(), CliError> {
    if store.has_records() {
        // What it should have been hangs on the connector's file, and the next run reads all of it anyway.
        let why = "it is a record of a described connector: the next run reads it again";
        outcome.bad.extend(records.into_iter().map(|(entry, _)| (entry.id, store.name.clone(), why.to_owned())));
        return Ok(());
    }
    let mut good = Vec::with_capacity(records.len());
    for (entry, raw) in &records {
        // Whether the page had broken bytes is not kept with a record; one that shows the sign for them most likely had.
        match neto::normalize(raw, true) {
            Ok(product) => good.push(Replay { id: entry.id, met_at: entry.at, product }),
            Err(reject) => outcome.bad.push((entry.id, store.name.clone(), reject.reason)),
        }
    }
    if good.is_empty() {
        return Ok(());
    }
    let Some(done) = products::replay(db, store.id, good, db.clock().now()).await? else {
        let message =
            format!("store {0} is being synced; try again when that has ended (`netosync runs list {0}`)", store.name);
        return Err(CliError::new(Exit::Failed, message));
    };
    outcome.replayed += done.replayed;
    outcome.superseded += done.superseded;
    Ok(())
}

fn report(outcome: &Outcome, json: bool) -> Exit {
    let Outcome { replayed, superseded, bad } = outcome;
    if json {
        let bad = bad.iter().map(|(id, store, reason)| json!({"id": id, "store": store, "reason": reason}));
        let bad: Value = bad.collect();
        crate::cli::say(json!({"replayed": replayed, "superseded": superseded, "still_bad": bad}));
    } else {
        for (id, store, reason) in bad {
            crate::cli::say(format_args!("{id}  {store}  {}", text::one_line(reason)));
        }
        crate::cli::say(format_args!(
            "{replayed} replayed, {superseded} superseded by what is stored, {} still bad",
            bad.len()
        ));
    }
    if bad.is_empty() { Exit::Done } else { Exit::Partial }
}
