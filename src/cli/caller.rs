//! Calls to a store that belong to no run: with its credential, and with a new token where that helps.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::app::App;
use super::exit::{CliError, Exit};
use super::signals::stop_on_signal;
use crate::domain::budget::Budget;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Answer, Request};
use crate::domain::store::{Credential, Store};
use crate::storage::{Database, store_calls};
use crate::tokens::{TokenError, Tokens};
use crate::transport::{CallContext, Settings, StoreBudget, Transport};

/// See the module.
pub struct Caller<'a> {
    store: &'a Store,
    /// The one that makes the calls now.
    pub credential: Credential,
    /// Calls made, and what the store has asked for.
    pub context: CallContext,
    /// Gets tokens.
    pub tokens: Tokens,
    stop: CancellationToken,
    _signals: AbortOnDropHandle<()>,
}

impl<'a> Caller<'a> {
    /// Opens the credential; calls nobody yet. A call is made once: whoever asked sees what became of it.
    pub async fn new(app: &App, db: &Database, store: &'a Store, most: Option<u32>) -> Result<Self, CliError> {
        let vault = Arc::new(app.vault(db).await?);
        let credential = vault.open(db, store.id, &store.name).await?;
        let mut settings = Settings::from(&*app.config);
        settings.retry.attempts = 1;
        let transport = Transport::new(settings, app.clock.clone())
            .map_err(|error| CliError::new(Exit::Failed, error.to_string()))?;
        let stop = CancellationToken::new();
        let signals = stop_on_signal(stop.clone());
        let context = CallContext::new(&store.name, budget(app, db, store, most).await?, stop.clone());
        let tokens = app.tokens(db, vault, Arc::new(transport));
        Ok(Self { store, credential, context, tokens, stop, _signals: signals })
    }

    /// Whether a person has asked for an end.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Sends a request.
    pub async fn send<T>(
        &self,
        request: &Request,
        decode: impl Fn(Answer) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        self.tokens.transport.call(&self.context, request, decode).await
    }

    /// What `calls` bring: with a new token first where the one in hand ends, and once more where it is refused.
    pub async fn make<T>(
        &mut self,
        calls: impl AsyncFn(&Self) -> Result<T, RemoteError>,
    ) -> Result<Result<T, RemoteError>, CliError> {
        let (now, ahead) = (self.tokens.clock.now(), self.tokens.config.oauth.refresh_ahead());
        let mut renewed = false;
        if self.credential.wants_token(now, ahead) {
            renewed = match self.renew().await? {
                Ok(renewed) => renewed,
                // One that is good for a while yet can be judged all the same.
                Err(_) if !self.credential.wants_token(now, TimeDelta::zero()) => false,
                Err(error) => return Ok(Err(error)),
            };
        }
        let answer = calls(self).await;
        match &answer {
            Err(error) if error.class == ErrorClass::Unauthorized && !renewed => match self.renew().await? {
                Ok(true) => Ok(calls(self).await),
                Ok(false) => Ok(answer),
                Err(error) => Ok(Err(error)),
            },
            _ => Ok(answer),
        }
    }

    /// A new token; `false` when that takes a person.
    async fn renew(&mut self) -> Result<Result<bool, RemoteError>, CliError> {
        match self.tokens.renew(self.store, &self.credential, &self.stop).await {
            Ok(None) => Ok(Ok(false)),
            Ok(Some(credential)) => {
                self.credential = credential;
                Ok(Ok(true))
            }
            Err(TokenError::Remote(error)) => Ok(Err(error)),
            Err(TokenError::Dead(error)) => {
                let standing = self.credential.standing;
                self.tokens.give_up(self.store, &self.credential, standing, &error).await?;
                Ok(Err(error))
            }
            Err(TokenError::Storage(error)) => Err(error.into()),
            Err(TokenError::Vault(error)) => Err(error.into()),
        }
    }
}

/// The store's budget for calls that belong to no run: nobody knows what was called within the last minute, so the bucket
/// is empty, and the silence the store has asked for holds. `most` is what its connector allows in a minute.
async fn budget(app: &App, db: &Database, store: &Store, most: Option<u32>) -> Result<Arc<StoreBudget>, CliError> {
    let calls_per_minute = app.config.budget.of(store.calls_per_minute, most);
    let budget = StoreBudget::new(Budget::empty(calls_per_minute, app.now()), app.clock.clone());
    if let Some(until) = store.silent_until {
        budget.silent_until(until);
    }
    store_calls::call_without_lease(db, store.id).await?;
    Ok(budget)
}
