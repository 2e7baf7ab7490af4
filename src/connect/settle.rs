//! A code has brought a token: which store it is for, and what becomes of it.

use tracing::{info, warn};
use url::Url;

use super::bound::{domain, leads_to, same_host, url_of};
use super::{Connect, ConnectError, Connected, Party};
use crate::connector::neto::oauth::{self, Hosts, Properties, Version};
use crate::domain::error::ErrorClass;
use crate::domain::secret::Secret;
use crate::domain::store::{DISCONNECTED, MOVED, NETO, Scheme, Store};
use crate::storage::credentials;
use crate::storage::learnt::{self, Learnt};
use crate::storage::oauth_states::Begun;
use crate::storage::stores::{self, NewStore};
use crate::storage::vault::PlainCredential;
use crate::tokens::{Given, TokenError};

/// What the vendor has told about a store.
struct Told {
    remote_id: String,
    domain: Option<String>,
    timezone: Option<String>,
    title: Option<String>,
}

impl Connect {
    /// Stores the token at the store it is for, which is added when it is new.
    pub(super) async fn settle(
        &self,
        begun: &Begun,
        given: Given,
        (version, hosts): (Version, &Hosts),
        by_operator: bool,
    ) -> Result<Connected, ConnectError> {
        let access = given.tokens.access.clone().ok_or(ConnectError::Lacks("an access token"))?;
        let told = self.told(version, &given, &access, by_operator).await?;
        let known = self.known(version, &told, begun).await?;
        // Its domain may have changed from the one that was asked about, and from no other.
        let same_store = known
            .as_ref()
            .is_some_and(|store| store.remote_id.as_ref() == Some(&told.remote_id) && leads_to(store, &begun.subject));
        if let Some(domain) = &told.domain
            && *domain != begun.subject
            && !same_store
        {
            return Err(ConnectError::OtherStore { asked: begun.subject.clone(), told: domain.clone() });
        }
        let url = self.url((version, hosts), &told, begun)?;
        let store = match &known {
            Some(store) => {
                self.bring_up_to_date(store, &told, &url, begun, version == Version::V2 || by_operator).await?
            }
            None => self.add(&told, url, begun).await?,
        };
        self.keep(&store, version.scheme(), access, &given).await?;
        Ok(Connected {
            added: known.is_none(),
            scopes: given.tokens.scopes,
            title: told.title,
            user: given.tokens.user.name,
            store,
        })
    }

    /// The store the token is for, if it is here: by its identity, else by the name that was asked for, else by its domain. One
    /// that has another identity is another store, whatever its address was once; but the two versions name stores differently.
    async fn known(&self, version: Version, told: &Told, begun: &Begun) -> Result<Option<Store>, ConnectError> {
        if let Some(store) = self.find(|store| store.remote_id.as_ref() == Some(&told.remote_id)).await? {
            return Ok(Some(store));
        }
        let named = self.find(|store| Some(&store.name) == begun.store_name.as_ref()).await?;
        let asked_for = named.is_some();
        let found = match named {
            Some(store) => Some(store),
            None => self.find(|store| leads_to(store, &begun.subject)).await?,
        };
        let Some(store) = found else { return Ok(None) };
        let credential = credentials::load_credential(&self.tokens.db, store.id).await?;
        let of_this_version = credential.is_some_and(|found| found.sealed.scheme == version.scheme());
        match &store.remote_id {
            Some(_) if of_this_version && asked_for => {
                let told = format!("{} ({})", told.domain.as_deref().unwrap_or_default(), told.remote_id);
                Err(ConnectError::OtherStore { asked: store.name, told })
            }
            Some(_) if of_this_version => Ok(None),
            _ => Ok(Some(store)),
        }
    }

