//! A new token in the place of one that ends: one call for it, however many want it.

use std::time::Duration;

use chrono::TimeDelta;
use rand::random;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, warn};

use super::way::Way;
use super::{Failure, TokenError, Tokens};
use crate::connector::oauth;
use crate::connector::oauth::Refusal;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::store::{Credential, Store};
use crate::storage::renewal::{self, Claim};
use crate::storage::vault::{PlainCredential, VaultError};

/// How long the right to renew is taken at a time: whoever is killed with it in hand keeps others from it no longer.
const HELD: TimeDelta = TimeDelta::seconds(15);

/// How often it is prolonged meanwhile.
const BEAT: Duration = Duration::from_secs(5);

/// How often somebody who waits for another's renewal looks.
const LOOK: Duration = Duration::from_millis(200);

/// How often, a second apart, a new token is tried to be stored: a refresh token that is lost takes a person to replace.
const STORE_TRIES: u32 = 30;

impl Tokens {
    /// Gets a new token in the place of `old` and gives the credential with it, or that with which somebody else has replaced it
    /// meanwhile. `None` when that takes a person.
    ///
    /// A call that is under way is finished, and its token stored, even when whoever waits for it goes away; `stop` ends the wait
    /// for somebody else's. Calls are made again after transient errors, within the limits of all calls.
    ///
    /// # Errors
    /// [`TokenError::Dead`] when what buys tokens is refused for good: it is forgotten, so nobody sends it again.
    pub async fn renew(
        &self,
        store: &Store,
        old: &Credential,
        stop: &CancellationToken,
    ) -> Result<Option<Credential>, TokenError> {
        let by = format!("{}/{:08x}", self.name, random::<u32>());
        let claim = Claim { store_id: store.id, fingerprint: old.fingerprint.clone(), by };
        let mut waits = false;
        loop {
            let now = self.clock.now();
            if renewal::claim(&self.db, &claim, now + HELD, now).await? {
                let (tokens, store) = (self.clone(), store.clone());
                let renewing = async move { tokens.claimed(&store, &claim).await };
                return match tokio::spawn(renewing.in_current_span()).await {
                    Ok(ended) => ended,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                };
            }
            let current = self.vault.open(&self.db, store.id, &store.name).await?;
            if current.fingerprint != old.fingerprint {
                return Ok(Some(current));
            }
            if !std::mem::replace(&mut waits, true) {
                info!(
                    store.name = store.name,
                    "somebody else is getting a new token of {}; waiting for it", store.name
                );
            }
            tokio::select! {
                () = stop.cancelled() => {
                    return Err(RemoteError::new(ErrorClass::Transient, "stopped while a token was being renewed").into());
                }
                () = self.clock.sleep(LOOK) => {}
            }
        }
    }

    /// Prolongs the right to renew until `work` is done.
    async fn holding<T>(&self, claim: &Claim, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.clock.sleep(BEAT) => {}
            }
            let now = self.clock.now();
            // Lost, it is found out when the token is stored.
            if let Err(error) = renewal::claim(&self.db, claim, now + HELD, now).await {
                debug!("the right to renew a token could not be prolonged: {error}");
            }
        }
    }

    /// [`Tokens::renew`] by the one who may.
    async fn claimed(&self, store: &Store, claim: &Claim) -> Result<Option<Credential>, TokenError> {
        let ended = self.holding(claim, self.renew_now(store, claim)).await;
        if !matches!(ended, Ok(Some(_)))
            && let Err(error) = renewal::release(&self.db, claim).await
        {
            warn!("the right to renew a token could not be given back, so it runs out by itself: {error}");
        }
        ended
    }

    async fn renew_now(&self, store: &Store, claim: &Claim) -> Result<Option<Credential>, TokenError> {
        let old = self.vault.open(&self.db, store.id, &store.name).await?;
        let Some(way) = self.way(store, &old)? else { return Ok(None) };
        let (request, context) = (way.request(), self.context(&store.name));
        let mut retries = self.transport.settings().retry.begin();
        let (tokens, asked_at) = loop {
            let asked_at = self.clock.now();
            match self.send(&context, &request, way.places()).await {
                Ok(tokens) => break (tokens, asked_at),
                Err(Failure::Remote(error)) if error.class == ErrorClass::Transient => {
                    let Some(wait) = retries.next_wait(error.retry_after) else { return Err(error.into()) };
                    self.clock.sleep(wait).await;
                }
                Err(failure) => return Err(self.refused(store, &way, claim, failure).await?),
            }
        };
        let Some(renewed) = renewed(&old, tokens, asked_at) else {
            let host = request.url.host_str().unwrap_or_default();
            let said = format!("the token endpoint at {host} answered without a token");
            return Err(RemoteError::new(ErrorClass::Rejected, said).into());
        };
        if self.keep(claim, renewed).await? {
            info!(store.name = store.name, "renewed the token of {}", store.name);
        }
        // What is stored now, whoever has stored it.
        Ok(Some(self.vault.open(&self.db, store.id, &store.name).await?))
    }

    async fn refused(
        &self,
        store: &Store,
        way: &Way,
        claim: &Claim,
        failure: Failure,
    ) -> Result<TokenError, TokenError> {
        match way {
            Way::Refresh { .. } => {
                if matches!(failure, Failure::Refused(Refusal::Dead(_), _)) {
                    renewal::forget_refresh(&self.db, claim).await?;
                }
                Ok(failure.of_consent(&store.name))
            }
            Way::ClientCredentials { .. } | Way::Login { .. } => Ok(failure.of_operator()),
        }
    }

    /// Stores what was got, and does not give up soon. `false` when the credential was replaced meanwhile.
    async fn keep(&self, claim: &Claim, renewed: PlainCredential) -> Result<bool, VaultError> {
        let mut tries = 1;
        loop {
            match self.vault.renew(&self.db, claim, renewed.clone()).await {
                Err(VaultError::Storage(error)) if tries < STORE_TRIES => {
                    warn!("a new token could not be stored, trying again: {error}");
                    tries += 1;
                    self.clock.sleep(Duration::from_secs(1)).await;
                }
                stored => return stored,
            }
        }
    }
}

/// The credential with its new token; a refresh token that was not replaced stays good (spec: Neto API §6.2).
fn renewed(old: &Credential, tokens: oauth::Tokens, at: chrono::DateTime<chrono::Utc>) -> Option<PlainCredential> {
    Some(PlainCredential {
        username: old.username.clone(),
        client_id: old.client_id.clone(),
        refresh: tokens.refresh.or_else(|| old.refresh.clone()),
        client_secret: old.client_secret.clone(),
        token_url: old.token_url.clone(),
        scopes: tokens.scopes.or_else(|| old.scopes.clone()),
        renewed_at: Some(at),
        expires_at: tokens.lifetime.map(|lifetime| at + lifetime),
        ..PlainCredential::new(old.scheme, tokens.access?)
    })
}
