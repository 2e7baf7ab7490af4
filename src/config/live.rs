//! The configuration of a process that outlives its file: what was read again takes effect for whatever begins after
//! that. Whoever holds a configuration keeps it; a run under way ends by the rules it began with.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Config, ConfigError};

/// Keys, or whole sections, that are read once, at the start: connections, keys and sockets hang on them.
const AT_START: &[&str] =
    &["database.", "secrets.", "schedule.tick_secs", "log.format", "http.", "transport.", "notify.webhook_url"];

/// The configuration as it is now. Clones show the same one.
#[derive(Clone, Debug)]
pub struct Live(Arc<RwLock<Arc<Config>>>);

/// What another configuration changes, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Takes effect for whatever begins from now on.
    pub applied: Vec<String>,
    /// Stays as it is until the process is started again.
    pub at_restart: Vec<String>,
}

impl Live {
    /// The configuration of now. Take it once for each thing that has to be of one piece, a run for example.
    #[must_use]
    pub fn get(&self) -> Arc<Config> {
        // Whoever panicked while he held it was replacing one whole configuration by another.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another in its place.
    pub fn set(&self, config: Arc<Config>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

impl From<Arc<Config>> for Live {
    fn from(config: Arc<Config>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }
}

impl Config {
    /// This configuration with everything of `new` that may change while the process lives.
    ///
    /// # Errors
    /// [`ConfigError::Rule`], should the two not fit together.
    pub fn renewed_by(&self, new: &Self) -> Result<(Self, Changes), ConfigError> {
        let (mut leaves, mut changes) = (new.leaves.clone(), Changes::default());
        for (key, leaf) in &mut leaves {
            let Some(old) = self.leaves.get(key).filter(|old| old.value != leaf.value) else { continue };
            if AT_START.iter().any(|fixed| key == fixed || fixed.ends_with('.') && key.starts_with(fixed)) {
                *leaf = old.clone();
                changes.at_restart.push(key.clone());
            } else {
                changes.applied.push(key.clone());
            }
        }
        Ok((Self::of_leaves(leaves)?, changes))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::rules;

    fn with(text: &str) -> Config {
        Config::from_parts(Some((Path::new("config.toml"), text)), &BTreeMap::new()).expect("valid")
    }

    #[test]
    fn what_hangs_on_connections_and_sockets_waits_for_a_restart_and_the_rest_does_not() {
        let old = with("[budget]\ncalls_per_minute = 100\n");
        let new = with(
            "[budget]\ncalls_per_minute = 200\n[schedule]\nfull = \"0 4 * * *\"\ntick_secs = 60\n\
             [database]\nurl = \"postgres://u:hunter2@h/d\"\n[http]\nlisten = \"127.0.0.1:1\"\n",
        );

        let (renewed, changes) = old.renewed_by(&new).expect("they fit");

        assert_eq!(changes.applied, ["budget.calls_per_minute", "schedule.full"]);
        assert_eq!(changes.at_restart, ["database.url", "http.listen", "schedule.tick_secs"]);
        assert_eq!((renewed.budget.calls_per_minute, renewed.schedule.full.as_deref()), (200, Some("0 4 * * *")));
        assert_eq!((renewed.schedule.tick_secs, renewed.http.listen), (15, None));
        assert_eq!(renewed.database.url.expose(), old.database.url.expose());
        // Asked again, what waits is named again, and what was taken over is not.
        let (_, again) = renewed.renewed_by(&new).expect("they fit");
        assert_eq!(again, Changes { applied: Vec::new(), at_restart: changes.at_restart });
        assert!(!format!("{new:?} {again:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_that_waits_for_a_restart_exists() {
        for fixed in AT_START {
            let found =
                rules::fields().any(|field| field == *fixed || fixed.ends_with('.') && field.starts_with(fixed));
            assert!(found, "{fixed}");
        }
    }

    #[test]
    fn who_took_the_configuration_before_keeps_it() {
        let live = Live::from(Arc::new(with("[budget]\ncalls_per_minute = 100\n")));
        let (before, other) = (live.get(), live.clone());
        live.set(Arc::new(with("[budget]\ncalls_per_minute = 200\n")));
        let seen = [&before, &other.get()].map(|config| config.budget.calls_per_minute);
        assert_eq!(seen, [100, 200]);
    }
}
