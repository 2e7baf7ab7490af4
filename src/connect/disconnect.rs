//! The end of a consent: the merchant took it back, here or at the vendor's.

use tracing::warn;

use super::bound::leads_to;
use super::{Connect, ConnectError};
use crate::connector::oauth::Tokens;
use crate::domain::secret::Secret;
use crate::domain::store::{DISCONNECTED, Store};
use crate::storage::oauth_states::Begun;
use crate::storage::{Database, StorageError, credentials, stores};

/// What the vendor says when a merchant removes the add-on (spec: Neto API §6.2).
#[derive(Clone, Debug, serde::Deserialize)]
pub struct UninstallNotice {
    /// The OAuth client.
    pub client_id: String,
    /// The store.
    #[serde(default)]
    pub store_id: Option<String>,
    /// The same, as the shared host calls it.
    #[serde(default)]
    pub api_id: Option<String>,
    /// Proves it: the token endpoint knows whose it is.
    #[serde(default)]
    pub code: Option<String>,
}

impl Connect {
    /// Forgets the credential of a store whose consent was taken back by the merchant who was led there from here.
    pub(super) async fn dismiss(&self, begun: &Begun, answer: &Tokens) -> Result<Store, ConnectError> {
        let named = |store: &Store| is_named(store, answer);
        let store = match self.find(named).await? {
            Some(store) => Some(store),
            // The answer of an endpoint that names no store is about the one that was asked for.
            None if answer.shop.domain.as_ref().is_none_or(|domain| *domain == begun.subject) => {
                self.find(|store| leads_to(store, &begun.subject)).await?
            }
            None => None,
        };
        let told = || answer.shop.domain.clone().unwrap_or_else(|| "a store that is not here".to_owned());
        let store = store.ok_or_else(|| ConnectError::OtherStore { asked: begun.subject.clone(), told: told() })?;
        Ok(forget(&self.tokens.db, &store, "by netosync oauth disconnect").await?)
    }

    /// Forgets the credential of a store whose merchant has removed the add-on. `vouched` says that the notice has proved itself;
    /// of one that has not, only what the vendor says to its code is believed.
    pub async fn uninstalled(
        &self,
        notice: &UninstallNotice,
        redirect_uri: &str,
        vouched: bool,
    ) -> Result<Store, ConnectError> {
        if notice.client_id != self.client.id {
            return Err(ConnectError::State("this notice is for another client"));
        }
        let found = if vouched {
            let ids = [&notice.api_id, &notice.store_id];
            self.find(|store| store.remote_id.is_some() && ids.contains(&&store.remote_id)).await?
        } else {
            let code =
                notice.code.as_deref().ok_or(ConnectError::State("this notice proves nothing: it has no code"))?;
            let endpoint = self.party.endpoint();
            let (code, subject) = (Secret::new(code), "an uninstall notice");
            let given = self.tokens.exchange(&endpoint, &self.client, &code, redirect_uri, subject).await?;
            self.find(|store| is_named(store, &given.tokens)).await?
        };
        let store = found.ok_or(ConnectError::State("this notice is about a store that is not here"))?;
        Ok(forget(&self.tokens.db, &store, "by the merchant, who removed the add-on").await?)
    }
}

/// Forgets the credential of a store, which rests from then on. `how` says who wanted it.
///
/// # Errors
/// [`StorageError`].
pub async fn forget(db: &Database, store: &Store, how: &str) -> Result<Store, StorageError> {
    let reason = format!("{DISCONNECTED} {how}; `netosync oauth connect {}` connects it again", store.name);
    let rested = stores::pause_store(db, &store.name, Some(&reason), None).await?;
    credentials::forget(db, store.id).await?;
    warn!(store.name = store.name, "{} was {reason}", store.name);
    Ok(rested)
}

/// Whether an answer names that store, by identity or by domain.
fn is_named(store: &Store, answer: &Tokens) -> bool {
    let ids = [&answer.shop.id, &answer.api_id];
    let by_domain = answer.shop.domain.as_ref().is_some_and(|domain| store.domain.as_ref() == Some(domain));
    by_domain || (store.remote_id.is_some() && ids.contains(&&store.remote_id))
}
