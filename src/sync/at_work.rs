//! A run at work: what all its phases share. Its calls, its commits, its place in the queue, and what it leaves behind.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, info, warn};

use super::Syncer;
use super::api::Api;
use super::heartbeat::Heartbeat;
use super::outcome::{Patience, Stop};
use super::records::Memory;
use super::size::begin;
use super::token::Renewal;
use super::vendor::Vendor;
use crate::clock::SharedClock;
use crate::connector::described::Position;
use crate::connector::neto::{self, Page};
use crate::domain::audit::AuditRequest;
use crate::domain::budget::Budget;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Answer, Request};
use crate::domain::run::{Checkpoint, Counts, Lease, Run, RunKind};
use crate::domain::store::{Credential, CredentialState, Store};
use crate::storage::cursors::Cursor;
use crate::storage::{StorageError, runs_waiting, standings};
use crate::transport::{CallContext, StoreBudget, Transport, UnderLease, quotable};

/// How long a stop waits for the pages under way before it leaves without them.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer speaks for the store.
const NOTED_FOR: TimeDelta = TimeDelta::minutes(1);

/// A page on its way.
pub type Ahead<T = Page> = AbortOnDropHandle<Result<T, Stop>>;

/// A run at work on its store.
pub struct AtWork<'a> {
    pub syncer: &'a Syncer,
    pub store: &'a Store,
    pub credential: Credential,
    pub lease: &'a Lease,
    pub kind: RunKind,
    /// What it is to do, if it is an audit.
    pub audit: AuditRequest,
    /// Where incremental runs stand, as of the beginning of this attempt.
    pub cursor: Cursor,
    /// As it was committed last.
    pub checkpoint: Checkpoint,
    /// Counts at the last commit, without the calls of this attempt.
    pub counts: Counts,
    pub stop: &'a CancellationToken,
    /// How the store is spoken to.
    pub api: Api<'a>,
    /// What the lists of streams have shown in this attempt.
    pub memory: Memory,
    pub(super) heartbeat: &'a Heartbeat,
    pub(super) context: Arc<CallContext>,
    /// Since when the run has been at work without having looked whether others wait.
    slice: Instant,
    /// Whether the last answer was too much ([`super::size`]).
    pub too_much: bool,
    /// When it was last noted that the store accepts the key.
    key_works: Option<DateTime<Utc>>,
    /// Whether a new token may be got.
    pub renewal: Renewal,
}

/// What a run leaves behind, however it ended.
#[derive(Debug)]
pub struct Left {
    /// Counts up to the end, every call included.
    pub counts: Counts,
    /// Where the next attempt goes on and what the budget had at the end.
    pub checkpoint: Checkpoint,
    /// Until when the store has asked for silence.
    pub silent_until: Option<DateTime<Utc>>,
}

impl<'a> AtWork<'a> {
    /// A run that goes on where its checkpoint is.
    pub fn new(
        syncer: &'a Syncer,
        (store, credential, cursor, api): (&'a Store, Credential, Cursor, Api<'a>),
        run: Run,
        lease: &'a Lease,
        heartbeat: &'a Heartbeat,
        stop: &'a CancellationToken,
    ) -> Self {
        let checkpoint = run.checkpoint.unwrap_or_else(|| begin(syncer, store, run.kind));
        let most = api.calls_per_minute();
        let budget = StoreBudget::new(budget(syncer, store, most, lease, &checkpoint), syncer.clock.clone());
        if let Some(until) = store.silent_until {
            budget.silent_until(until);
        }
        heartbeat.govern(budget.clone(), most);
        let under = UnderLease { lease: heartbeat.live.clone(), pulse: heartbeat.pulse.clone(), stop: stop.clone() };
        Self {
            syncer,
            store,
            credential,
            lease,
            kind: run.kind,
            audit: run.audit_request.unwrap_or_default(),
            cursor,
            checkpoint,
            counts: run.counts,
            stop,
            api,
            memory: Memory::default(),
            heartbeat,
            context: Arc::new(CallContext::new(&store.name, budget, CancellationToken::new()).under(under)),
            slice: syncer.clock.instant(),
            too_much: false,
            key_works: None,
            renewal: Renewal::of(syncer),
        }
    }

    /// Counts up to now, every call included.
    pub(super) fn counts_now(&self) -> Counts {
        Counts { calls: self.counts.calls + self.context.calls_made().cast_signed(), ..self.counts }
    }

    /// When the store accepted the key in this attempt, if it did.
    pub fn key_works(&self) -> Option<DateTime<Utc>> {
        self.key_works
    }

    /// Goes on with another credential, of which nothing is known yet.
    pub fn present(&mut self, credential: Credential) {
        self.credential = credential;
        self.key_works = None;
    }

    /// Says that nothing is to be expected for so long.
    pub fn rest(&self, wait: Duration) {
        self.heartbeat.pulse.rest(wait);
    }

    /// Ends the run's calls for good and says what it leaves behind.
    pub fn leave(&self) -> Left {
        let silent_until = self.context.budget.silence();
        let budget = self.context.budget.close(self.lease.epoch);
        let checkpoint = Checkpoint { budget, ..self.checkpoint.clone() };
        Left { counts: self.counts_now(), checkpoint, silent_until }
    }

    /// Asks whether the key works, if that is in doubt.
    pub async fn test_doubtful_key(&mut self) -> Result<(), Stop> {
        match self.credential.standing.state {
            CredentialState::Ok => Ok(()),
            CredentialState::Suspect | CredentialState::Revoked => self.canary().await,
        }
    }

