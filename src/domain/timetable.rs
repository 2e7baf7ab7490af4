//! Of a store, what decides when it is synced by itself: a short row, because the scheduler reads that of every store at every tick.

use chrono::{DateTime, Utc};

use super::run::RunKind;
use super::store::Store;

/// When a store wants to be synced.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timetable {
    /// Key of the store.
    pub store_id: i64,
    /// Its name.
    pub store: String,
    /// IANA name of the zone its schedules are read in; `None` = the configured one.
    pub timezone: Option<String>,
    /// Own cron expression for full runs; `None` = the configured one.
    pub full: Option<String>,
    /// Own cron expression for incremental runs.
    pub incremental: Option<String>,
    /// Own cron expression for sweeps.
    pub sweep: Option<String>,
    /// Since when it rests, if it does.
    pub paused_at: Option<DateTime<Utc>>,
    /// Until when; `None` = until somebody says so.
    pub paused_until: Option<DateTime<Utc>>,
}

impl Timetable {
    /// Its own cron expression for runs of a kind; `None` = the configured one.
    #[must_use]
    pub fn own_schedule(&self, kind: RunKind) -> Option<&str> {
        match kind {
            RunKind::Full => self.full.as_deref(),
            RunKind::Sweep => self.sweep.as_deref(),
            RunKind::Incremental => self.incremental.as_deref(),
            RunKind::Audit => None,
        }
    }

    /// Whether the store rests at `now`.
    #[must_use]
    pub fn is_paused(&self, now: DateTime<Utc>) -> bool {
        self.paused_at.is_some() && self.paused_until.is_none_or(|until| now < until)
    }
}

impl From<&Store> for Timetable {
    fn from(store: &Store) -> Self {
        Self {
            store_id: store.id,
            store: store.name.clone(),
            timezone: store.timezone.clone(),
            full: store.schedule_full.clone(),
            incremental: store.schedule_incremental.clone(),
            sweep: store.schedule_sweep.clone(),
            paused_at: store.paused_at,
            paused_until: store.paused_until,
        }
    }
}
