//! Keeps the history from growing for ever: once a day, a small batch a tick until nothing is too old any more.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::config;
use crate::storage::Database;
use crate::storage::prune::{self, Cutoffs, Pruned};

/// From the end of one pruning to the next.
const DAILY: TimeDelta = TimeDelta::days(1);
/// After a pruning that failed.
const AFTER_FAILURE: TimeDelta = TimeDelta::hours(1);

/// When to prune next, and what was pruned so far.
#[derive(Debug, Default)]
pub struct Pruning {
    /// `None` = now.
    next: Option<DateTime<Utc>>,
    so_far: Pruned,
}

impl Pruning {
    /// Prunes one batch when it is time. A failure is said and tried again later: the queue does not wait for it.
    pub async fn step(&mut self, db: &Database, retention: &config::Retention, now: DateTime<Utc>) {
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        match prune::batch(db, &Cutoffs::of(retention, now)).await {
            Ok(pruned) if pruned == Pruned::default() => {
                let forgot = std::mem::take(&mut self.so_far);
                if forgot != Pruned::default() {
                    let Pruned { runs, quarantine, changes } = forgot;
                    info!(
                        runs,
                        quarantine,
                        changes,
                        "forgot {runs} old runs, {quarantine} replayed records and {changes} lines of the change feed"
                    );
                }
                self.next = Some(now + DAILY);
            }
            Ok(pruned) => self.so_far += pruned,
            Err(error) => {
                warn!("{error}; old runs stay for now");
                self.next = Some(now + AFTER_FAILURE);
            }
        }
    }
}
