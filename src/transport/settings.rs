//! The limits of all calls.

use std::time::Duration;

use super::RetryPolicy;
use crate::config::Config;

/// The limits of all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For a connection to come about.
    pub connect_timeout: Duration,
    /// For a pause in the answer, the one before it included.
    pub read_timeout: Duration,
    /// For one try from beginning to end.
    pub timeout: Duration,
    /// Bytes of one answer, decompressed.
    pub max_body_bytes: usize,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Whether loopback, private addresses and plain http to them are allowed.
    pub allow_loopback: bool,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let secs = |secs: u32| Duration::from_secs(secs.into());
        let millis = |millis: u32| Duration::from_millis(millis.into());
        Self {
            connect_timeout: secs(config.fetch.connect_timeout_secs),
            read_timeout: secs(config.fetch.read_timeout_secs),
            timeout: secs(config.fetch.timeout_secs),
            max_body_bytes: config.fetch.max_body_bytes,
            retry: RetryPolicy {
                initial: millis(config.retry.initial_ms),
                max: millis(config.retry.max_ms),
                max_elapsed: secs(config.retry.max_elapsed_secs),
                attempts: config.retry.attempts,
            },
            allow_loopback: config.transport.allow_loopback,
        }
    }
}
