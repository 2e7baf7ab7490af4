//! A limit on calls in all, whoever makes them: what a plan may cost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::domain::error::{ErrorClass, RemoteError};

/// So many calls and no more.
#[derive(Debug)]
pub struct Allowance {
    calls: u64,
    left: AtomicU64,
    exceeded: AtomicBool,
}

impl Allowance {
    /// An allowance of so many `calls`.
    #[must_use]
    pub fn new(calls: u64) -> Self {
        Self { calls, left: AtomicU64::new(calls), exceeded: AtomicBool::new(false) }
    }

    /// Whether a call was refused.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Takes a call, or refuses it with an error that nobody tries again after.
    pub(super) fn take(&self) -> Result<(), RemoteError> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_ok() {
            return Ok(());
        }
        self.exceeded.store(true, Ordering::Relaxed);
        Err(RemoteError::new(
            ErrorClass::Internal,
            format!("all {} calls that were allowed have been made", self.calls),
        ))
    }
}
