//! Puts a credential into a request.

use super::{Ask, Auth};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Body, Method, Request};
use crate::domain::secret::Secret;
use crate::domain::store::Credential;

/// Refusals whose answer goes to the connector: it knows where the API says what is wrong. Redirects, 429 and what
/// passes by itself stay the transport's.
const REFUSALS: std::ops::RangeInclusive<u16> = 400..=499;
const TRANSPORTS: [u16; 3] = [408, 425, 429];

/// The request with the credential in its place. A token goes out as it is: getting and renewing it is not done here.
///
/// # Errors
/// `Config` when the credential lacks what its scheme needs.
pub fn present(auth: &Auth, credential: &Credential, ask: Ask) -> Result<Request, RemoteError> {
    let key = &credential.secret;
    if key.is_empty() {
        return Err(missing(match auth {
            Auth::Bearer | Auth::HeaderKey { .. } | Auth::HeaderPair { .. } => "there is no key",
            _ => "no token has been got yet",
        }));
    }
    let body = ask.body.map_or(Body::Empty, |body| Body::Json(body.to_string()));
    let body = if ask.method == Method::Get { Body::Empty } else { body };
    let accepts: Vec<u16> = REFUSALS.filter(|status| !TRANSPORTS.contains(status)).collect();
    let mut request = Request::of(ask.method, ask.url, body).accepting(&accepts);
    for (name, value) in ask.headers {
        request = request.plain(name, value);
    }
    Ok(match auth {
        Auth::HeaderKey { header, prefix } => with_prefix(request, header.clone(), prefix, key),
        Auth::HeaderPair { id_header, key_header } => {
            let id = credential.client_id.as_ref().filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| missing("there is no client id"))?;
            request.plain(id_header.clone(), id).secret(key_header.clone(), key.clone())
        }
        Auth::Bearer | Auth::ClientCredentials(_) | Auth::AuthorizationCode { .. } | Auth::Login(_) => {
            with_prefix(request, "Authorization".to_owned(), "Bearer ", key)
        }
    })
}

/// The key behind its prefix; hidden by itself too, because an answer may repeat it without.
fn with_prefix(request: Request, header: String, prefix: &str, key: &Secret) -> Request {
    let value = Secret::new(&format!("{prefix}{}", key.expose()));
    request.secret(header, value).hiding(key.clone())
}

fn missing(what: &str) -> RemoteError {
    RemoteError::new(ErrorClass::Config, format!("the credential cannot be presented: {what}"))
        .hint("give it with `netosync store rekey`")
}
