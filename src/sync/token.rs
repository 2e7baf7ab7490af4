//! Tokens that end in the course of a run: a new one is got, and the work goes on where it stood.

use tracing::{info, warn};

use super::Syncer;
use super::at_work::AtWork;
use super::outcome::Stop;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::store::CredentialState;
use crate::tokens::Tokens;

/// Whether new tokens may be got in this attempt.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// At all. A plan gets none: its copy of the database is thrown away, and a refresh token can be used but once.
    allowed: bool,
    /// Before the one in hand ends.
    pub ahead: bool,
    /// Whether the one in hand was got in this attempt.
    got: bool,
}

impl Renewal {
    /// At the beginning of an attempt.
    pub fn of(syncer: &Syncer) -> Self {
        Self { allowed: syncer.renews, ahead: syncer.renews, got: false }
    }
}

impl Syncer {
    /// What gets tokens.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens {
            db: self.db.clone(),
            transport: self.transport.clone(),
            vault: self.vault.clone(),
            config: self.config.clone(),
            connectors: self.connectors.clone(),
            clock: self.clock.clone(),
            name: self.owner.clone(),
        }
    }
}

/// Gets a token when there is none or the one in hand is about to end. One that is good for a while yet goes on being used when
/// that fails for a passing reason.
pub async fn ahead(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let Syncer { clock, config, .. } = work.syncer;
    if !work.renewal.allowed || !work.credential.wants_token(clock.now(), config.oauth.refresh_ahead()) {
        return Ok(());
    }
    let (lacking, expires_at) = (work.credential.secret.is_empty(), work.credential.expires_at);
    match renew(work).await {
        Ok(true) => Ok(()),
        Ok(false) if lacking => Err(nothing_to_present(work).into()),
        Ok(false) => {
            work.renewal.ahead = false;
            Ok(())
        }
        Err(Stop::Remote(error)) if !lacking && expires_at.is_some_and(|at| clock.now() < at) => {
            warn!("the token ends soon, and no new one was to be had yet: {error}");
            work.renewal.ahead = false;
            Ok(())
        }
        Err(stop) => Err(stop),
    }
}

/// Deals with a stop that is about the token; gives back any other. A refused token is replaced once: when the store refuses the
/// new one too, it is not about its age. A key that is being asked again was replaced at its first refusal.
pub async fn after(work: &mut AtWork<'_>, stop: Stop) -> Result<(), Stop> {
    match stop {
        Stop::Expiring => ahead(work).await,
        Stop::Remote(error) if error.class == ErrorClass::Unauthorized && worth_renewing(work) => {
            info!("the store refuses the token; getting a new one: {error}");
            if renew(work).await? { Ok(()) } else { Err(error.into()) }
        }
        stop => Err(stop),
    }
}

fn worth_renewing(work: &AtWork<'_>) -> bool {
    let standing = work.credential.standing;
    let untried = work.renewal.got && work.key_works().is_none();
    let asked_again = standing.state == CredentialState::Suspect && !standing.is_retest();
    work.renewal.allowed && !untried && !asked_again
}

/// `false` when it takes a person.
async fn renew(work: &mut AtWork<'_>) -> Result<bool, Stop> {
    let tokens = work.syncer.tokens();
    work.rest(tokens.patience());
    let renewed = tokens.renew(work.store, &work.credential, work.stop).await?;
    let Some(credential) = renewed else { return Ok(false) };
    work.present(credential);
    work.renewal.got = true;
    Ok(true)
}

/// There is no token, and nothing that buys one.
fn nothing_to_present(work: &AtWork<'_>) -> RemoteError {
    let said = format!("there is no token of {} and nothing that buys one", work.store.name);
    RemoteError::new(ErrorClass::Unauthorized, said)
}
