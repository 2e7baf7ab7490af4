//! Is it the vendor? Asked when a store fails, when one answers again, and at every tick of the daemon; the only place that opens
//! and closes outages. The rule is [`crate::domain::outage`]'s.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::incident::{Incident, IncidentKind};
use crate::domain::lifecycle::Others;
use crate::domain::outage::{Rule, Tally};
use crate::storage::incidents::{self, Subject};
use crate::storage::vendor::{self, Question};
use crate::storage::{Database, StorageError};

/// An open outage that was looked at within this time is believed without counting again: in an outage every store asks.
const WATCHED: TimeDelta = TimeDelta::minutes(1);

/// One connector's stores.
#[derive(Clone, Copy, Debug)]
pub struct Vendor<'a> {
    /// The database.
    pub db: &'a Database,
    /// From when on failures are the vendor's.
    pub rule: Rule,
    /// Name of the connector.
    pub connector: &'a str,
}

impl Vendor<'_> {
    /// What the other stores say about the failure of one at `now`, which is in its credential or about to be. `since` is when
    /// it failed first: besides the last minutes, the stores called since then are counted, because those called before say
    /// nothing about what has begun since. Opens the outage when there is one.
    pub async fn others(
        &self,
        store_id: i64,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Others, StorageError> {
        if let Some(outage) = incidents::open_outage(self.db, self.connector).await? {
            let watched = now - outage.last_seen_at < WATCHED;
            if watched || self.look_at(&outage, now).await? {
                return Ok(Others::Outage(outage.opened_at));
            }
        }
        let window = now - self.rule.window;
        let tally = self.tally(Some(store_id), window, now).await?.and_one_that_fails();
        if self.rule.holds(&tally) {
            return self.open(&tally, now).await;
        }
        if since > window {
            let recent = self.tally(Some(store_id), since, now).await?.and_one_that_fails();
            if self.rule.holds(&recent) {
                return self.open(&recent, now).await;
            }
        }
        let silent = self.rule.could_hold(&tally) && !tally.answered_since(since);
        Ok(if silent { Others::Silent } else { Others::Fine })
    }

    /// Closes the outage if it is over: a store has answered that was failing. Gives whether one is on.
    pub async fn look(&self, now: DateTime<Utc>) -> Result<bool, StorageError> {
        match incidents::open_outage(self.db, self.connector).await? {
            Some(outage) => self.look_at(&outage, now).await,
            None => Ok(false),
        }
    }

    /// Opens the outage if these stores show one; `tally` counts the last minutes.
    pub async fn note(&self, tally: &Tally, now: DateTime<Utc>) -> Result<(), StorageError> {
        if self.rule.holds(tally) {
            self.open(tally, now).await?;
        }
        Ok(())
    }

    async fn look_at(&self, outage: &Incident, now: DateTime<Utc>) -> Result<bool, StorageError> {
        let reach = self.rule.reach(outage.opened_at);
        let tally = self.tally(None, reach, now).await?;
        if self.rule.over(outage.opened_at, &tally) {
            vendor::end_outage(self.db, self.connector, reach, now).await?;
            return Ok(false);
        }
        let subject = Subject::Connector(self.connector);
        incidents::lasts(self.db, IncidentKind::VendorOutage, subject, &self.sentence(&tally), now).await
    }

    /// Opens the outage, or notes that it lasts.
    async fn open(&self, tally: &Tally, now: DateTime<Utc>) -> Result<Others, StorageError> {
        let (subject, sentence) = (Subject::Connector(self.connector), self.sentence(tally));
        incidents::begin(self.db, IncidentKind::VendorOutage, subject, &sentence, now).await?;
        Ok(Others::Outage(now))
    }

    fn sentence(&self, tally: &Tally) -> String {
        format!(
            "{} of {} {} stores called lately refuse their key or do not answer, which looks like an outage of the vendor: \
             no key is flagged meanwhile, the runs rest and go on by themselves",
            tally.failing, tally.tried, self.connector
        )
    }

    async fn tally(
        &self,
        except: Option<i64>,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StorageError> {
        vendor::tally(self.db, &Question { connector: Some(self.connector), except, since, now }).await
    }
}
