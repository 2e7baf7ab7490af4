//! Is a refused key really refused? A small call repeats with backoff before anybody is flagged (design §4).

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Syncer;
use super::outcome::{Stop, failed, sentence};
use crate::config::Auth;
use crate::connector::neto;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::run::RunState;
use crate::domain::store::{Credential, CredentialState, Store};
use crate::storage::credentials;
use crate::storage::runs::End;
use crate::transport::CallContext;

/// What asking again showed.
#[derive(Debug)]
pub enum Refusal {
    /// The key works after all.
    Passed,
    /// It does not; the run ends like this.
    Confirmed(End),
}

/// Marks the key `suspect` and asks again. A key that has worked before is `revoked` only after the configured number
/// of refused canaries; one that never worked, or is revoked already, is refused at once and stays what it is. `worked` says
/// that it has worked in this very run, which the credential as it was opened does not know.
pub async fn confirm(
    syncer: &Syncer,
    store: &Store,
    credential: &Credential,
    context: &CallContext,
    stop: &CancellationToken,
    worked: bool,
    refusal: &RemoteError,
) -> Result<Refusal, Stop> {
    let said = sentence(refusal);
    let fix = format!("give a working key with `netosync store rekey {}`", store.name);
    let known = match (worked, credential.state, credential.last_ok_at) {
        (false, CredentialState::Revoked, _) => Some((CredentialState::Revoked, "it is known to be revoked")),
        (false, _, None) => Some((CredentialState::Suspect, "this key has never worked")),
        _ => None,
    };
    if let Some((state, why)) = known {
        flag(syncer, credential, state, &said).await?;
        let error = format!("{said}; {why}: {fix}");
        return Ok(Refusal::Confirmed(failed(ErrorClass::Unauthorized, error)));
    }
    flag(syncer, credential, CredentialState::Suspect, &said).await?;
    let settings = &syncer.config.auth;
    for (number, wait) in (1..=settings.canary_tries).zip(waits(settings)) {
        warn!("{said}; asking again in {} ms ({} of {})", wait.as_millis(), number, settings.canary_tries);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return Err(Stop::Asked),
        }
        let request = neto::canary(&store.url, credential);
        match syncer.transport.call(context, &request, |answer| neto::decode(answer.body, answer.lossy)).await {
            Ok(_) => {
                credentials::credential_worked(&syncer.db, store.id, &credential.fingerprint, syncer.clock.now())
                    .await?;
                return Ok(Refusal::Passed);
            }
            Err(error) if error.class == ErrorClass::Unauthorized => {}
            Err(error) => {
                info!("the canary could not be sent, so nothing is known about the key");
                return Err(error.into());
            }
        }
    }
    flag(syncer, credential, CredentialState::Revoked, &said).await?;
    let error = format!("{said}; refused {} times more, so the key counts as revoked: {fix}", settings.canary_tries);
    let class = Some(ErrorClass::Unauthorized);
    Ok(Refusal::Confirmed(End { state: RunState::Cancelled, verdict: None, error_class: class, error: Some(error) }))
}

/// Flags the key that failed; one that was replaced meanwhile is left alone.
async fn flag(syncer: &Syncer, credential: &Credential, state: CredentialState, evidence: &str) -> Result<(), Stop> {
    let now = syncer.clock.now();
    credentials::flag_credential(&syncer.db, credential.store_id, &credential.fingerprint, state, evidence, now)
        .await?;
    Ok(())
}

/// The waits before the canaries: doubling from the initial one up to the longest.
fn waits(settings: &Auth) -> impl Iterator<Item = Duration> {
    let longest = Duration::from_millis(settings.canary_max_ms.into());
    let first = Duration::from_millis(settings.canary_initial_ms.into());
    std::iter::successors(Some(first), |wait| Some(*wait * 2)).map(move |wait| wait.min(longest))
}
