//! What a finished walk says about the copy: `complete`, or `partial` with every reason there is.

use super::outcome::{Stop, failed};
use super::walk::Walk;
use crate::domain::error::ErrorClass;
use crate::domain::run::{Counts, RunState, Verdict};
use crate::storage::products;
use crate::storage::runs::End;

impl Walk<'_> {
    /// What the finished walk says about the copy.
    pub async fn verdict(&self) -> Result<End, Stop> {
        let mut doubts = self.sequence.doubts.clone();
        let Counts { seen, quarantined, .. } = self.counts;
        let max_share = self.syncer.config.quarantine.max_share;
        if quarantined > FEW && quarantined as f64 > max_share * seen as f64 {
            let error = format!(
                "{quarantined} of {seen} records could not be read, more than quarantine.max_share = {max_share} allows; \
                 see `netosync quarantine list {}`",
                self.store.name
            );
            return Ok(failed(ErrorClass::Data, error));
        }
        if quarantined > 0 {
            doubts.push(format!(
                "{quarantined} records are in quarantine, see `netosync quarantine list {}`",
                self.store.name
            ));
        }
        let refused: Vec<_> = self.shape.refused().collect();
        if !refused.is_empty() {
            doubts.push(format!("the store refuses the selectors {}", refused.join(", ")));
        }
        let held = products::count(&self.syncer.db, self.store.id).await?;
        if seen.unsigned_abs() < held {
            doubts.push(format!(
                "the store listed {seen} products where the mirror holds {held}; the others are kept as they were"
            ));
        }
        let verdict = if doubts.is_empty() { Verdict::Complete } else { Verdict::Partial };
        let error = (!doubts.is_empty()).then(|| doubts.join("; "));
        Ok(End { state: RunState::Succeeded, verdict: Some(verdict), error_class: None, error })
    }
}

/// So many bad records never fail a run by themselves.
const FEW: i64 = 10;
