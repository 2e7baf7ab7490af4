//! The walk: page after page of the whole catalogue, each committed with its checkpoint before the next is begun
//! (or, with `fetch.in_flight` above 1, before so many are under way that a crash would repeat more).
//!
//! [`super::sequence`] says which page is next and when the list is at its end. A request that is refused is made once more
//! before anything of it is given up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, info, warn};

use super::Syncer;
use super::heartbeat::Heartbeat;
use super::outcome::{Stop, failed};
use super::seen::Seen;
use super::sequence::{Next, Sequence};
use super::vendor::Vendor;
use crate::connector::neto::{self, Page, Shape};
use crate::domain::budget::Budget;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;
use crate::domain::product::Product;
use crate::domain::run::{Checkpoint, Counts, Lease, Run, RunState, Verdict};
use crate::domain::store::{Credential, Store};
use crate::storage::products::{self, PageWrite, Quarantined};
use crate::storage::runs::End;
use crate::storage::{StorageError, credentials};
use crate::transport::{CallContext, StoreBudget, quotable};

/// How long a stop waits for the page under way before it leaves without it.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer speaks for the store.
const NOTED_FOR: TimeDelta = TimeDelta::minutes(1);

/// A page on its way.
type Ahead = AbortOnDropHandle<Result<Page, RemoteError>>;

