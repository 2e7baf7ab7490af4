//! The configuration: `config/default.toml` (embedded) < a file < the environment, checked to the last key.
//!
//! ```text
//! default.toml ─┐
//! file ─────────┼─► layers (flat keys, each with its origin) ─► rules (one a key) ─► Config ─► rules between keys
//! environment ──┘
//! ```
//! To add a key: put it, with its comment, into `config/default.toml`, its rule into `rules.rs`, its field into `tree.rs`.
//! A test fails when one of the three is missing. Values that hold secrets are [`SecretUrl`]: no error, log or
//! `Debug` output of this module shows them.

mod layers;
mod live;
mod rules;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use live::{Changes, Live};
pub use rules::check_cron;
pub use tree::{
    Auth, Budget, Config, Connectors, Credentials, Database, Fetch, Http, Import, Log, LogFormat, Notify, Oauth,
    Quarantine, Removal, Retention, Retry, Schedule, SecretUrl, Secrets, Transport, Worker,
};

/// Where the configuration is looked for when `--config` is not given.
pub const DEFAULT_PATH: &str = "/etc/netosync/config.toml";

/// The reference of all keys.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `config/default.toml`, embedded.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Env(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Why the configuration cannot be used: one line that names the key, the value, where it came from and the rule.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML. The offending text is not shown: it may be a password.
    #[error("{origin} is not valid TOML: {reason}")]
    Syntax {
        /// The file.
        origin: Origin,
        /// Place and kind of the mistake.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{field} (from {origin}) is not a setting; {known}")]
    Unknown {
        /// The key.
        field: String,
        /// Where it was given.
        origin: Origin,
        /// The settings there are.
        known: String,
    },
    /// A value against the rule of its key.
    #[error("{field} = {value} (from {origin}): {rule}")]
    Rule {
        /// The key.
        field: String,
        /// The value, or `[REDACTED]`.
        value: String,
        /// Where it was given.
        origin: Origin,
        /// The rule.
        rule: String,
    },
    /// The embedded reference does not fit the program; a test excludes it.
    #[error("the built-in configuration is broken at {field}: {source}")]
    BuiltIn {
        /// The key.
        field: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Config {
    /// Loads the configuration: the file at `path` must exist; without a `path`, [`DEFAULT_PATH`] may.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        let (path, required) = path.map_or((Path::new(DEFAULT_PATH), false), |path| (path, true));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound && !required => None,
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        Self::from_parts(text.as_deref().map(|text| (path, text)), &env)
    }

    /// The configuration out of a file's path and text and the variables of the environment. Pure.
    pub fn from_parts(file: Option<(&Path, &str)>, env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut leaves = layers::default_leaves()?;
        if let Some((path, text)) = file {
            leaves.extend(layers::file_leaves(path, text)?);
        }
        leaves.extend(layers::env_leaves(env)?);
        Self::of_leaves(leaves)
    }

    fn of_leaves(leaves: layers::Leaves) -> Result<Self, ConfigError> {
        let mut config: Self = serde_path_to_error::deserialize(layers::tree(&leaves))
            .map_err(|error| ConfigError::BuiltIn { field: error.path().to_string(), source: error.into_inner() })?;
        rules::between_keys(&config, &leaves)?;
        config.leaves = leaves;
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
