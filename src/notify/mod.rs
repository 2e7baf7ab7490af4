//! Tells people when they are needed: by incident, never by failure.
//!
//! ```text
//! keys that are revoked, runs that fail, vendors that are out ─► watch ─► incidents ─► notice ─► webhook, else the log
//! ```
//! At every tick [`Notifier::tick`] looks for incidents that no run opens or closes by itself (`watch`) and delivers what is
//! to be told. Any number of instances may do so beside each other: each notice is claimed in the database. It is delivered at
//! least once (a crash between delivery and the note of it repeats it), and its body names incident and event, by which a
//! receiver drops a repeat. It is a loop of its own beside the worker, so a webhook that hangs holds up nothing.

mod notice;
mod watch;

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::clock::SharedClock;
use crate::config::Live;
use crate::domain::incident::{Incident, NoticeEvent};
use crate::storage::{Database, StorageError, incidents};
use crate::transport::{TransportError, Webhook};

/// Watches over incidents and tells about them.
#[derive(Debug)]
pub struct Notifier {
    db: Database,
    config: Live,
    clock: SharedClock,
    webhook: Option<Webhook>,
}

impl Notifier {
    /// A notifier for all stores of a database; with `notify.webhook_url` it posts there, else it logs.
    pub fn new(db: Database, config: Live, clock: SharedClock) -> Result<Self, TransportError> {
        let webhook = config.get().notify.webhook_url.clone().map(Webhook::new).transpose()?;
        Ok(Self { db, config, clock, webhook })
    }

    /// Ticks every so often, for ever. A database that fails is tried again at the next tick.
    pub async fn serve(&self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.tick().await {
                warn!("incidents are looked at again at the next tick: {error}");
            }
        }
    }

    /// Opens and closes what has begun and ended by now, and tells what is untold.
    pub async fn tick(&self) -> Result<(), StorageError> {
        watch::watch(&self.db, &self.config.get(), self.clock.now()).await?;
        self.tell().await
    }

    /// Delivers every notice that is due, oldest incident first.
    async fn tell(&self) -> Result<(), StorageError> {
        let remind = self.config.get().notify.remind();
        loop {
            let claimed = incidents::claim_notices(&self.db, remind, self.clock.now()).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            let mut delivered = 0;
            for (incident, event) in &claimed {
                if self.deliver(incident, *event).await {
                    incidents::told(&self.db, incident.id, *event, remind, self.clock.now()).await?;
                    delivered += 1;
                }
            }
            // A webhook that is out is left alone until the next tick; what was claimed comes up again by itself.
            if delivered == 0 {
                return Ok(());
            }
        }
    }

    /// Gives whether it arrived.
    async fn deliver(&self, incident: &Incident, event: NoticeEvent) -> bool {
        if incident.notice_tries == 0 {
            log(incident, event);
        }
        let Some(webhook) = &self.webhook else { return true };
        let posted = webhook.post(notice::body(incident, event).to_string()).await;
        if let Err(error) = &posted {
            let tries = incident.notice_tries + 1;
            warn!(
                incident.id,
                "the notice that incident {} is {event} did not arrive (try {tries}) and is sent again later: {error}",
                incident.id
            );
        }
        posted.is_ok()
    }
}

fn log(incident: &Incident, event: NoticeEvent) {
    let store = incident.store.as_deref().unwrap_or_default();
    let text = notice::text(incident, event);
    match event {
        NoticeEvent::Opened | NoticeEvent::StillOpen => {
            warn!(incident.id, incident.kind = %incident.kind, store.name = store, "{text}");
        }
        NoticeEvent::Closed => info!(incident.id, incident.kind = %incident.kind, store.name = store, "{text}"),
    }
}
