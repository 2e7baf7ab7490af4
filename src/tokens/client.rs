//! The OAuth client that the configuration names, and the vendor's hosts.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::connector::neto::oauth::Hosts;
use crate::connector::oauth::Client;
use crate::domain::secret::Secret;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `oauth.client_id` is empty.
    #[error("no OAuth client is configured; set oauth.client_id and oauth.client_secret_file")]
    NoId,
    /// `oauth.client_secret_file` is empty.
    #[error("the OAuth client {id} has no secret; set oauth.client_secret_file to a file that holds it")]
    NoSecret {
        /// Its id.
        id: String,
    },
    /// The file cannot be read.
    #[error("the file {} of oauth.client_secret_file cannot be used: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The configured client, with its secret as it is in its file now.
pub fn configured_client(config: &Config) -> Result<Client, ClientError> {
    let oauth = &config.oauth;
    let id = oauth.client_id.clone().ok_or(ClientError::NoId)?;
    let path = oauth.client_secret_file.clone().ok_or_else(|| ClientError::NoSecret { id: id.clone() })?;
    let secret = secret_in(&path).map_err(|reason| ClientError::File { path, reason })?;
    Ok(Client { id, secret })
}

/// The secret that a file holds, or why there is none; the path is not repeated.
pub fn secret_in(file: &Path) -> Result<Secret, String> {
    let secret = Secret::new(&std::fs::read_to_string(file).map_err(|error| error.to_string())?);
    if secret.is_empty() { Err("it is empty".to_owned()) } else { Ok(secret) }
}

/// The vendor's hosts, as configured.
#[must_use]
pub fn hosts(config: &Config) -> Hosts {
    Hosts { v1: config.oauth.v1_url.clone(), v2: config.oauth.v2_url.clone() }
}
