//! Where an incremental run starts (design §3): at the newest edit that was seen, in the server's own time, minus an overlap.
//!
//! The cursor is made of the dates the server puts on its products and never of our clock. `CurrentTime` bounds it, because one
//! product dated in the future would hide every edit before that date; its zone is unstated (spec: Neto API §3.2), so it may
//! be off by any zone's offset.

use chrono::{DateTime, TimeDelta, Utc};

/// The largest offset a zone has.
const ANY_ZONE: TimeDelta = TimeDelta::hours(14);
/// An overlap never grows beyond this.
const MOST: TimeDelta = TimeDelta::days(2);

/// The newest edit seen so far. Travels in the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Newest {
    /// The newest believable date.
    pub edited: Option<DateTime<Utc>>,
    /// The server's time at the beginning of the run, as it said it.
    pub server_time: Option<DateTime<Utc>>,
}

impl Newest {
    /// Takes note of the server's time, the first time it is said.
    pub fn server_says(&mut self, time: Option<DateTime<Utc>>) {
        self.server_time = self.server_time.or(time);
    }

    /// The latest date that does not lie in the future, where the server has said what time it is.
    #[must_use]
    pub fn latest_believable(&self) -> Option<DateTime<Utc>> {
        self.server_time.map(|now| now + ANY_ZONE)
    }

    /// Takes note of a product's date, unless it lies in the future.
    pub fn saw(&mut self, edited: DateTime<Utc>) {
        if self.latest_believable().is_none_or(|latest| edited <= latest) {
            self.edited = self.edited.max(Some(edited));
        }
    }

    /// The cursor after a run that missed nothing: it never goes back.
    #[must_use]
    pub fn cursor(&self, before: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        self.edited.max(before)
    }
}

/// The overlap after a sweep. `late_by` is by how much an edit that the incremental runs had missed lies before the cursor they
/// started at; without one the overlap shrinks slowly, to the configured `least`.
#[must_use]
pub fn adapt(overlap: TimeDelta, least: TimeDelta, late_by: Option<TimeDelta>) -> TimeDelta {
    let next = match late_by {
        Some(late) => overlap.max(late + late / 2),
        None => overlap - overlap / 10,
    };
    next.clamp(least, MOST.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hour * 3600, 0).expect("in range")
    }

    #[test]
    fn the_cursor_is_the_newest_believable_edit_and_never_goes_back() {
        let mut newest = Newest::default();
        newest.server_says(Some(at(0)));
        newest.server_says(Some(at(99)));
        for edited in [-5, -1, 30] {
            newest.saw(at(edited));
        }
        assert_eq!(newest.cursor(None), Some(at(-1)));
        assert_eq!(newest.cursor(Some(at(1))), Some(at(1)));
        assert_eq!(Newest::default().cursor(Some(at(1))), Some(at(1)));
        newest.saw(at(14));
        assert_eq!(newest.cursor(None), Some(at(14)), "it may be the zone");
    }

    #[test]
    fn the_overlap_grows_with_what_was_missed_and_shrinks_slowly() {
        let hours = TimeDelta::hours;
        assert_eq!(adapt(hours(1), hours(1), Some(hours(4))), hours(6));
        assert_eq!(adapt(hours(6), hours(1), Some(hours(1))), hours(6));
        assert_eq!(adapt(hours(10), hours(1), None), hours(9));
        assert_eq!(adapt(hours(1), hours(1), None), hours(1));
        assert_eq!(adapt(hours(1), hours(1), Some(hours(900))), hours(48));
    }
}
