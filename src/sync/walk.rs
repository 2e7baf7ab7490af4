//! The walk: page after page of the whole catalogue, each committed with its checkpoint before the next is begun
//! (or, with `fetch.in_flight` above 1, before so many are under way that a crash would repeat more).
//!
//! [`super::sequence`] says which page is next and when the list is at its end. A request that is refused is made once more
//! before anything of it is given up.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, info, warn};

use super::Syncer;
use super::heartbeat::Heartbeat;
use super::outcome::{Patience, Stop};
use super::page::{keep_last, normalize};
use super::seen::Seen;
use super::sequence::{Next, Sequence};
use super::vendor::Vendor;
use crate::clock::SharedClock;
use crate::connector::neto::{self, Page, Shape};
use crate::domain::budget::Budget;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;
use crate::domain::run::{Checkpoint, Counts, Lease, ListSoFar, Run};
use crate::domain::store::{Credential, Store};
use crate::storage::products::{self, PageWrite};
use crate::storage::{StorageError, credentials, runs_waiting};
use crate::transport::{CallContext, StoreBudget, UnderLease, quotable};

/// How long a stop waits for the pages under way before it leaves without them.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer speaks for the store.
const NOTED_FOR: TimeDelta = TimeDelta::minutes(1);

/// A page on its way.
type Ahead = AbortOnDropHandle<Result<Page, RemoteError>>;

/// One walk over a store's catalogue.
pub struct Walk<'a> {
    pub(super) syncer: &'a Syncer,
    pub(super) store: &'a Store,
    credential: &'a Credential,
    lease: &'a Lease,
    heartbeat: &'a Heartbeat,
    stop: &'a CancellationToken,
    context: Arc<CallContext>,
    pub(super) shape: Shape,
    /// As it was committed last.
    checkpoint: Checkpoint,
    /// The page to ask for next: behind the checkpoint when pages had to be looked at again.
    position: u32,
    /// Counts at the last commit, without the calls of this attempt.
    pub(super) counts: Counts,
    seen: Seen,
    pub(super) sequence: Sequence,
    /// Since when the run has been at work without having looked whether others wait.
    slice: Instant,
    /// Whether the last request was refused, and is made once more as it was.
    refused: bool,
    /// When it was last noted that the store accepts the key.
    key_works: Option<DateTime<Utc>>,
}

/// What a walk leaves behind, however it ended.
#[derive(Debug)]
pub struct Left {
    /// Counts up to the end, every call included.
    pub counts: Counts,
    /// Where the next attempt goes on and what the budget had at the end.
    pub checkpoint: Checkpoint,
    /// Until when the store has asked for silence.
    pub silent_until: Option<DateTime<Utc>>,
}

impl<'a> Walk<'a> {
    /// A walk that goes on where the run's checkpoint is.
    pub fn new(
        syncer: &'a Syncer,
        store: &'a Store,
        credential: &'a Credential,
        run: Run,
        lease: &'a Lease,
        heartbeat: &'a Heartbeat,
        stop: &'a CancellationToken,
    ) -> Self {
        let page_size = syncer.config.fetch.page_size;
        let checkpoint = run.checkpoint.unwrap_or_else(|| Checkpoint { page_size, ..Checkpoint::default() });
        let budget = StoreBudget::new(budget(syncer, store, lease, &checkpoint), syncer.clock.clone());
        if let Some(until) = store.silent_until {
            budget.silent_until(until);
        }
        heartbeat.govern(budget.clone());
        let under = UnderLease { lease: heartbeat.live.clone(), pulse: heartbeat.pulse.clone(), stop: stop.clone() };
        let list = &checkpoint.list;
        let mut sequence = Sequence::resume(checkpoint.page_size, list);
        if list.unordered && !sequence.doubts.iter().any(|doubt| doubt == UNORDERED) {
            sequence.doubts.push(UNORDERED.to_owned());
        }
        Self {
            syncer,
            store,
            credential,
            lease,
            heartbeat,
            stop,
            context: Arc::new(CallContext::new(&store.name, budget, CancellationToken::new()).under(under)),
            shape: Shape::full_without(&list.given_up),
            position: checkpoint.page,
            counts: run.counts,
            seen: Seen::resume(list),
            sequence,
            checkpoint,
            slice: syncer.clock.instant(),
            refused: false,
            key_works: None,
        }
    }

    /// Counts up to now, every call included.
    fn counts(&self) -> Counts {
        Counts { calls: self.counts.calls + self.context.calls_made().cast_signed(), ..self.counts }
    }

