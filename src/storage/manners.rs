//! How a program behaves towards a PostgreSQL server that many share: how many connections it takes, how long it keeps
//! them, and how patiently it waits for one. On SQLite none of this matters.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Connections at the most.
    pub connections: u32,
    /// How long one that is not used is kept.
    pub keep_unused: Duration,
    /// Whether a connection is given up soon, used or not, once the server was found to be full.
    pub makes_room: bool,
    /// How long to wait for a server that has no connection left or is starting.
    pub wait_for_room: Duration,
    /// How long to wait for a server that does not answer at all.
    pub wait_for_server: Duration,
}

impl Manners {
    /// Whoever only wants to know how things are, and tests: no waiting.
    pub const ASKING: Self = Self {
        connections: 16,
        keep_unused: Duration::from_mins(10),
        makes_room: false,
        wait_for_room: Duration::ZERO,
        wait_for_server: Duration::ZERO,
    };
    /// A command: a thousand of them may run at once, on a server with a hundred connections.
    pub const COMMAND: Self = Self {
        connections: 4,
        keep_unused: Duration::from_secs(1),
        makes_room: true,
        wait_for_room: Duration::from_mins(5),
        wait_for_server: Duration::ZERO,
    };
    /// A command that works on a run itself: it needs its connections until it is done.
    pub const WORKING: Self = Self { keep_unused: Duration::from_mins(10), makes_room: false, ..Self::COMMAND };
    /// The daemon: it may be started before the server is, and has enough for its slots.
    pub const SERVICE: Self = Self { connections: 16, wait_for_server: Duration::from_mins(1), ..Self::WORKING };
}

/// How old a connection gets where others wait for a place: as long as a command needs to begin.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(2);

/// The first wait is up to this; the bound doubles each time ...
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// ... up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The waits of one attempt to connect: random, so that many do not come back at once, and growing.
pub(super) struct Patience<'a> {
    manners: &'a Manners,
    since: Instant,
    bound: Duration,
    crowded: bool,
}

impl<'a> Patience<'a> {
    pub(super) fn new(manners: &'a Manners) -> Self {
        Self { manners, since: Instant::now(), bound: FIRST_WAIT, crowded: false }
    }

    /// Whether it has been waited already.
    pub(super) fn has_waited(&self) -> bool {
        self.bound > FIRST_WAIT
    }

    /// Whether the server was full at least once.
    pub(super) fn was_crowded(&self) -> bool {
        self.crowded
    }

    /// How long to wait before the next try; `None` when it is of no use, or the patience is at its end.
    pub(super) fn wait_after(&mut self, refusal: &sqlx::Error) -> Option<Duration> {
        let (longest, crowded) = match refusal {
            sqlx::Error::Database(error) => match error.code().as_deref() {
                Some("53300") => (self.manners.wait_for_room, true),
                Some("57P03" | "57P01" | "57P02") => (self.manners.wait_for_room, false),
                _ => return None,
            },
            // A socket in the file system has a queue for those who want in; when that is full the system says so at once.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::WouldBlock => (self.manners.wait_for_room, true),
            sqlx::Error::Io(_) => (self.manners.wait_for_server, false),
            // A pool has waited for room itself.
            sqlx::Error::PoolTimedOut => (self.manners.wait_for_room, true),
            _ => return None,
        };
        self.crowded |= crowded;
        let wait = self.bound.mul_f64(rand::random_range(0.5..=1.0));
        self.bound = (self.bound * 2).min(LONGEST_WAIT);
        (self.since.elapsed() + wait < longest).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_are_random_and_end_with_the_patience() {
        let refusal = sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        assert_eq!(Patience::new(&Manners::ASKING).wait_after(&refusal), None);
        assert_eq!(Patience::new(&Manners::COMMAND).wait_after(&refusal), None, "a person is told at once");
        let mut patience = Patience::new(&Manners::SERVICE);
        let waits: Vec<_> = (0..20).map(|_| patience.wait_after(&refusal).expect("patient")).collect();
        assert!(waits[0] <= FIRST_WAIT && waits[19] > Duration::from_secs(2) && waits[19] <= LONGEST_WAIT, "{waits:?}");
        assert!(!patience.was_crowded());
        assert_eq!(patience.wait_after(&sqlx::Error::PoolClosed), None, "waiting would not help");
    }
}
