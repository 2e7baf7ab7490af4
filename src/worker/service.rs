//! What systemd is told (`Type=notify`). Without systemd nobody listens and nothing happens.

use sd_notify::NotifyState;
use tracing::debug;

/// The service is up: database and keys are fine.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// What `systemctl status` shows.
pub fn status(sentence: &str) {
    tell(NotifyState::Status(sentence));
}

/// The service is on its way out.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!("systemd could not be told: {error}");
    }
}