    /// When the store accepted the key in this attempt, if it did.
    pub fn key_works(&self) -> Option<DateTime<Utc>> {
        self.key_works
    }

    /// Ends the walk's calls for good and says what it leaves behind.
    pub fn leave(&self) -> Left {
        let silent_until = self.context.budget.silence();
        let budget = self.context.budget.close(self.lease.epoch);
        let checkpoint = Checkpoint { budget, ..self.checkpoint.clone() };
        Left { counts: self.counts(), checkpoint, silent_until }
    }

    /// Asks with the smallest call whether the key works; a key that was given up is tried once and no more.
    pub async fn canary(&mut self) -> Result<(), Stop> {
        let request = neto::canary(&self.store.url, self.credential);
        let once = self.credential.standing.is_retest();
        let (transport, context) = (self.syncer.transport.clone(), self.context.clone());
        let call = async move {
            let decode = |answer: Answer| neto::decode(answer.body, answer.lossy);
            if once {
                transport.call_once(&context, &request, decode).await
            } else {
                transport.call(&context, &request, decode).await
            }
        };
        let patience = pin!(end_of_patience(self.stop, &self.syncer.clock));
        self.wait(AbortOnDropHandle::new(tokio::spawn(call.in_current_span())), patience).await?;
        self.note_working_key().await
    }

    /// Walks to the end of the list.
    pub async fn go(&mut self) -> Result<(), Stop> {
        let mut patience = pin!(end_of_patience(self.stop, &self.syncer.clock));
        let mut ahead: VecDeque<Ahead> = VecDeque::new();
        let mut to_ask = self.position;
        // Why no more pages are asked for; those under way are stored before the walk ends.
        let mut ending = None;
        loop {
            while ending.is_none() && ahead.len() < self.syncer.config.fetch.in_flight as usize {
                ahead.push_back(self.ask(to_ask));
                to_ask += 1;
            }
            let Some(first) = ahead.pop_front() else { return Err(ending.unwrap_or(Stop::Asked)) };
            let page = match self.wait(first, patience.as_mut()).await {
                Err(Stop::Remote(error))
                    if error.class == ErrorClass::Rejected && self.ask_otherwise(&error.message) =>
                {
                    warn!("asking again, without what the store refuses: {error}");
                    ahead.clear();
                    to_ask = self.position;
                    continue;
                }
                page => page?,
            };
            match self.store_page(&page).await? {
                Next::End => return Ok(()),
                Next::Store if ending.is_none() && self.others_wait().await? => ending = Some(Stop::Yielded),
                Next::Store => {}
                Next::Jump(page) => {
                    ahead.clear();
                    self.position = page;
                    to_ask = page;
                }
            }
            if self.stop.is_cancelled() {
                ending = Some(Stop::Asked);
            }
        }
    }

    /// What to do about a refusal: the same once more, because it may have been an accident and what is not asked for
    /// is lost to the mirror; then without what was refused. `false` when there is nothing left to give up.
    fn ask_otherwise(&mut self, refusal: &str) -> bool {
        !std::mem::replace(&mut self.refused, true) || self.shape.give_up(refusal)
    }

    /// Whether the run has had its slice and others wait: asked once a slice. Nobody waits for a run in the foreground
    /// but a person; and a list in no order could not be counted on behind an interruption.
    async fn others_wait(&mut self) -> Result<bool, StorageError> {
        let (now, slice) = (self.syncer.clock.instant(), self.syncer.config.worker.slice());
        if self.syncer.patience == Patience::Foreground || self.seen.unordered || now - self.slice < slice {
            return Ok(false);
        }
        self.slice = now;
        runs_waiting::anyone_waiting(&self.syncer.db, self.syncer.clock.now()).await
    }

    /// Starts asking for a page.
    fn ask(&self, page_number: u32) -> Ahead {
        let request =
            neto::walk(&self.store.url, self.credential, &self.shape, page_number, self.checkpoint.page_size, None);
        let (transport, context) = (self.syncer.transport.clone(), self.context.clone());
        let call = async move {
            let page = transport.call(&context, &request, |answer| neto::decode(answer.body, answer.lossy)).await?;
            for warning in &page.warnings {
                warn!("page {page_number}: the store warns: {}", quotable(&request, warning));
            }
            Ok(page)
        };
        AbortOnDropHandle::new(tokio::spawn(call.in_current_span()))
    }

