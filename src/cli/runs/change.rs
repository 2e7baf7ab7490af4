//! `netosync runs cancel` and `netosync runs retry`.

use std::time::Duration;

use super::find;
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::domain::run::{RunState, Trigger};
use crate::storage::runs::{self, Cancelled};
use crate::storage::{Database, stores};

/// How often it is looked whether a cancelled run's worker has stopped.
const LOOK: Duration = Duration::from_millis(250);

/// Cancels a run and waits until nobody works on it any more.
pub async fn cancel(app: &App, db: &Database, id: i64) -> Result<Exit, CliError> {
    let run = find(db, id).await?;
    let mut asked = false;
    loop {
        match runs::cancel(db, id, "cancelled by the operator", app.now()).await? {
            Cancelled::AtOnce => break,
            Cancelled::Asked { until } => {
                if !std::mem::replace(&mut asked, true) {
                    let worker = run.lease_owner.as_deref().unwrap_or("its worker");
                    crate::cli::complain(&format!("run {id} is cancelled; waiting until {worker} has stopped"));
                }
                while app.now() < until && find(db, id).await?.state == RunState::Running {
                    tokio::time::sleep(LOOK).await;
                }
            }
            Cancelled::No if asked => break,
            Cancelled::No => {
                let message = format!("run {id} is over already: {}", find(db, id).await?.state);
                return Err(CliError::new(Exit::Failed, message));
            }
        }
    }
    crate::cli::say(format_args!("cancelled run {id}"));
    Ok(Exit::Done)
}

/// Queues a run for the store of one that has ended badly, or makes one that rests due.
pub async fn retry(app: &App, db: &Database, id: i64) -> Result<Exit, CliError> {
    let run = find(db, id).await?;
    let refuse = |message: String| Err(CliError::new(Exit::Failed, message));
    let store = stores::load_store(db, run.store_id).await?.name;
    let waiting = match run.state {
        RunState::Running => return refuse(format!("run {id} is being worked on; `netosync sync {store}` follows it")),
        RunState::Succeeded => {
            return refuse(format!("run {id} succeeded; `netosync sync {store}` starts another"));
        }
        RunState::Failed | RunState::Cancelled => {
            let (next, inserted) = match &run.audit_request {
                Some(request) => runs::enqueue_audit(db, run.store_id, request, app.now()).await?,
                None => runs::enqueue(db, run.store_id, run.kind, Trigger::Manual, app.now()).await?,
            };
            if inserted {
                crate::cli::say(format_args!("queued run {} of store {store}", next.id));
                return Ok(Exit::Done);
            }
            next
        }
        RunState::Queued => run,
    };
    if runs::hurry(db, waiting.id, app.now()).await? {
        crate::cli::say(format_args!("run {} of store {store} is due now", waiting.id));
        return Ok(Exit::Done);
    }
    let waiting = find(db, waiting.id).await?;
    match waiting.state {
        RunState::Queued if waiting.scheduled_at > app.now() => refuse(format!(
            "run {} of store {store} has to wait until {}: {}",
            waiting.id,
            text::time(waiting.scheduled_at),
            waiting.error.as_deref().unwrap_or("the store asked for it")
        )),
        state => {
            crate::cli::say(format_args!("run {} of store {store} is {state} already", waiting.id));
            Ok(Exit::Done)
        }
    }
}
