//! What every command starts from: configuration, clock, and from them the database, the keys and the syncer.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::info;

use super::exit::CliError;
use super::patience::patiently;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, DEFAULT_PATH};
use crate::connector::described::Registry;
use crate::domain::secret::Secret;
use crate::storage::master_key::{self, Places};
use crate::storage::vault::Vault;
use crate::storage::{Database, Engine, Manners, credentials, schema};
use crate::sync::{Patience, Progress, Syncer};
use crate::telemetry;
use crate::tokens::Tokens;
use crate::transport::{Settings, Transport};

/// The program's surroundings.
#[derive(Debug)]
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// The file it was read from, if there was one.
    pub config_file: Option<PathBuf>,
    /// Changes what is logged.
    pub log: telemetry::Filter,
    /// The time.
    pub clock: SharedClock,
    /// Name of this process in leases, unique among all that are alive.
    pub worker_name: String,
}

impl App {
    /// Loads the configuration and sets up the log.
    pub fn load(config: Option<&Path>) -> Result<Self, CliError> {
        let file = config.or_else(|| Some(Path::new(DEFAULT_PATH)).filter(|path| path.exists()));
        Ok(Self { config_file: file.map(Path::to_owned), ..Self::set_up(Config::load(file)?)? })
    }

    /// An app with a configuration of its own, for `demo`. Sets up the log.
    pub fn set_up(config: Config) -> Result<Self, CliError> {
        let log = telemetry::init(&config.log)?;
        let worker_name = format!("{}:{}:{:08x}", host(), std::process::id(), rand::random::<u32>());
        Ok(Self { config: Arc::new(config), config_file: None, log, clock: Arc::new(SystemClock), worker_name })
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Opens the database as it is.
    pub async fn database_as_it_is(&self) -> Result<Database, CliError> {
        let settings = &self.config.database;
        Ok(Database::connect(settings.url.secret(), &settings.schema, self.clock.clone()).await?)
    }

    /// Opens the database as it is, if it exists, and never makes its file.
    pub async fn database_if_it_exists(&self) -> Result<Option<Database>, CliError> {
        let settings = &self.config.database;
        // SQLite makes tables of a file without content, and a file of a name that has a folder.
        let to_be_made = settings.file().is_some_and(|file| match file.metadata() {
            Ok(found) => found.len() == 0,
            Err(error) if error.kind() != ErrorKind::NotFound => false,
            Err(_) => file.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir()),
        });
        let creates = settings.url.expose().contains("mode=rwc");
        if to_be_made && creates {
            return Ok(None);
        }
        let url = Secret::new(&settings.url.expose().replace("mode=rwc", "mode=rw"));
        Ok(Some(Database::connect(&url, &settings.schema, self.clock.clone()).await?))
    }

    /// Which database is configured.
    #[must_use]
    pub fn engine(&self) -> Engine {
        if self.config.database.url.expose().starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres }
    }

    /// The file of the configured SQLite database, for messages.
    #[must_use]
    pub fn database_file(&self) -> String {
        self.config.database.file().unwrap_or_default().display().to_string()
    }

    /// Opens the database, makes the tables if it is empty, and refuses one of another version.
    pub async fn database(&self) -> Result<Database, CliError> {
        self.database_with(&Manners::COMMAND).await
    }

    /// [`App::database`] with manners of one's own.
    pub async fn database_with(&self, manners: &Manners) -> Result<Database, CliError> {
        let settings = &self.config.database;
        let db = Database::connect_with(settings.url.secret(), &settings.schema, self.clock.clone(), manners).await?;
        patiently(manners.wait_for_room, async || Ok(schema::migrate_empty_or_check(&db).await?)).await?;
        Ok(db)
    }

    /// Opens the keys; with SQLite they are made when nothing is sealed yet.
    pub async fn vault(&self, db: &Database) -> Result<Vault, CliError> {
        let in_use = credentials::list_key_ids(db).await?;
        let found = master_key::find(&Places::of(&self.config), &in_use)?;
        if found.created {
            super::complain(&format!(
                "made the master key {}: it opens the stores' credentials, so keep it as safe as the database and back it up elsewhere",
                found.path.display()
            ));
        }
        Ok(Vault::of_file(found))
    }

    /// What gets tokens.
    #[must_use]
    pub fn tokens(&self, db: &Database, vault: Arc<Vault>, transport: Arc<Transport>) -> Tokens {
        let (config, connectors) = (self.config.clone(), self.connectors());
        let (clock, name) = (self.clock.clone(), self.worker_name.clone());
        Tokens { db: db.clone(), transport, vault, config, connectors, clock, name }
    }

    /// The described connectors.
    #[must_use]
    pub fn connectors(&self) -> Arc<Registry> {
        Arc::new(Registry::load(self.config.connectors.dir.as_deref()))
    }

    /// Everything a run needs.
    pub async fn syncer(&self, db: &Database, patience: Patience) -> Result<Syncer, CliError> {
        self.syncer_with(db, self.vault(db).await?, patience)
    }

    /// [`App::syncer`] with keys of its own.
    pub fn syncer_with(&self, db: &Database, vault: Vault, patience: Patience) -> Result<Syncer, CliError> {
        Ok(self.equipped(db, vault, patience, self.outfit()?))
    }

    /// What a run needs that the database has no part in.
    pub fn outfit(&self) -> Result<Outfit, CliError> {
        let transport = Transport::new(Settings::from(&*self.config), self.clock.clone())?;
        Ok(Outfit { transport, connectors: self.connectors() })
    }

    /// Everything a run needs, put together.
    pub fn equipped(&self, db: &Database, vault: Vault, patience: Patience, outfit: Outfit) -> Syncer {
        info!(worker.name = self.worker_name, database = db.target(), "ready");
        Syncer {
            db: db.clone(),
            transport: Arc::new(outfit.transport),
            vault: Arc::new(vault),
            config: self.config.clone(),
            clock: self.clock.clone(),
            owner: self.worker_name.clone(),
            patience,
            progress: Progress::default(),
            renews: true,
            connectors: outfit.connectors,
        }
    }
}

/// The way to the stores and the described connectors.
#[derive(Debug)]
pub struct Outfit {
    transport: Transport,
    connectors: Arc<Registry>,
}

/// Name of this machine.
pub fn host() -> String {
    hostname::get().map_or_else(|_| "localhost".into(), |name| name.to_string_lossy().into_owned())
}