    /// Waits for a page, but not longer than a stop has `patience`. What a stop breaks off is no error of the store.
    async fn wait(&self, page: Ahead, patience: Pin<&mut impl Future<Output = ()>>) -> Result<Page, Stop> {
        tokio::select! {
            biased;
            page = page => match page {
                Ok(Err(error)) if error.class == ErrorClass::Transient && self.stop.is_cancelled() => Err(Stop::Asked),
                Ok(page) => Ok(page?),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            () = patience => Err(Stop::Asked),
        }
    }

    /// Normalises and writes a page and moves the checkpoint behind it.
    async fn store_page(&mut self, page: &Page) -> Result<Next, Stop> {
        self.heartbeat.pulse.beat();
        self.note_working_key().await?;
        self.refused = false;
        let number = self.position;
        let (mut products, quarantined) = normalize(page);
        let mut new = 0;
        let seen = &mut self.seen;
        let next = self.sequence.judge(number, page.records().len(), || {
            let ids = products.iter().map(|product| product.inventory_id);
            let known_bad = quarantined.iter().filter_map(|record| record.inventory_id);
            let bad = quarantined.iter().filter(|record| record.inventory_id.is_none()).map(|record| record.raw);
            new = seen.page(ids.chain(known_bad), bad);
            new > 0
        });
        if next != Next::Store {
            return Ok(next);
        }
        keep_last(&mut products);
        let checkpoint = Checkpoint {
            page: number + 1,
            page_size: self.checkpoint.page_size,
            budget: self.context.budget.state(),
            list: self.list_so_far(),
        };
        let mut counts = self.counts();
        counts.pages += 1;
        counts.seen += new as i64;
        let renewal = self.heartbeat.live.renewal();
        let write = PageWrite {
            lease: self.lease,
            lease_for: self.syncer.config.worker.lease(),
            products: &products,
            quarantined: &quarantined,
            found: &[],
            done: &[],
            checkpoint: &checkpoint,
            counts,
            now: renewal.at,
        };
        let written = products::commit_page(&self.syncer.db, write).await?;
        self.heartbeat.live.renewed(renewal);
        self.heartbeat.pulse.beat();
        debug!(page = number, page.items = page.records().len(), page.bytes = page.bytes(), "page stored");
        self.syncer.metrics().page_committed(&self.counts, &written);
        self.counts = Counts { calls: self.counts.calls, ..written };
        self.position = checkpoint.page;
        self.checkpoint = checkpoint;
        if self.position >= self.syncer.config.fetch.max_pages {
            let message =
                format!("the list does not end within fetch.max_pages = {}", self.syncer.config.fetch.max_pages);
            return Err(RemoteError::new(ErrorClass::Data, message)
                .hint("raise it if the store is really that large")
                .into());
        }
        Ok(Next::Store)
    }

    fn list_so_far(&self) -> ListSoFar {
        ListSoFar {
            last: self.sequence.last,
            largest: self.sequence.largest_before,
            highest_id: self.seen.highest_id,
            unordered: self.seen.unordered,
            doubts: self.sequence.doubts.clone(),
            given_up: self.shape.given_up.clone(),
        }
    }

    /// The first answer of an attempt proves that the key works, and now and then a later one: other stores of the connector
    /// are judged by when this one last answered.
    async fn note_working_key(&mut self) -> Result<(), Stop> {
        let now = self.syncer.clock.now();
        if self.key_works.is_some_and(|noted| now - noted < NOTED_FOR) {
            return Ok(());
        }
        let Syncer { db, config, .. } = self.syncer;
        if credentials::credential_worked(db, self.store.id, &self.credential.fingerprint, None, now).await? {
            info!("the key works again");
        }
        if self.key_works.replace(now).is_none() && self.credential.failing {
            Vendor { db, rule: config.auth.outage(), connector: &self.store.connector }.look(now).await?;
        }
        Ok(())
    }
}

/// A doubt about a walk that was interrupted.
const UNORDERED: &str = "the store lists its products in no order, so those it listed before and after an interruption cannot be told apart";

/// What is left of the store's budget for the holder of `lease`.
fn budget(syncer: &Syncer, store: &Store, lease: &Lease, checkpoint: &Checkpoint) -> Budget {
    let calls_per_minute = store.calls_per_minute.unwrap_or(syncer.config.budget.calls_per_minute);
    Budget::resume(checkpoint.budget, lease.epoch, calls_per_minute, syncer.clock.now())
}

/// Resolves when a stop has waited long enough for the pages under way.
async fn end_of_patience(stop: &CancellationToken, clock: &SharedClock) {
    stop.cancelled().await;
    clock.sleep(STOP_PATIENCE).await;
}
