//! What `why` goes by: everything the database knows about a store.

use chrono::{DateTime, Utc};

use crate::cli::app::App;
use crate::cli::exit::CliError;
use crate::cli::next_run::next_run;
use crate::config::Config;
use crate::domain::incident::Incident;
use crate::domain::run::RunKind;
use crate::scheduler::plan::Plan;
use crate::storage::instances::{self, Instance};
use crate::storage::overview::{self, Overview};
use crate::storage::schedule::{self, Row};
use crate::storage::{Database, incidents};

/// See the module.
pub struct Facts<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The time.
    pub now: DateTime<Utc>,
    /// The store with its credential and runs.
    pub overview: Overview,
    /// The store as the scheduler sees it.
    pub row: Row,
    /// When it is synced next by itself.
    pub next: Option<(RunKind, DateTime<Utc>)>,
    /// The daemons, those that were not seen lately included.
    pub instances: Vec<Instance>,
    /// What is wrong with the store or with its vendor.
    pub incidents: Vec<Incident>,
}

impl<'a> Facts<'a> {
    /// Reads them.
    pub async fn read(app: &'a App, db: &Database, name: &str) -> Result<Self, CliError> {
        let overview = overview::of_store(db, name).await?;
        let row = schedule::row(db, overview.store.clone()).await?;
        let (config, now) = (&*app.config, app.now());
        let next = next_run(&mut Plan::default(), &config.schedule, &row, overview.unfinished.as_ref(), now);
        let instances = instances::list(db).await?;
        let incidents = incidents::open(db, Some(&overview.store)).await?;
        Ok(Self { config, now, overview, row, next, instances, incidents })
    }
}
