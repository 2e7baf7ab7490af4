//! A code for a token.

use chrono::{DateTime, Utc};

use super::client::hosts;
use super::{Failure, TokenError, Tokens};
use crate::connector::neto;
use crate::connector::neto::oauth::{Properties, read_properties};
use crate::connector::oauth::{self, Client, Endpoint, Grant, Refusal};
use crate::domain::secret::Secret;

/// What a code brought.
#[derive(Clone, Debug)]
pub struct Given {
    /// The tokens, and what was said with them.
    pub tokens: oauth::Tokens,
    /// When they were asked for: their life counts from there.
    pub at: DateTime<Utc>,
}

impl Tokens {
    /// Exchanges a code, which is good for one use: it is sent once. Once more by GET where the endpoint says that it was asked in
    /// the wrong way, so that it cannot have taken the code (spec: Neto API §6.1). `subject` is the store, for people.
    ///
    /// # Errors
    /// [`TokenError::Dead`] when the code is refused, [`TokenError::Remote`].
    pub async fn exchange(
        &self,
        endpoint: &Endpoint,
        client: &Client,
        code: &Secret,
        redirect_uri: &str,
        subject: &str,
    ) -> Result<Given, TokenError> {
        let (context, at) = (self.context(subject), self.clock.now());
        let grant = Grant::Code { code, redirect_uri };
        let asked = self.send(&context, &oauth::ask(endpoint, client, grant), None).await;
        let asked = match asked {
            Err(Failure::Refused(Refusal::OtherWay(_), _)) if endpoint.code_twice => {
                self.send(&context, &oauth::ask_by_get(endpoint, client, grant), None).await
            }
            asked => asked,
        };
        let tokens = asked.map_err(|failure| failure.of_consent(subject))?;
        Ok(Given { tokens, at })
    }
}

impl Tokens {
    /// What the vendor says about a store of the shared host: also the test that the token is good.
    pub async fn properties(&self, api_id: &str, access: &Secret) -> Result<Properties, TokenError> {
        let request = neto::oauth::properties(&hosts(&self.config), api_id, access);
        let answer = self.transport.call_once(&self.context(api_id), &request, |answer| read_properties(&answer)).await;
        Ok(answer?)
    }
}
