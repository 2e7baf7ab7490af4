//! OAuth 2.0 as the vendors spell it: what is sent to a token endpoint, and what its answer says. No I/O.
//!
//! ```text
//! authorize_url ─► (a person consents) ─► code ─► ask ─► (transport) ─► read ─► Tokens, or a Refusal
//!                                  refresh token ─┘
//! ```
//! Neto's spelling leaves a library little to do: no `token_type` in its answers, the code under two names, a GET where a POST
//! is not taken, HTML entities in texts (spec: Neto API §6.1).

mod answer;
mod ask;

pub use answer::{Places, Refusal, Shop, Tokens, User, read};
pub use ask::{
    Client, ENDPOINT_STATUSES, Encoding, Endpoint, Grant, LoginForm, SecretIn, ask, ask_by_get, authorize_url, log_in,
};
