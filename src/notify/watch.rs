//! What opens and closes by the look of the database: outages of a vendor, and stores whose runs fail. (A revoked key opens
//! and closes its incident together with its flag.)

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Config;
use crate::domain::incident::{Incident, IncidentKind};
use crate::storage::failing::{self, Failing};
use crate::storage::incidents::{self, Subject};
use crate::storage::vendor::{self, Question};
use crate::storage::{Database, StorageError};
use crate::sync::vendor::Vendor;

/// How many outages back a failed run is explained by one.
const OUTAGES: u64 = 50;

/// Opens what has begun and closes what is over.
pub async fn watch(db: &Database, config: &Config, now: DateTime<Utc>) -> Result<(), StorageError> {
    let rule = config.auth.outage();
    let since = now - rule.window;
    let mut on = Vec::new();
    for outage in incidents::open(db, None).await?.into_iter().filter(|open| open.kind == IncidentKind::VendorOutage) {
        if (Vendor { db, rule, connector: &outage.connector }).look(now).await? {
            on.push(outage.connector);
        }
    }
    for (connector, tally) in vendor::tallies(db, &Question { connector: None, except: None, since, now }).await? {
        if !on.contains(&connector) {
            Vendor { db, rule, connector: &connector }.note(&tally, now).await?;
        }
    }
    failing::close_recovered(db, now).await?;
    let failing = failing::newly_failing(db, now).await?;
    if failing.is_empty() {
        return Ok(());
    }
    let outages = incidents::newest_outages(db, OUTAGES).await?;
    for store in failing.iter().filter(|store| !outages.iter().any(|outage| explains(outage, store, rule.window))) {
        let Failing { store: name, error, .. } = store;
        let said = error.as_deref().unwrap_or("it left no reason");
        let sentence = format!("the sync of store {name} failed: {said}; see `netosync why {name}`");
        incidents::begin(db, IncidentKind::StoreFailing, Subject::Store(store.store_id), &sentence, now).await?;
    }
    Ok(())
}

/// Whether a run failed because of an outage: within it, or in the time before it was noticed.
fn explains(outage: &Incident, store: &Failing, window: TimeDelta) -> bool {
    outage.connector == store.connector
        && store.failed_at >= outage.opened_at - window
        && outage.closed_at.is_none_or(|over| store.failed_at <= over)
}
