//! What systemd is told (`Type=notify`). Without systemd nobody listens and nothing happens.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sd_notify::NotifyState;
use tracing::debug;

/// What `systemctl status` shows of a service at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Slots that work on a run.
    pub busy: usize,
    /// Slots there are.
    pub slots: usize,
    /// Runs that wait for a slot or for their time.
    pub queued: u64,
    /// When a schedule queues the next run, if one ever does.
    pub next_run: Option<DateTime<Utc>>,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// Whether anybody hears what is told here.
#[must_use]
pub fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The service is up: database and keys are fine; or it has read its configuration again.
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

/// How often systemd wants to hear [`alive`]; `None` when it does not.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Feeds the watchdog.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!("systemd could not be told: {error}");
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} slots at work, {} queued", self.busy, self.slots, self.queued)?;
        match self.next_run {
            Some(at) if at.date_naive() == self.now.date_naive() => write!(f, ", next run {}", at.format("%T UTC")),
            Some(at) => write!(f, ", next run {}", at.format("%F %T UTC")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_a_sentence_with_the_date_of_another_day_only() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let now = time("2026-11-21T14:00:00Z");
        let standing = |next_run| Standing { busy: 3, slots: 4, queued: 12, next_run, now }.to_string();
        assert_eq!(
            standing(Some(time("2026-11-21T14:15:03Z"))),
            "3 of 4 slots at work, 12 queued, next run 14:15:03 UTC"
        );
        assert_eq!(
            standing(Some(time("2026-11-22T03:00:00Z"))),
            "3 of 4 slots at work, 12 queued, next run 2026-11-22 03:00:00 UTC"
        );
        assert_eq!(standing(None), "3 of 4 slots at work, 12 queued");
    }
}
