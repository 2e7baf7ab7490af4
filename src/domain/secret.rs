//! Secret values: wrapped from the prompt to the header.
//!
//! [`Secret`] has no `Display`, prints as `[REDACTED]` in `Debug`, cannot be serialised and is wiped from memory
//! when dropped. `expose` is for sealing, fingerprinting, placing the header, cutting it out of errors and connecting,
//! and for nothing else.

use secrecy::{ExposeSecret, SecretString};

/// An API key, a token or a password.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps `text`, without the white space around it (keys are often pasted with a line end).
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim().to_owned()))
    }

    /// The plain text, for sealing, fingerprinting and the request header only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}
