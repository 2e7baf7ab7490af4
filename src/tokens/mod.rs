//! Tokens: got for a merchant's consent, and got anew before they end.
//!
//! ```text
//! code ──────────────► exchange ─┐
//! expiry, or a 401 ─► renew ─────┴─► token endpoint ─► stored, sealed ─► used
//!                       └ one at a time, whoever asks ([`crate::storage::renewal`])
//! ```
//! A new token is stored before it is used: what is only in memory is lost with the process, and a refresh token is often good for
//! one use. Calls to a token endpoint are not calls of the store's API, so they take nothing of its budget.

mod client;
mod dead;
mod exchange;
mod renew;
mod way;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::config::Config;
use crate::connector::described::Registry;
use crate::connector::oauth::{self, Places, Refusal};
use crate::domain::budget::Budget;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Request;
use crate::domain::store::{Scheme, Store};
use crate::storage::vault::{Vault, VaultError};
use crate::storage::{Database, StorageError};
use crate::transport::{CallContext, StoreBudget, Transport, quotable};

pub use client::{ClientError, configured_client, hosts, secret_in};
pub use exchange::Given;

/// More calls to a token endpoint than anybody makes in a minute.
const CALLS: u32 = 60;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The credential cannot be opened or sealed.
    #[error(transparent)]
    Vault(VaultError),
    /// The token endpoint could not be asked, or did not give one.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// What was given for it is dead: the same again brings the same.
    #[error("{0}")]
    Dead(RemoteError),
}

impl From<VaultError> for TokenError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Storage(error) => Self::Storage(error),
            error => Self::Vault(error),
        }
    }
}

/// Gets tokens. Clones share everything.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The database.
    pub db: Database,
    /// The way to the token endpoints.
    pub transport: Arc<Transport>,
    /// Seals them.
    pub vault: Arc<Vault>,
    /// The configuration.
    pub config: Arc<Config>,
    /// The described connectors.
    pub connectors: Arc<Registry>,
    /// The time.
    pub clock: SharedClock,
    /// Name of this process among all that share the database.
    pub name: String,
}

impl Tokens {
    /// How long [`Tokens::renew`] may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let settings = self.transport.settings();
        settings.retry.max_elapsed + 2 * settings.timeout
    }

    /// The context of calls for `subject`, a store's name.
    fn context(&self, subject: &str) -> CallContext {
        let budget = StoreBudget::new(Budget::new(CALLS, self.clock.now()), self.clock.clone());
        CallContext::new(subject, budget, CancellationToken::new())
    }

    /// Asks a token endpoint once. The words of a refusal are fit for the log.
    async fn send(
        &self,
        context: &CallContext,
        request: &Request,
        places: Option<&Places>,
    ) -> Result<oauth::Tokens, Failure> {
        let answer = self.transport.call_once(context, request, Ok).await.map_err(|error| {
            // What the transport advises is about a store's address.
            let advice = "check where its tokens are got: oauth.v1_url or oauth.v2_url, or the connector's or the store's token URL";
            Failure::Remote(if error.class == ErrorClass::Config { error.hint(advice) } else { error })
        })?;
        let refused = |refusal| {
            let quoted = |said: &str| quotable(request, said);
            let host = request.url.host_str().unwrap_or_default();
            let refusal = match refusal {
                Refusal::Dead(said) => Refusal::Dead(format!("{host} says: {}", quoted(&said))),
                Refusal::Client(said) => Refusal::Client(format!("{host} says: {}", quoted(&said))),
                Refusal::OtherWay(said) => Refusal::OtherWay(format!("{host} says: {}", quoted(&said))),
                Refusal::Other(said) => Refusal::Other(format!("{host} says: {}", quoted(&said))),
                Refusal::Unreadable => Refusal::Unreadable,
            };
            Failure::Refused(refusal, answer.status)
        };
        oauth::read(&answer, places).map_err(refused)
    }
}

/// Why a token endpoint gave nothing.
enum Failure {
    /// It was not reached.
    Remote(RemoteError),
    /// It refused, with that status.
    Refused(Refusal, u16),
}

impl Failure {
    /// The error of a grant that a person's consent had brought. A client that is refused is nobody's key: nobody is flagged.
    fn of_consent(self, store: &str) -> TokenError {
        match self {
            Self::Remote(error) => TokenError::Remote(error),
            Self::Refused(Refusal::Dead(said), status) => {
                TokenError::Dead(RemoteError::new(ErrorClass::Unauthorized, said).status(status))
            }
            Self::Refused(Refusal::Client(said), _) => RemoteError::new(
                ErrorClass::Config,
                format!("the OAuth client is refused, not the consent of {store}: {said}"),
            )
            .hint("check the client's id and secret (oauth.client_id and oauth.client_secret_file, or what the store was connected with), which may have been replaced")
            .into(),
            Self::Refused(Refusal::OtherWay(said) | Refusal::Other(said), _) => {
                RemoteError::new(ErrorClass::Rejected, format!("no token: {said}")).into()
            }
            Self::Refused(Refusal::Unreadable, _) => unreadable().into(),
        }
    }

    /// The error of what the operator gave himself: a client's secret, or a password.
    fn of_operator(self) -> TokenError {
        match self {
            Self::Remote(error) => TokenError::Remote(error),
            Self::Refused(Refusal::Dead(said) | Refusal::Client(said), status) => {
                RemoteError::new(ErrorClass::Unauthorized, format!("no token: {said}")).status(status).into()
            }
            Self::Refused(Refusal::OtherWay(said) | Refusal::Other(said), _) => {
                RemoteError::new(ErrorClass::Rejected, format!("no token: {said}"))
                    .hint("check the token URL: netosync store show tells it")
                    .into()
            }
            Self::Refused(Refusal::Unreadable, _) => unreadable().into(),
        }
    }
}

fn unreadable() -> RemoteError {
    RemoteError::new(
        ErrorClass::Transient,
        "the token endpoint answered something that is not JSON; if that lasts, check its address",
    )
}

/// Whether a credential of that scheme came of a merchant's consent, so that he must give it again when it is dead. A bearer token
/// with a client is one of Neto's second version.
#[must_use]
pub fn by_consent(scheme: Scheme, client_id: Option<&str>) -> bool {
    match scheme {
        Scheme::Oauth | Scheme::AuthorizationCode => true,
        Scheme::Bearer => client_id.is_some(),
        _ => false,
    }
}

/// Where a store's merchant gives his consent anew: the address for him when there is one, else our command.
#[must_use]
pub fn reconnect(config: &Config, store: &Store) -> String {
    let domain = store.domain.as_deref().or(store.url.host_str()).unwrap_or_default();
    match &config.oauth.public_url {
        Some(public) if !store.has_records() && config.http.listen.is_some() => {
            format!("{}/oauth/neto/install?store_domain={domain}", public.as_str().trim_end_matches('/'))
        }
        _ => format!("netosync oauth connect {}", store.name),
    }
}
