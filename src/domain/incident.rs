//! What a person is told about: once when it begins, now and then while it lasts, once when it is over; never at every failure.

use chrono::{DateTime, TimeDelta, Utc};

use super::text_enum::text_enum;

text_enum! {
    /// What is wrong. The text form is what `incidents.kind` holds.
    IncidentKind {
        /// A store refuses its key for good; over when a key of it works, or a new one is given.
        KeyRevoked = "key_revoked",
        /// Many stores of one connector fail together; over when they answer again.
        VendorOutage = "vendor_outage",
        /// The last run of a store failed, not for want of a key; over with the next one that succeeds.
        StoreFailing = "store_failing",
        /// A sweep misses so many products that a person has to look; over when they are back, or removed.
        RemovalsHeld = "removals_held",
        /// The import of credentials fails or refuses rows; over when it takes all of them.
        ImportFailed = "import_failed",
    }
}

text_enum! {
    /// What a notice says about an incident.
    NoticeEvent {
        /// It has begun.
        Opened = "opened",
        /// It lasts.
        StillOpen = "still_open",
        /// It is over.
        Closed = "closed",
    }
}

/// Something that is or was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    /// What is wrong.
    pub kind: IncidentKind,
    /// Key of the store; `None` when it is about a connector.
    pub store_id: Option<i64>,
    /// Name of that store.
    pub store: Option<String>,
    /// The connector, of the store or by itself; `import` when it is about the import.
    pub connector: String,
    /// When it was noticed.
    pub opened_at: DateTime<Utc>,
    /// When it was last seen to last.
    pub last_seen_at: DateTime<Utc>,
    /// When it was over.
    pub closed_at: Option<DateTime<Utc>>,
    /// What is wrong and what to do, in one line; redacted.
    pub sentence: String,
    /// When its beginning was told.
    pub told_opened_at: Option<DateTime<Utc>>,
    /// When it was last told that it lasts.
    pub told_reminded_at: Option<DateTime<Utc>>,
    /// When its end was told.
    pub told_closed_at: Option<DateTime<Utc>>,
    /// No notice of it before.
    pub notice_at: DateTime<Utc>,
    /// How often the next notice of it was tried.
    pub notice_tries: u32,
}

impl Incident {
    /// What is to be told next, if anything is at `now`; that it lasts, every `remind`.
    #[must_use]
    pub fn untold(&self, now: DateTime<Utc>, remind: TimeDelta) -> Option<NoticeEvent> {
        let Some(told) = self.told_opened_at else { return Some(NoticeEvent::Opened) };
        let last = self.told_reminded_at.unwrap_or(told);
        match (self.closed_at, self.told_closed_at) {
            (Some(_), None) => Some(NoticeEvent::Closed),
            (None, _) if now - last >= remind => Some(NoticeEvent::StillOpen),
            _ => None,
        }
    }
}

/// When a notice that is tried at `now` may be tried again, should it not arrive: after a minute, doubled each time, an hour at
/// the most. `tries` is how often it was tried before.
#[must_use]
pub fn next_try(tries: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::minutes((1_i64 << tries.min(6)).min(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_told_when_it_opens_every_day_it_lasts_and_when_it_closes() {
        let begun = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let hour = |hours| begun + TimeDelta::hours(hours);
        let at = |hours: Option<i64>| hours.map(hour);
        for (closed, opened_told, reminded, closed_told, now, expected) in [
            (None, None, None, None, 0, Some(NoticeEvent::Opened)),
            (Some(1), None, None, None, 2, Some(NoticeEvent::Opened)),
            (None, Some(0), None, None, 23, None),
            (None, Some(0), None, None, 24, Some(NoticeEvent::StillOpen)),
            (None, Some(0), Some(24), None, 47, None),
            (None, Some(0), Some(24), None, 48, Some(NoticeEvent::StillOpen)),
            (Some(30), Some(0), Some(24), None, 30, Some(NoticeEvent::Closed)),
            (Some(30), Some(0), Some(24), Some(30), 100, None),
        ] {
            let incident = Incident {
                id: 1,
                kind: IncidentKind::KeyRevoked,
                store_id: Some(1),
                store: Some("shop".to_owned()),
                connector: "neto".to_owned(),
                opened_at: begun,
                last_seen_at: begun,
                closed_at: at(closed),
                sentence: String::new(),
                told_opened_at: at(opened_told),
                told_reminded_at: at(reminded),
                told_closed_at: at(closed_told),
                notice_at: begun,
                notice_tries: 0,
            };
            assert_eq!(incident.untold(hour(now), TimeDelta::days(1)), expected, "{incident:?} at hour {now}");
        }
    }

    #[test]
    fn a_notice_that_does_not_arrive_is_tried_again_ever_more_seldom() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let waits: Vec<_> = [0, 1, 2, 5, 6, 1000].map(|tries| (next_try(tries, now) - now).num_minutes()).into();
        assert_eq!(waits, [1, 2, 4, 32, 60, 60]);
    }
}
