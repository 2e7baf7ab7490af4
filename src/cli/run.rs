//! `netosync run`: the service. Queues what is due, works on the queue, stops in order.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::app::App;
use super::exit::{CliError, Exit};
use crate::notify::Notifier;
use crate::scheduler::{Scheduler, Ticks};
use crate::storage::vault::Vault;
use crate::storage::{Database, Manners, credentials, runs, stores};
use crate::sync::Patience;
use crate::worker::{Until, Worker, service};

/// Sync every store by its schedule, until stopped.
///
/// Ctrl-C or SIGTERM stops after the page under way, within 10 seconds; the runs go on at the next start. A second one
/// leaves at once. As a service: systemd/netosync.service.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Queue what is due, work until nothing in the queue is due any more, and end with the gravest outcome.
    #[arg(long)]
    once: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &RunArgs) -> Result<Exit, CliError> {
    let stop = CancellationToken::new();
    let _signals = super::signals::stop_on_signal(stop.clone());
    let db = app.database_with(&Manners::SERVICE).await?;
    let syncer = app.syncer(&db, Patience::Daemon).await?;
    refuse_wrong_key(&db, &syncer.vault).await?;
    let schedule = &app.config.schedule;
    let mut scheduler = Scheduler::new(db.clone(), app.config.clone(), app.clock.clone());
    let mut ticks = Ticks::start(Duration::from_secs(schedule.tick_secs.into()))
        .await
        .map_err(|error| CliError::new(Exit::Failed, format!("the clock of the schedule does not start: {error}")))?;
    let notifier = Notifier::new(db.clone(), app.config.clone(), app.clock.clone())
        .map_err(|error| CliError::new(Exit::Failed, error.to_string()))?;
    let notifier = Arc::new(notifier);
    let every = Duration::from_secs(schedule.tick_secs.into());
    let watching = notifier.clone();
    let watching = AbortOnDropHandle::new(tokio::spawn(async move { watching.serve(every).await }));
    service::ready();
    info!(
        "serving {} stores with {} slots; the schedule is looked at every {} seconds",
        stores::list_stores(&db).await?.len(),
        app.config.worker.slots,
        schedule.tick_secs
    );
    let until = if args.once { Until::Idle } else { Until::Stopped };
    let worker = Worker {
        db: db.clone(),
        config: syncer.config.clone(),
        clock: syncer.clock.clone(),
        owner: syncer.owner.clone(),
        host: super::app::host(),
        work: |run, lease| {
            let (syncer, stop) = (syncer.clone(), stop.clone());
            async move { syncer.execute(run, lease, &stop).await }
        },
    };
    let worked = worker.serve(&mut scheduler, &mut ticks, until, &stop).await;
    ticks.stop().await;
    drop(watching);
    let worked = worked?;
    if until == Until::Idle && !stop.is_cancelled() {
        // What this run has brought to light is told before it ends.
        notifier.tick().await?;
    }
    let exit = match until {
        Until::Stopped => Exit::Done,
        Until::Idle if stop.is_cancelled() => Exit::Interrupted,
        Until::Idle => outcome(&db, &worked).await?,
    };
    db.close().await;
    info!("stopped");
    Ok(exit)
}

/// The wrong master key opens nothing, so nothing would work; one credential that does not open holds up its store only.
async fn refuse_wrong_key(db: &Database, vault: &Vault) -> Result<(), CliError> {
    let sealed = credentials::list_credentials(db).await?;
    let closed: Vec<_> = sealed.iter().filter_map(|one| Some((one.store_id, vault.try_open(one).err()?))).collect();
    if let Some((_, error)) = closed.first().filter(|_| closed.len() == sealed.len()) {
        let message = format!("the master key opens none of the {} stored credentials: {error}", sealed.len());
        return Err(CliError::new(Exit::Configuration, message));
    }
    for (store_id, error) in closed {
        warn!(store.id = store_id, "the credential of store number {store_id} does not open: {error}");
    }
    Ok(())
}

/// The exit code of the runs that were worked on. One that waits for its next attempt could not reach its store.
async fn outcome(db: &Database, worked: &[i64]) -> Result<Exit, CliError> {
    let mut exits = Vec::with_capacity(worked.len());
    for run_id in worked {
        if let Some(run) = runs::get(db, *run_id).await? {
            exits.push(if run.state.unfinished() { Exit::Unavailable } else { Exit::of_run(&run) });
        }
    }
    info!("nothing is due any more; {} runs were worked on", worked.len());
    Ok(Exit::gravest(exits))
}
