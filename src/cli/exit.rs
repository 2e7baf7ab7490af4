//! Exit codes, and the one error type of the command line.

use crate::config::ConfigError;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Run, RunState, Verdict};
use crate::http::serve::ListenError;
use crate::import::ImportError;
use crate::storage::StorageError;
use crate::storage::crypter::CrypterError;
use crate::storage::foreign::ForeignError;
use crate::storage::master_key::KeyError;
use crate::storage::vault::VaultError;
use crate::sync::plan::PlanError;
use crate::telemetry::TelemetryError;
use crate::tokens::TokenError;
use crate::transport::TransportError;

/// How a command ended; the numbers are a contract (design §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The configuration, or something it names, has to be changed.
    Configuration = 3,
    /// The database.
    Database = 4,
    /// The store refuses the credential.
    CredentialRefused = 5,
    /// Finished, but the verdict is partial.
    Partial = 6,
    /// The store could not be reached, after retries.
    Unavailable = 7,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl Exit {
    /// The code of a command that did several things: that of the gravest.
    #[must_use]
    pub fn gravest(exits: impl IntoIterator<Item = Self>) -> Self {
        const GRAVEST_FIRST: [Exit; 8] = [
            Exit::Interrupted,
            Exit::Database,
            Exit::Configuration,
            Exit::CredentialRefused,
            Exit::Unavailable,
            Exit::Failed,
            Exit::Usage,
            Exit::Partial,
        ];
        let exits: Vec<_> = exits.into_iter().collect();
        GRAVEST_FIRST.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Self::Done)
    }

    /// The code for an error of this class.
    #[must_use]
    pub fn of_class(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Transient | ErrorClass::RateLimited => Self::Unavailable,
            ErrorClass::Unauthorized => Self::CredentialRefused,
            ErrorClass::Config => Self::Configuration,
            ErrorClass::Rejected | ErrorClass::Data | ErrorClass::Internal => Self::Failed,
        }
    }

    /// The code for a finished run.
    #[must_use]
    pub fn of_run(run: &Run) -> Self {
        match (run.state, run.verdict, run.error_class) {
            (RunState::Succeeded, Some(Verdict::Partial), _) => Self::Partial,
            (RunState::Succeeded, ..) => Self::Done,
            (_, _, Some(class)) => Self::of_class(class),
            (_, _, None) => Self::Failed,
        }
    }
}

/// Why a command did not do what was asked: one sentence, and the code it ends with.
#[derive(Debug)]
pub struct CliError {
    /// The code.
    pub exit: Exit,
    /// What failed, why, and what to do next.
    pub message: String,
    /// Whether the same may work in a moment, because only the database was busy or away.
    pub passing: bool,
}

impl CliError {
    /// An error with its code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), passing: false }
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<StorageError> for CliError {
    fn from(error: StorageError) -> Self {
        let exit = match error {
            StorageError::UnknownStore { .. }
            | StorageError::StoreExists { .. }
            | StorageError::ChangesGone { .. }
            | StorageError::ChangesAhead { .. }
            | StorageError::Scratch { .. } => Exit::Failed,
            StorageError::BadStoreName { .. }
            | StorageError::BadStoreUrl { .. }
            | StorageError::BadConsumerName { .. } => Exit::Usage,
            StorageError::BadUrl { .. } | StorageError::BadSchemaName { .. } => Exit::Configuration,
            _ => Exit::Database,
        };
        Self { passing: error.is_passing(), ..Self::new(exit, error.to_string()) }
    }
}

impl From<CrypterError> for CliError {
    fn from(error: CrypterError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<VaultError> for CliError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Storage(error) => error.into(),
            VaultError::Crypter(error) => error.into(),
            VaultError::Keys(error) => error.into(),
            VaultError::Missing { .. } => Self::new(Exit::Configuration, error.to_string()),
        }
    }
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Storage(error) => error.into(),
            ImportError::Vault(error) => error.into(),
            ImportError::Off | ImportError::Columns { .. } | ImportError::Foreign(ForeignError::BadUrl { .. }) => {
                Self::new(Exit::Configuration, error.to_string())
            }
            ImportError::Foreign(_) => Self::new(Exit::Database, error.to_string()),
            _ => Self::new(Exit::Failed, error.to_string()),
        }
    }
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Storage(error) => error.into(),
            TokenError::Vault(error) => error.into(),
            TokenError::Remote(error) | TokenError::Dead(error) => {
                let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
                Self::new(Exit::of_class(error.class), format!("{error}{hint}"))
            }
        }
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Storage(error) => error.into(),
            PlanError::Vault(error) => error.into(),
            PlanError::Token(error) => error.into(),
            PlanError::Interrupted => Self::new(Exit::Interrupted, error.to_string()),
            PlanError::Busy { .. } | PlanError::Moved => Self::new(Exit::Failed, error.to_string()),
        }
    }
}

impl From<TelemetryError> for CliError {
    fn from(error: TelemetryError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<TransportError> for CliError {
    fn from(error: TransportError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl From<ListenError> for CliError {
    fn from(error: ListenError) -> Self {
        // What may pass is worth another start by the service manager, see RestartPreventExitStatus in the unit.
        Self::new(if error.may_pass() { Exit::Failed } else { Exit::Configuration }, error.to_string())
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_exit_of_several_stores_is_the_exit_of_the_command() {
        use Exit::{CredentialRefused, Done, Failed, Partial, Unavailable};
        assert_eq!(Exit::gravest([]), Done);
        assert_eq!(Exit::gravest([Done, Partial]), Partial);
        assert_eq!(Exit::gravest([Unavailable, Done, CredentialRefused, Failed]), CredentialRefused);
    }
}