    /// What is told with the token of the first version, or asked with that of the second.
    ///
    /// What the vendor does not say about a store of the second version just now is no reason to throw a token away that an
    /// operator has asked for himself; of a stranger's it is, because nothing else ties it to the domain.
    async fn told(
        &self,
        version: Version,
        given: &Given,
        access: &Secret,
        by_operator: bool,
    ) -> Result<Told, ConnectError> {
        let shop = &given.tokens.shop;
        let readable = |text: &str| domain(text, self.tokens.config.transport.allow_loopback).ok();
        match version {
            Version::V1 => {
                let told = shop.domain.as_deref().ok_or(ConnectError::Lacks("store_domain"))?;
                Ok(Told {
                    remote_id: shop.id.clone().ok_or(ConnectError::Lacks("store_id"))?,
                    domain: Some(
                        readable(told)
                            .ok_or_else(|| ConnectError::Unusable("store_domain is not a domain".to_owned()))?,
                    ),
                    timezone: shop.timezone.clone(),
                    title: shop.name.clone(),
                })
            }
            Version::V2 => {
                let api_id = given.tokens.api_id.clone().ok_or(ConnectError::Lacks("api_id"))?;
                let properties = match self.tokens.properties(&api_id, access).await {
                    Err(TokenError::Remote(error)) if by_operator && error.class != ErrorClass::Unauthorized => {
                        warn!("the vendor says nothing about the store: {error}");
                        Properties::default()
                    }
                    properties => properties?,
                };
                if properties.domain.is_none() && !by_operator {
                    return Err(ConnectError::Lacks("the store's domain"));
                }
                Ok(Told {
                    remote_id: api_id,
                    domain: properties.domain.as_deref().and_then(readable),
                    timezone: properties.timezone,
                    title: properties.business_name,
                })
            }
        }
    }

    /// Where calls go.
    fn url(&self, (version, hosts): (Version, &Hosts), told: &Told, begun: &Begun) -> Result<Url, ConnectError> {
        match version {
            Version::V1 => {
                let domain = told.domain.as_deref().unwrap_or(&begun.subject);
                url_of(domain, self.tokens.config.transport.allow_loopback)
                    .map_err(|error| ConnectError::Unusable(error.to_string()))
            }
            Version::V2 => Ok(oauth::shared_url(hosts, &told.remote_id)),
        }
    }

    /// [`Connect::settle`] for a described connector: the store is the one that was named, at the address that was asked about.
    pub(super) async fn settle_described(
        &self,
        begun: &Begun,
        given: Given,
        store_url: &Url,
    ) -> Result<Connected, ConnectError> {
        let db = &self.tokens.db;
        let access = given.tokens.access.clone().ok_or(ConnectError::Lacks("an access token"))?;
        if begun.subject != store_url.as_str() {
            let told = store_url.to_string();
            return Err(ConnectError::OtherStore { asked: begun.subject.clone(), told });
        }
        let name = begun.store_name.clone().unwrap_or_else(|| begun.connector.clone());
        let known = self.find(|store| store.name == name).await?;
        let added = known.is_none();
        let store = match known {
            Some(store) if store.url == *store_url => store,
            Some(store) => {
                return Err(ConnectError::OtherStore { asked: store_url.to_string(), told: store.url.to_string() });
            }
            None => stores::add_store(db, &new_store(name, &begun.connector, store_url.clone())).await?,
        };
        self.keep(&store, Scheme::AuthorizationCode, access, &given).await?;
        let (scopes, user) = (given.tokens.scopes, given.tokens.user.name);
        Ok(Connected { added, scopes, title: None, user, store })
    }

    /// Stores the token as the store's credential.
    async fn keep(&self, store: &Store, scheme: Scheme, access: Secret, given: &Given) -> Result<(), ConnectError> {
        let Connect { tokens, client, party } = self;
        let token_url = match party {
            Party::Neto { .. } => None,
            Party::Described(side) => side.token_url.clone(),
        };
        let credential = PlainCredential {
            client_id: Some(client.id.clone()),
            refresh: given.tokens.refresh.clone(),
            client_secret: Some(client.secret.clone()),
            token_url,
            scopes: given.tokens.scopes.clone(),
            renewed_at: Some(given.at),
            expires_at: given.tokens.lifetime.map(|lifetime| given.at + lifetime),
            ..PlainCredential::new(scheme, access)
        };
        tokens.vault.put(&tokens.db, store.id, credential).await.map_err(TokenError::from)?;
        info!(store.name = store.name, "connected {}", store.name);
        Ok(())
    }

