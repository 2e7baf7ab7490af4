//! The import as a loop of the service: at the start, then every `credentials.import.interval_secs`, and at once when the
//! configuration was read again with another address or query.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

use super::{ImportError, Terms};
use crate::clock::SharedClock;
use crate::config::{Config, Live, SecretUrl};
use crate::connector::described::Registry;
use crate::domain::incident::IncidentKind;
use crate::storage::incidents::{self, Subject};
use crate::storage::vault::Vault;
use crate::storage::{Database, StorageError};

/// Imports by itself.
#[derive(Debug)]
pub struct Importing {
    db: Database,
    vault: Arc<Vault>,
    config: Live,
    clock: SharedClock,
    /// What the last import went by, and when the next is due.
    last: Option<(Arc<Config>, DateTime<Utc>)>,
}

impl Importing {
    /// Into a database, by the configuration of the moment.
    #[must_use]
    pub fn new(db: Database, vault: Arc<Vault>, config: Live, clock: SharedClock) -> Self {
        Self { db, vault, config, clock, last: None }
    }

    /// Looks every so often whether an import is due, for ever.
    pub async fn serve(mut self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tick().await;
        }
    }

    /// Imports when it is due. That it fails is told as an incident; what our own database says is said by whoever works.
    pub async fn tick(&mut self) {
        let (config, now) = (self.config.get(), self.clock.now());
        let settings = &config.credentials.import;
        if self.last.as_ref().is_some_and(|(before, next)| now < *next && is_same(before, &config)) {
            return;
        }
        self.last = Some((config.clone(), now + settings.interval()));
        if settings.url.is_none() {
            // Switched off: what was wrong with it is over.
            log_storage(incidents::end(&self.db, IncidentKind::ImportFailed, Subject::Import, now).await.map(drop));
            return;
        }
        // As its files are now, like those of the runs that begin now.
        let connectors = &Registry::load(config.connectors.dir.as_deref());
        let allow_loopback = config.transport.allow_loopback;
        let terms = Terms { settings, connectors, allow_loopback, approved: false, dry: false };
        match super::run(&self.db, &self.vault, terms).await {
            Ok(report) => {
                if let Some(changes) = report.changes() {
                    info!("the import of credentials {changes}");
                }
            }
            Err(ImportError::Storage(error)) => log_storage(Err(error)),
            Err(ImportError::Busy) => debug!("another instance imports right now"),
            Err(error) => debug!("the import of credentials changes nothing: {error}"),
        }
    }
}

/// Whether two configurations import the same.
fn is_same(one: &Config, other: &Config) -> bool {
    let [one, other] = [one, other].map(|config| {
        let import = &config.credentials.import;
        (import.url.as_ref().map(SecretUrl::expose), import.query.expose(), import.interval_secs, import.max_share)
    });
    one == other
}

fn log_storage(result: Result<(), StorageError>) {
    if let Err(error) = result {
        warn!("the import of credentials is tried again: {error}");
    }
}
