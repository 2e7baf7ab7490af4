//! `netosync run`: the service. Queues what is due, works on the queue, stops in order.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::app::App;
use super::exit::{CliError, Exit};
use super::reload::Renewable;
use super::signals;
use crate::http::{self, Pages, serve};
use crate::import::task::Importing;
use crate::notify::Notifier;
use crate::scheduler::{Scheduler, Ticks};
use crate::storage::vault::Vault;
use crate::storage::{Database, Manners, StorageError, credentials, runs, stores};
use crate::sync::Patience;
use crate::worker::watchdog::Watchdog;
use crate::worker::{Until, Worker, service};

/// Sync every store by its schedule, until stopped.
///
/// Ctrl-C or SIGTERM stops after the page under way, within 10 seconds; the runs go on at the next start. A second one
/// leaves at once. SIGHUP reads the configuration again, for the runs that begin after it. As a service:
/// systemd/netosync.service.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Queue what is due, work until nothing in the queue is due any more, and end with the gravest outcome.
    #[arg(long)]
    once: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &RunArgs) -> Result<Exit, CliError> {
    let stop = CancellationToken::new();
    let _signals = signals::stop_on_signal(stop.clone());
    // Reading the root certificates takes about as long as opening a database, which is not this thread's work.
    let (db, outfit) = tokio::join!(app.database_with(&Manners::SERVICE), async { app.outfit() });
    let (db, outfit) = (db?, outfit?);
    let vault = app.vault(&db).await?;
    refuse_wrong_key(&db, &vault).await?;
    let syncer = app.equipped(&db, vault, Patience::Daemon, outfit);
    let until = if args.once { Until::Idle } else { Until::Stopped };
    let listener = match app.config.http.listen {
        Some(address) if until == Until::Stopped => Some(serve::listen(address).await?),
        _ => None,
    };
    let renewable = Arc::new(Renewable::new(app, syncer.clone()));
    let _reloads = match until {
        Until::Stopped => {
            let renewable = renewable.clone();
            Some(signals::reload_on_signal(stop.clone(), move || renewable.reload())?)
        }
        Until::Idle => None,
    };
    let schedule = &app.config.schedule;
    let mut scheduler = Scheduler::new(db.clone(), renewable.live.clone(), app.clock.clone());
    let every = Duration::from_secs(schedule.tick_secs.into());
    let mut ticks = Ticks::start(every)
        .await
        .map_err(|error| CliError::new(Exit::Failed, format!("the clock of the schedule does not start: {error}")))?;
    let metrics = syncer.transport.metrics().clone();
    let watchdog = Watchdog {
        db: db.clone(),
        config: renewable.live.clone(),
        freshness: Arc::default(),
        progress: syncer.progress.clone(),
    };
    let freshness = watchdog.freshness.clone();
    let pages = Pages {
        db: db.clone(),
        config: renewable.live.clone(),
        clock: app.clock.clone(),
        metrics: metrics.clone(),
        watchdog: watchdog.clone(),
        tokens: syncer.tokens(),
        stop: stop.clone(),
    };
    let _pages = listener.map(|listener| show(listener, pages));
    let notifier = Notifier::new(db.clone(), renewable.live.clone(), app.clock.clone())
        .map_err(|error| CliError::new(Exit::Failed, error.to_string()))?;
    let notifier = Arc::new(notifier);
    let notifying = notifier.clone();
    let notifying = AbortOnDropHandle::new(tokio::spawn(async move { notifying.serve(every).await }));
    let mut importing = Importing::new(db.clone(), syncer.vault.clone(), renewable.live.clone(), app.clock.clone());
    let _importing = match until {
        Until::Stopped => Some(AbortOnDropHandle::new(tokio::spawn(importing.serve(every)))),
        Until::Idle => {
            importing.tick().await;
            None
        }
    };
    service::ready();
    let _watching = (until == Until::Stopped).then(|| AbortOnDropHandle::new(tokio::spawn(watchdog.watch())));
    info!(
        "serving {} stores with {} slots; the schedule is looked at every {} seconds",
        stores::count(&db).await?,
        app.config.worker.slots,
        schedule.tick_secs
    );
    let (all, vault) = (db.clone(), syncer.vault.clone());
    let looking = AbortOnDropHandle::new(tokio::spawn(async move { warn_of_closed(&all, &vault).await }));
    let worker = Worker {
        db: db.clone(),
        config: renewable.live.clone(),
        clock: syncer.clock.clone(),
        owner: syncer.owner.clone(),
        host: super::app::host(),
        freshness,
        metrics,
        work: |run, lease| {
            let (syncer, stop) = (renewable.syncer(), stop.clone());
            async move { syncer.execute(run, lease, &stop).await }
        },
    };
    let worked = worker.serve(&mut scheduler, &mut ticks, until, &stop).await;
    ticks.stop().await;
    drop(notifying);
    let worked = worked?;
    if until == Until::Idle && !stop.is_cancelled() {
        looking.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))?;
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

/// Serves the pages until dropped.
fn show(listener: TcpListener, pages: Pages) -> AbortOnDropHandle<()> {
    match listener.local_addr() {
        Ok(address) if http::is_public(&address) => warn!(
            "/healthz, /readyz and /metrics are on http://{address}; whoever reaches it can read the names of your stores: \
             http.listen = \"127.0.0.1:{}\" keeps it to this machine",
            address.port()
        ),
        Ok(address) => info!("/healthz, /readyz and /metrics are on http://{address}"),
        Err(error) => warn!("the address of the pages is not known: {error}"),
    }
    AbortOnDropHandle::new(tokio::spawn(serve::serve(listener, http::router(pages))))
}

/// How many credentials are read at a time.
const SOME: u64 = 100;

/// The wrong master key opens nothing, so nothing would work. Looks no further than to the first credential that opens.
async fn refuse_wrong_key(db: &Database, vault: &Vault) -> Result<(), CliError> {
    let (mut after, mut closed, mut why) = (None, 0, None);
    loop {
        let some = credentials::list_after(db, after, SOME).await?;
        for one in &some {
            match vault.try_open(one) {
                Ok(()) => return Ok(()),
                Err(error) => why = why.or(Some(error)),
            }
        }
        let Some(last) = some.last() else { break };
        closed += some.len();
        after = Some(last.store_id);
    }
    let Some(error) = why else { return Ok(()) };
    let message = format!("the master key opens none of the {closed} stored credentials: {error}");
    Err(CliError::new(Exit::Configuration, message))
}

/// One credential that does not open holds up its store only.
async fn warn_of_closed(db: &Database, vault: &Vault) -> Result<(), StorageError> {
    let mut after = None;
    loop {
        let some = credentials::list_after(db, after, SOME).await?;
        for one in &some {
            let store_id = one.store_id;
            if let Err(error) = vault.try_open(one) {
                warn!(store.id = store_id, "the credential of store number {store_id} does not open: {error}");
            }
        }
        let Some(last) = some.last() else { return Ok(()) };
        after = Some(last.store_id);
    }
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