/// One walk over a store's catalogue.
pub struct Walk<'a> {
    syncer: &'a Syncer,
    store: &'a Store,
    credential: &'a Credential,
    lease: &'a Lease,
    heartbeat: &'a Heartbeat,
    stop: &'a CancellationToken,
    context: Arc<CallContext>,
    shape: Shape,
    checkpoint: Checkpoint,
    /// Counts at the last commit, without the calls of this attempt.
    counts: Counts,
    seen: Seen,
    sequence: Sequence,
    /// Whether the last request was refused, and is made once more as it was.
    refused: bool,
    /// When it was last noted that the store accepts the key.
    key_works: Option<DateTime<Utc>>,
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
        let now = syncer.clock.now();
        let checkpoint =
            run.checkpoint.unwrap_or(Checkpoint { page: 0, page_size: syncer.config.fetch.page_size, budget: None });
        let calls_per_minute = store.calls_per_minute.unwrap_or(syncer.config.budget.calls_per_minute);
        // Without a state we do not know what others did within the last minute: begin with an empty bucket.
        let budget = match checkpoint.budget {
            Some(state) => Budget::restore(state, calls_per_minute, now),
            None => Budget::empty(calls_per_minute, now),
        };
        let sequence = Sequence::new(checkpoint.page_size);
        Self {
            syncer,
            store,
            credential,
            lease,
            heartbeat,
            stop,
            context: Arc::new(CallContext::new(&store.name, StoreBudget::new(budget, now), CancellationToken::new())),
            shape: Shape::full(),
            checkpoint,
            counts: run.counts,
            seen: Seen::default(),
            sequence,
            refused: false,
            key_works: None,
        }
    }

    /// Counts up to now, every call included.
    pub fn counts(&self) -> Counts {
        Counts { calls: self.counts.calls + self.context.calls_made().cast_signed(), ..self.counts }
    }

    /// When the store accepted the key in this attempt, if it did.
    pub fn key_works(&self) -> Option<DateTime<Utc>> {
        self.key_works
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
        self.wait(AbortOnDropHandle::new(tokio::spawn(call.in_current_span()))).await?;
        self.note_working_key().await
    }

    /// Walks to the end of the list. After an error it can be called again and goes on at the checkpoint.
    pub async fn go(&mut self) -> Result<(), Stop> {
        let mut ahead: VecDeque<Ahead> = VecDeque::new();
        let mut to_ask = self.checkpoint.page;
        loop {
            while ahead.len() < self.syncer.config.fetch.in_flight as usize {
                ahead.push_back(self.ask(to_ask));
                to_ask += 1;
            }
            let first = ahead.pop_front().expect("at least one page is under way");
            let page = match self.wait(first).await {
                Err(Stop::Remote(error))
                    if error.class == ErrorClass::Rejected && self.ask_otherwise(&error.message) =>
                {
                    warn!("asking again, without what the store refuses: {error}");
                    ahead.clear();
                    to_ask = self.checkpoint.page;
                    continue;
                }
                page => page?,
            };
            match self.store_page(&page).await? {
                Next::End => return Ok(()),
                Next::Store => {}
                Next::Jump(page) => {
                    ahead.clear();
                    self.checkpoint.page = page;
                    to_ask = page;
                }
            }
            if self.stop.is_cancelled() {
                return Err(Stop::Asked);
            }
        }
    }

    /// What to do about a refusal: the same once more, because it may have been an accident and what is not asked for
    /// is lost to the mirror; then without what was refused. `false` when there is nothing left to give up.
    fn ask_otherwise(&mut self, refusal: &str) -> bool {
        !std::mem::replace(&mut self.refused, true) || self.shape.give_up(refusal)
    }

    /// Starts asking for a page.
    fn ask(&self, page_number: u32) -> Ahead {
        let request = neto::walk(&self.store.url, self.credential, &self.shape, page_number, self.checkpoint.page_size);
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

    /// Waits for a page; a stop is patient with it for a while, a lost lease is not.
    async fn wait(&self, page: Ahead) -> Result<Page, Stop> {
        let asked_to_stop = async {
            self.stop.cancelled().await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            biased;
            () = self.heartbeat.lost() => Err(StorageError::LeaseLost { run_id: self.lease.run_id }.into()),
            page = page => match page {
                Ok(page) => Ok(page?),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            () = asked_to_stop => Err(Stop::Asked),
        }
    }

    /// Normalises and writes a page and moves the checkpoint behind it.
    async fn store_page(&mut self, page: &Page) -> Result<Next, Stop> {
        self.note_working_key().await?;
        self.refused = false;
        let number = self.checkpoint.page;
        let (mut products, quarantined) = normalize(page);
        let mut new = 0;
        let seen = &mut self.seen;
        let next = self.sequence.judge(number, page.records().len(), || {
            let known = products.iter().map(|product| seen.product(product.inventory_id)).filter(|new| *new).count();
            new = known + quarantined.iter().map(|record| seen.unreadable(record.raw)).filter(|new| *new).count();
            new > 0
        });
        if next != Next::Store {
            return Ok(next);
        }
        keep_last(&mut products);
        let checkpoint = Checkpoint {
            page: number + 1,
            page_size: self.checkpoint.page_size,
            budget: Some(self.context.budget.state()),
        };
        let mut counts = self.counts();
        counts.pages += 1;
        counts.seen += new as i64;
        let write = PageWrite {
            lease: self.lease,
            lease_for: self.syncer.config.worker.lease(),
            products: &products,
            quarantined: &quarantined,
            checkpoint: &checkpoint,
            counts,
            now: self.syncer.clock.now(),
        };
        let written = products::commit_page(&self.syncer.db, write).await?;
        debug!(page = number, page.items = page.records().len(), page.bytes = page.bytes(), "page stored");
        self.syncer.metrics().page_committed(&self.counts, &written);
        self.counts = Counts { calls: self.counts.calls, ..written };
        self.checkpoint = checkpoint;
        if self.checkpoint.page >= self.syncer.config.fetch.max_pages {
            let message =
                format!("the list does not end within fetch.max_pages = {}", self.syncer.config.fetch.max_pages);
            return Err(RemoteError::new(ErrorClass::Data, message)
                .hint("raise it if the store is really that large")
                .into());
        }
        Ok(Next::Store)
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

    /// What the finished walk says about the copy.
    pub async fn verdict(self) -> Result<End, Stop> {
        let mut doubts = self.sequence.doubts;
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
        if !self.shape.refused.is_empty() {
            doubts.push(format!("the store refuses the selectors {}", self.shape.refused.join(", ")));
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

/// Of several records of one product in a page the last is the newest.
fn keep_last(products: &mut Vec<Product<'_>>) {
    let mut met = std::collections::HashSet::with_capacity(products.len());
    products.reverse();
    products.retain(|product| met.insert(product.inventory_id));
    products.reverse();
}

/// The products of a page, and the records that are none.
fn normalize(page: &Page) -> (Vec<Product<'_>>, Vec<Quarantined<'_>>) {
    let mut products = Vec::with_capacity(page.records().len());
    let mut quarantined = Vec::new();
    for record in page.records() {
        match neto::normalize(record, page.lossy) {
            Ok(product) => products.push(product),
            Err(reject) => {
                debug!(inventory_id = reject.inventory_id, "quarantined: {}", reject.reason);
                quarantined.push(Quarantined { inventory_id: reject.inventory_id, reason: reject.reason, raw: record });
            }
        }
    }
    (products, quarantined)
}
