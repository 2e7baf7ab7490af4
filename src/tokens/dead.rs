//! What buys a store's tokens is dead: it is written down, and said what a person does.

use super::{Tokens, reconnect};
use crate::domain::error::RemoteError;
use crate::domain::lifecycle::{Judgement, Standing, Then};
use crate::domain::store::{Credential, CredentialState, Store};
use crate::storage::StorageError;
use crate::storage::standings::{self, Flag};

impl Tokens {
    /// Flags the credential as revoked and gives the sentence for people. No call by itself can show that it works again, so none
    /// is made; a new consent takes the flag away. `None` when somebody has replaced or judged it meanwhile.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn give_up(
        &self,
        store: &Store,
        credential: &Credential,
        standing: Standing,
        error: &RemoteError,
    ) -> Result<Option<String>, StorageError> {
        let said = format!("{}; the merchant must reconnect: {}", error.message, reconnect(&self.config, store));
        let refusals = standing.refusals.saturating_add(1);
        let after = Judgement { state: CredentialState::Revoked, refusals, next_check_at: None, then: Then::End };
        let status = error.status.unwrap_or(200);
        let incident = format!("store {} cannot renew its token: {said}", store.name);
        let flag = Flag { before: standing, after, said: &error.message, status, incident: &incident };
        let now = self.clock.now();
        let flagged = standings::flag_credential(&self.db, store.id, &credential.fingerprint, &flag, now).await?;
        Ok(flagged.then_some(said))
    }
}
