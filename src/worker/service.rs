//! What systemd is told (`Type=notify`). Without systemd nobody listens and nothing happens.

use sd_notify::NotifyState;
use tracing::debug;

/// The service is up: database and keys are fine.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// What `systemctl status` shows.
pub fn status(sentence: &str) {
    tell(&[NotifyState::Status(sentence)]);
}

/// The configuration is read again; [`ready`] says when that is over, however it ended.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // Together: without the time systemd gives the service up.
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!("systemd could not be told: {error}"),
    }
}

/// The service is on its way out.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!("systemd could not be told: {error}");
    }
}