    async fn add(&self, told: &Told, url: Url, begun: &Begun) -> Result<Store, ConnectError> {
        let db = &self.tokens.db;
        let domain = told.domain.clone().unwrap_or_else(|| begun.subject.clone());
        let taken: Vec<_> = stores::list_stores(db).await?.into_iter().map(|store| store.name).collect();
        let name = begun.store_name.clone().unwrap_or_else(|| free_name(&domain, &taken));
        let new = new_store(name, NETO, url);
        let store = stores::add_store(db, &new).await?;
        let learnt = Learnt {
            remote_id: Some(told.remote_id.clone()),
            domain: Some(domain),
            timezone: told.timezone.clone(),
            ..Learnt::default()
        };
        Ok(learnt::learn(db, &store.name, learnt).await?)
    }

    /// A store that is here gets what the vendor has told. An address that is new to it waits for a person, unless a person has
    /// asked for just that; until then the store rests, so that its token goes neither to the old domain, which may be another's
    /// by now, nor to the new one.
    async fn bring_up_to_date(
        &self,
        store: &Store,
        told: &Told,
        url: &Url,
        begun: &Begun,
        approved: bool,
    ) -> Result<Store, ConnectError> {
        let db = &self.tokens.db;
        // Of the second version, the address is the vendor's own whatever the domain.
        let asked_for = approved && told.domain.as_deref().is_none_or(|domain| domain == begun.subject);
        let goes_on = asked_for || same_host(&store.url, &host_of(url));
        let learnt = Learnt {
            remote_id: Some(told.remote_id.clone()),
            domain: told.domain.clone().or_else(|| Some(begun.subject.clone())),
            timezone: told.timezone.clone(),
            url: goes_on.then(|| url.clone()),
            pending_url: (!goes_on).then(|| url.clone()),
        };
        let name = &store.name;
        if goes_on {
            let rested = store.paused_reason.as_deref();
            if rested.is_some_and(|reason| reason.starts_with(DISCONNECTED) || reason.starts_with(MOVED)) {
                stores::resume_store(db, name).await?;
            }
        } else {
            let host = host_of(url);
            warn!(
                store.name = name,
                "{name} says that its domain is {host} now; nothing goes there before you approve it"
            );
            let reason =
                format!("{MOVED}{host}; `netosync store set {name} --url {url}` approves that its key goes there");
            stores::pause_store(db, name, Some(&reason), None).await?;
        }
        Ok(learnt::learn(db, name, learnt).await?)
    }
}

/// A store without settings of its own.
fn new_store(name: String, connector: &str, url: Url) -> NewStore {
    NewStore {
        name,
        connector: connector.to_owned(),
        url,
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: None,
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A name for the store of a domain that no other has: without `www.`, with a number where needed.
fn free_name(domain: &str, taken: &[String]) -> String {
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-') { c } else { '-' };
    let name: String = domain.strip_prefix("www.").unwrap_or(domain).chars().map(plain).take(56).collect();
    let mut names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
    names.find(|name| !taken.contains(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_after_its_domain_and_no_two_alike() {
        let taken = ["shop.example".to_owned(), "shop.example-2".to_owned()];
        assert_eq!(free_name("www.shop.example", &[]), "shop.example");
        assert_eq!(free_name("www.shop.example", &taken), "shop.example-3");
        assert_eq!(free_name("127.0.0.1:80", &[]), "127.0.0.1-80");
        assert!(free_name(&"a".repeat(300), &[]).len() <= 64);
    }
}