    /// Asks with the smallest call whether the key works; a key that was given up is tried once and no more.
    pub async fn canary(&mut self) -> Result<(), Stop> {
        let once = self.credential.standing.is_retest();
        let mut place = Some(Position::start(None));
        while let Some(at) = place {
            let request = self.api.canary(self.store, &self.credential, &at)?;
            place = self.ask(&request, once, |answer| self.api.heard(self.store, &at, answer)).await?;
        }
        self.note_working_key().await
    }

    /// Makes a call and waits for what `decode` makes of its answer, but not longer than a stop has patience.
    pub async fn ask<T>(
        &self,
        request: &Request,
        once: bool,
        decode: impl Fn(Answer) -> Result<T, RemoteError>,
    ) -> Result<T, Stop> {
        let transport = &self.syncer.transport;
        let call = async {
            if once {
                transport.call_once(&self.context, request, decode).await
            } else {
                transport.call(&self.context, request, decode).await
            }
        };
        tokio::select! {
            biased;
            answer = call => self.judged(answer),
            () = end_of_patience(self.stop, &self.syncer.clock) => Err(Stop::Asked),
        }
    }

    /// What a stop breaks off is no error of the store.
    fn judged<T>(&self, answer: Result<T, RemoteError>) -> Result<T, Stop> {
        match answer {
            Err(error) if error.class == ErrorClass::Transient && self.stop.is_cancelled() => Err(Stop::Asked),
            answer => Ok(answer?),
        }
    }

    /// Starts a call; `what` is asked for, for the log.
    pub fn begin(&self, request: Request, what: String) -> Ahead {
        let (transport, context) = (self.syncer.transport.clone(), self.context.clone());
        let call = async move {
            let page = transport.call(&context, &request, |answer| neto::decode(answer.body, answer.lossy)).await?;
            for warning in &page.warnings {
                warn!("{what}: the store warns: {}", quotable(&request, warning));
            }
            Ok(page)
        };
        AbortOnDropHandle::new(tokio::spawn(call.in_current_span()))
    }

    /// The way to the store, and what its calls belong to.
    pub fn line(&self) -> (Arc<Transport>, Arc<CallContext>) {
        (self.syncer.transport.clone(), self.context.clone())
    }

    /// Waits for a page, but not longer than a stop has `patience`.
    pub async fn wait<T>(&self, page: Ahead<T>, patience: Pin<&mut impl Future<Output = ()>>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            page = page => match page {
                Ok(Err(Stop::Remote(error))) => self.judged(Err(error)),
                Ok(page) => page,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            () = patience => Err(Stop::Asked),
        }
    }

    /// Makes a call and waits for its answer.
    pub async fn call(&mut self, request: Request, what: String) -> Result<Page, Stop> {
        self.answer(self.begin(request, what)).await
    }

    /// Waits for the answer of a call that was begun.
    pub async fn answer<T>(&mut self, call: Ahead<T>) -> Result<T, Stop> {
        let patience = pin!(end_of_patience(self.stop, &self.syncer.clock));
        let page = self.wait(call, patience).await?;
        self.met().await?;
        Ok(page)
    }

    /// Takes note of an answer.
    pub async fn met(&mut self) -> Result<(), Stop> {
        self.heartbeat.pulse.beat();
        self.too_much = false;
        self.note_working_key().await
    }

    /// Writes a doubt down for the verdict, once.
    pub fn doubt(&mut self, doubt: &str) {
        let doubts = &mut self.checkpoint.listed.doubts;
        if !doubts.iter().any(|said| said == doubt) {
            doubts.push(doubt.to_owned());
        }
    }

    /// Why the run ends here and goes on later, if it does. Asked after each commit.
    pub async fn pause(&mut self) -> Result<Option<Stop>, StorageError> {
        if self.stop.is_cancelled() {
            return Ok(Some(Stop::Asked));
        }
        if self.renewal.ahead
            && self.credential.wants_token(self.syncer.clock.now(), self.syncer.config.oauth.refresh_ahead())
        {
            return Ok(Some(Stop::Expiring));
        }
        // Nobody waits for a run in the foreground but a person.
        let (now, slice) = (self.syncer.clock.instant(), self.syncer.config.worker.slice());
        if self.syncer.patience == Patience::Foreground || now - self.slice < slice {
            return Ok(None);
        }
        self.slice = now;
        let waiting = runs_waiting::anyone_waiting(&self.syncer.db, self.syncer.clock.now()).await?;
        Ok(waiting.then_some(Stop::Yielded))
    }

    /// The first answer of an attempt proves that the key works, and now and then a later one: other stores of the connector
    /// are judged by when this one last answered.
    async fn note_working_key(&mut self) -> Result<(), Stop> {
        let now = self.syncer.clock.now();
        if self.key_works.is_some_and(|noted| now - noted < NOTED_FOR) {
            return Ok(());
        }
        let Syncer { db, config, .. } = self.syncer;
        if standings::credential_worked(db, self.store.id, &self.credential.fingerprint, None, now).await? {
            info!("the key works again");
        }
        if self.key_works.replace(now).is_none() && self.credential.failing {
            Vendor { db, rule: config.auth.outage(), connector: &self.store.connector }.look(now).await?;
        }
        Ok(())
    }
}

/// What is left of the store's budget for the holder of `lease`.
fn budget(syncer: &Syncer, store: &Store, most: Option<u32>, lease: &Lease, checkpoint: &Checkpoint) -> Budget {
    let calls_per_minute = syncer.config.budget.of(store.calls_per_minute, most);
    Budget::resume(checkpoint.budget, lease.epoch, calls_per_minute, syncer.clock.now())
}

/// Resolves when a stop has waited long enough for the pages under way.
pub async fn end_of_patience(stop: &CancellationToken, clock: &SharedClock) {
    stop.cancelled().await;
    clock.sleep(STOP_PATIENCE).await;
}
