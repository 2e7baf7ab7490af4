//! What a store's answers have taught: which parts of a request it refuses, and how many records a page it bears. Kept with the
//! store so that not every run pays for it anew, and doubted after a week: stores are upgraded.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::page_size::PageSize;

/// How long it is believed.
const BELIEVED: TimeDelta = TimeDelta::days(7);

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Parts of a request that it refuses: selectors by name, and `OrderBy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Records in full detail a page, where it does not bear the configured number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// Records in little detail a page, where it does not bear the configured number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep_page_size: Option<u32>,
    /// Since when; `None` while nothing was learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
}

impl Learned {
    /// Whether it is so old that a run should begin without it.
    #[must_use]
    pub fn is_stale(&self, now: DateTime<Utc>) -> bool {
        self.since.is_some_and(|since| now - since >= BELIEVED)
    }

    /// The page in full detail to ask for, of at most as many records as configured.
    #[must_use]
    pub fn page(&self, configured: u32) -> PageSize {
        PageSize::borne(configured, self.page_size)
    }

    /// The page in little detail to ask for, of at most as many records as configured.
    #[must_use]
    pub fn sweep_page(&self, configured: u32) -> PageSize {
        PageSize::borne(configured, self.sweep_page_size)
    }

    /// The same, dated: what was known before keeps its date, unless it was just found out anew.
    #[must_use]
    pub fn dated(mut self, before: &Self, anew: bool, now: DateTime<Utc>) -> Self {
        let nothing = self.refused.is_empty() && self.page_size.is_none() && self.sweep_page_size.is_none();
        self.since = if nothing { None } else { before.since.filter(|_| !anew).or(Some(now)) };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_believed_for_a_week_from_when_it_was_found_out() {
        let now = DateTime::UNIX_EPOCH;
        let refuses = || Learned { refused: vec!["Misc07".into()], ..Learned::default() };
        let first = refuses().dated(&Learned::default(), false, now);
        assert_eq!(first.since, Some(now));
        let (sixth, eighth) = (now + TimeDelta::days(6), now + TimeDelta::days(8));
        assert_eq!(refuses().dated(&first, false, sixth).since, Some(now));
        assert_eq!((first.is_stale(sixth), first.is_stale(eighth)), (false, true));
        assert_eq!(refuses().dated(&first, true, eighth).since, Some(eighth));
        assert_eq!(Learned::default().dated(&first, true, eighth), Learned::default());
        assert!(!Learned::default().is_stale(eighth));
    }
}
