//! How far a run is in a stream's list; it goes into checkpoints.

use serde::{Deserialize, Serialize};

use super::Mark;

/// The place in a list from which the next page is asked for.
///
/// It also remembers enough to notice a list that goes in circles, whatever the length of the circle, without keeping
/// every place it has been to (Brent's algorithm): one digest as an anchor, which is moved after 1, 2, 4, 8… pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The page.
    pub(super) place: Place,
    /// Whether the stream's `fallback_path` is used, because `path` answered HTTP 404.
    #[serde(default)]
    pub(super) fallback: bool,
    /// Only what changed since is asked for; `None` = everything.
    pub since: Option<Mark>,
    /// Pages so far.
    pub pages: u64,
    /// Elements of the list so far, as the API counts them.
    pub seen: u64,
    pub(super) trail: Trail,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// The first.
    Start,
    /// The one of this number.
    Page(u64),
    /// The one that begins after so many elements.
    Offset(u64),
    /// The one at this address.
    Link(String),
    /// The one that this token stands for.
    Token(String),
}

/// What has been seen, in little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trail {
    last: Option<String>,
    anchor: Option<String>,
    steps: u64,
    reach: u64,
}

impl Position {
    /// The beginning of a list; with `since`, of the part that changed since.
    #[must_use]
    pub fn start(since: Option<Mark>) -> Self {
        Self { place: Place::Start, fallback: false, since, pages: 0, seen: 0, trail: Trail::default() }
    }

    /// Whether it is the first page that is asked for.
    #[must_use]
    pub fn is_start(&self) -> bool {
        self.place == Place::Start
    }
}

impl Trail {
    /// Goes one step on. `false` when this is where it was before: the step after it or a circle.
    #[must_use]
    pub(super) fn step(&mut self, here: &str) -> bool {
        let digest = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(here.as_bytes()));
        if self.last.as_ref() == Some(&digest) || self.anchor.as_ref() == Some(&digest) {
            return false;
        }
        self.steps += 1;
        if self.steps > self.reach {
            self.anchor = Some(digest.clone());
            self.reach = self.reach.saturating_mul(2).max(1);
            self.steps = 0;
        }
        self.last = Some(digest);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_circle_is_noticed_within_a_few_rounds(tail in 0_u64..50, circle in 1_u64..50) {
            let mut trail = Trail::default();
            let at = |step: u64| if step < tail { step } else { tail + (step - tail) % circle };
            let stopped = (0..1000).find(|step| !trail.step(&at(*step).to_string()));
            prop_assert!(stopped.is_some_and(|step| step <= 4 * (tail + circle) + 4), "{stopped:?}");
        }

        #[test]
        fn a_way_without_circles_goes_on(steps in 1_u64..500) {
            let mut trail = Trail::default();
            prop_assert!((0..steps).all(|step| trail.step(&step.to_string())));
        }
    }
}
