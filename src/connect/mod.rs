//! Stores that are connected, and disconnected, by a merchant's consent.
//!
//! ```text
//! begin ─► state, kept as a digest ─► the merchant consents ─► finish ─► state taken, once ─► code exchanged ─► settle
//! ```
//! A state is taken once, within ten minutes, and is bound to what it was made for: an answer about another store is thrown away
//! with its token. What the vendor calls the store is its identity; its domain may change, and then nothing goes to the new one
//! before a person has approved it.

mod bound;
mod disconnect;
mod party;
mod settle;

use chrono::TimeDelta;
use url::Url;

use crate::connector::oauth::Client;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::secret::Secret;
use crate::domain::store::Store;
use crate::storage::oauth_states::{self, Begun, Purpose, Taken};
use crate::storage::{StorageError, stores};
use crate::tokens::{TokenError, Tokens};

pub use bound::{BadDomain, domain};
pub use disconnect::{UninstallNotice, forget};
use party::About;
pub use party::Party;

/// For how long a consent is waited for.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// For how long it is remembered that a state is over, so that a late or a second answer is told what it is.
const REMEMBERED: TimeDelta = TimeDelta::days(1);

/// More consents at once are nobody's merchants.
const MOST_WAITING: u64 = 1000;

/// Why a store is not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The state is not one that is waited for.
    #[error("{0}")]
    State(&'static str),
    /// Too many consents are waited for.
    #[error("{MOST_WAITING} connections have been begun and not finished; try again in ten minutes")]
    Busy,
    /// The answer is about another store.
    #[error(
        "the answer is for {told}, not for {asked}, so it was thrown away; begin again with the domain {told} if that is the store"
    )]
    OtherStore {
        /// The store that was asked about.
        asked: String,
        /// The store of the answer.
        told: String,
    },
    /// The answer does not name what it must.
    #[error("the answer of the token endpoint lacks {0}")]
    Lacks(&'static str),
    /// What the answer says cannot be used.
    #[error("the answer of the token endpoint cannot be used: {0}")]
    Unusable(String),
    /// The token endpoint refused, or was not reached.
    #[error("{}", said(.0))]
    Token(#[from] TokenError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn said(error: &TokenError) -> String {
    match error {
        TokenError::Remote(error) | TokenError::Dead(error) => match &error.hint {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        },
        other => other.to_string(),
    }
}

impl ConnectError {
    /// The class of the error, where the outside is its cause.
    #[must_use]
    pub fn remote(&self) -> Option<&RemoteError> {
        match self {
            Self::Token(TokenError::Remote(error) | TokenError::Dead(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether the merchant's side refused.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::State(_) | Self::OtherStore { .. } => true,
            _ => self.remote().is_some_and(|error| error.class == ErrorClass::Unauthorized),
        }
    }
}

/// What is to be connected.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What is asked.
    pub purpose: Purpose,
    /// The store: its domain, or its address where the connector is a described one.
    pub subject: String,
    /// The store's name here, if it is to have that.
    pub store_name: Option<String>,
    /// Where the answer comes to.
    pub redirect_uri: String,
}

/// A store that was connected.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The store.
    pub store: Store,
    /// Whether it is new here.
    pub added: bool,
    /// What its token allows, in the vendor's words.
    pub scopes: Option<String>,
    /// Its name in the vendor's words.
    pub title: Option<String>,
    /// Who has consented.
    pub user: Option<String>,
}

/// What came of a consent.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A store is connected.
    Connected(Box<Connected>),
    /// A store is disconnected.
    Disconnected(Box<Store>),
}

/// Connects stores of one OAuth client.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Gets tokens.
    pub tokens: Tokens,
    /// Who we are to the vendor.
    pub client: Client,
    /// The side that gives tokens.
    pub party: Party,
}

impl Connect {
    /// Refuses when more consents are waited for than there are merchants: asked before strangers may begin one.
    pub async fn has_room(&self) -> Result<(), ConnectError> {
        let now = self.tokens.clock.now();
        let waiting = oauth_states::waiting(&self.tokens.db, now - REMEMBERED, now).await?;
        if waiting < MOST_WAITING { Ok(()) } else { Err(ConnectError::Busy) }
    }

    /// Begins: the address to which the merchant goes, and the state that has to come back from there.
    pub async fn begin(&self, wish: &Wish) -> Result<(Url, Secret), ConnectError> {
        let (db, now) = (&self.tokens.db, self.tokens.clock.now());
        let state = new_state();
        let begun = Begun {
            digest: digest(&state),
            purpose: wish.purpose,
            connector: self.party.connector().to_owned(),
            subject: wish.subject.clone(),
            store_name: wish.store_name.clone(),
            redirect_uri: wish.redirect_uri.clone(),
            created_at: now,
            expires_at: now + PATIENCE,
        };
        oauth_states::begin(db, begun).await?;
        let about = About { subject: &wish.subject, redirect_uri: &wish.redirect_uri, state: state.expose() };
        let url = self.party.consent_url(wish.purpose, &self.client.id, about);
        Ok((url, state))
    }

    /// Takes the state that came back, before anything else is done with the answer.
    pub async fn take(&self, state: &Secret) -> Result<Begun, ConnectError> {
        match oauth_states::take(&self.tokens.db, &digest(state), self.tokens.clock.now()).await? {
            Taken::Begun(begun) if begun.connector == self.party.connector() => Ok(begun),
            Taken::Begun(_) => Err(ConnectError::State("this answer is for another connector; begin again")),
            Taken::Used => Err(ConnectError::State("this answer was used before; begin again")),
            Taken::Expired => Err(ConnectError::State("this answer comes more than ten minutes late; begin again")),
            Taken::Unknown => Err(ConnectError::State("nobody here has asked for this answer; begin here")),
        }
    }

    /// Finishes what was begun, with the code that came back. `by_operator` says that whoever began it may approve where keys go.
    pub async fn finish(&self, begun: &Begun, code: &Secret, by_operator: bool) -> Result<Outcome, ConnectError> {
        let endpoint = self.party.endpoint();
        let given = self.tokens.exchange(&endpoint, &self.client, code, &begun.redirect_uri, &begun.subject).await?;
        match begun.purpose {
            Purpose::Connect => {
                let connected = match &self.party {
                    Party::Neto { version, hosts } => self.settle(begun, given, (*version, hosts), by_operator).await?,
                    Party::Described(side) => self.settle_described(begun, given, &side.store_url).await?,
                };
                Ok(Outcome::Connected(Box::new(connected)))
            }
            Purpose::Disconnect => Ok(Outcome::Disconnected(Box::new(self.dismiss(begun, &given.tokens).await?))),
        }
    }

    /// The store that is meant, if it is here.
    async fn find(&self, is_meant: impl Fn(&Store) -> bool) -> Result<Option<Store>, StorageError> {
        let all = stores::list_stores(&self.tokens.db).await?;
        Ok(all.into_iter().find(|store| store.connector == self.party.connector() && is_meant(store)))
    }
}

/// A state nobody can guess.
fn new_state() -> Secret {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    Secret::new(&URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

fn digest(state: &Secret) -> String {
    blake3::hash(state.expose().as_bytes()).to_hex().to_string()
}
