//! SIGHUP while the service runs: the configuration is read again and holds for every run that begins after that.
//! A configuration that cannot be used changes nothing.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tracing::{error, info, warn};

use super::app::App;
use super::exit::CliError;
use crate::config::{Changes, Config, Live};
use crate::connector::described::Registry;
use crate::sync::Syncer;
use crate::telemetry;
use crate::transport::{Settings, Transport};
use crate::worker::service;

/// What the runs to come begin with.
#[derive(Debug)]
pub struct Renewable {
    /// The configuration.
    pub live: Live,
    syncer: RwLock<Syncer>,
    file: Option<PathBuf>,
    log: telemetry::Filter,
}

impl Renewable {
    /// `syncer`, until the configuration is read again.
    pub fn new(app: &App, syncer: Syncer) -> Self {
        let live = Live::from(syncer.config.clone());
        Self { live, syncer: RwLock::new(syncer), file: app.config_file.clone(), log: app.log.clone() }
    }

    /// What a run that begins now works with, to its end.
    pub fn syncer(&self) -> Syncer {
        // It is only ever replaced as a whole.
        self.syncer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration again, and tells the log and systemd about it.
    pub fn reload(&self) {
        service::reloading();
        match self.renew() {
            Ok(Changes { applied, at_restart }) => {
                let changed = if applied.is_empty() { "nothing has changed".to_owned() } else { applied.join(", ") };
                info!("read the configuration again; for what begins from now on: {changed}");
                if !at_restart.is_empty() {
                    warn!("changed, but in use only after a restart: {}", at_restart.join(", "));
                }
            }
            Err(CliError { message, .. }) => error!("the configuration stays as it was: {message}"),
        }
        service::ready();
    }

    /// All or nothing: what can fail comes before the first change.
    fn renew(&self) -> Result<Changes, CliError> {
        let (config, changes) = self.live.get().renewed_by(&Config::load(self.file.as_deref())?)?;
        let (config, mut syncer) = (Arc::new(config), self.syncer());
        let settings = Settings::from(&*config);
        if settings != *syncer.transport.settings() {
            let transport = Transport::new(settings, syncer.clock.clone())?;
            syncer.transport = Arc::new(transport.counting(syncer.transport.metrics().clone()));
        }
        self.log.set(&config.log.filter)?;
        syncer.config = config.clone();
        syncer.connectors = Arc::new(Registry::load(config.connectors.dir.as_deref()));
        *self.syncer.write().unwrap_or_else(PoisonError::into_inner) = syncer;
        self.live.set(config);
        Ok(changes)
    }
}
