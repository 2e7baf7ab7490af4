//! Reading the pages of a list: each is asked for, taken apart and normalised in a task of its own, as far as it has to be. A record
//! that comes as it came before is known by the hash of its bytes and not even parsed.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use super::at_work::{Ahead, AtWork};
use super::foresight::Foreseen;
use super::held::HeldAhead;
use super::outcome::Stop;
use super::pace::Pace;
use super::page::{answer, keep_last, normalize_record};
use crate::clock::SharedClock;
use crate::connector::neto::{self, Page};
use crate::domain::http::Request;
use crate::domain::product::{AnswerHash, Product};
use crate::storage::StorageError;
use crate::storage::products::Quarantined;
use crate::transport::{CallContext, Transport, quotable};

/// Records that are normalised before others have their turn, as the statement that waits to be sent to the database.
const AT_ONCE: usize = 8;

/// A page, read.
#[derive(Debug)]
pub struct Read {
    /// The server's clock, as sent.
    pub current_time: Option<String>,
    /// Bytes of the answer.
    pub bytes: usize,
    /// How many records it had.
    pub records: usize,
    /// The products in the order of the page, each where it came first.
    pub ids: Vec<i64>,
    /// Those of them that are held just so; in the order of IDs.
    pub same: Vec<i64>,
    /// The others, as the page told them last; in the order of IDs.
    pub products: Vec<Product<'static>>,
    /// The records that are no products.
    pub quarantined: Vec<Quarantined<'static>>,
}

/// What its pages are read with.
#[derive(Clone)]
pub struct Reader {
    transport: Arc<Transport>,
    context: Arc<CallContext>,
    /// How many pages are asked for at once.
    pub pace: Arc<Pace>,
    /// What is held, where records are compared with it.
    pub held: Option<Arc<HeldAhead>>,
    /// Whether the records tell all of a product.
    whole: bool,
    clock: SharedClock,
}

impl Reader {
    /// Reads pages in full detail (`whole`) or in little detail, and compares them with what is `held`.
    pub fn new(work: &AtWork<'_>, whole: bool, held: Option<Arc<HeldAhead>>) -> Self {
        let (transport, context) = work.line();
        let pace = Arc::new(Pace::new(work.syncer.config.fetch.in_flight));
        Self { transport, context, pace, held, whole, clock: work.syncer.clock.clone() }
    }

    /// Starts reading a page; `None` comes of one that was not asked for, because what is to be asked for is in doubt.
    pub fn begin(&self, request: Request, foreseen: Foreseen, what: String) -> Ahead<Option<Read>> {
        let reader = self.clone();
        let read = async move {
            let Some(page) = reader.call(&request, foreseen, &what).await? else { return Ok(None) };
            Ok(Some(reader.read(&page).await?))
        };
        AbortOnDropHandle::new(tokio::spawn(read.in_current_span()))
    }

    async fn call(&self, request: &Request, foreseen: Foreseen, what: &str) -> Result<Option<Page>, Stop> {
        let Some(turn) = self.pace.turn().await else { return Ok(None) };
        let begun = self.clock.instant();
        let page = self.transport.call(&self.context, request, |told| neto::decode(told.body, told.lossy)).await;
        turn.over(self.clock.instant() - begun, page.is_ok());
        let page = page?;
        if page.records().len() != foreseen.records {
            self.pace.halt();
        }
        for warning in &page.warnings {
            warn!("{what}: the store warns: {}", quotable(request, warning));
        }
        Ok(Some(page))
    }

    async fn read(&self, page: &Page) -> Result<Read, StorageError> {
        let told: Vec<_> = page.records().map(|record| (record, answer(record, page.lossy))).collect();
        let same = self.same(&told).await?;
        let mut read = self.take_apart(page, &told, &same).await;
        if !read.ids.is_sorted_by(|a, b| a < b) {
            // A product may be told twice, and only what it was told last counts.
            read = self.take_apart(page, &told, &[]).await;
            let mut met = HashSet::with_capacity(read.ids.len());
            read.ids.retain(|id| met.insert(*id));
            keep_last(&mut read.products);
            read.products.sort_unstable_by_key(|product| product.inventory_id);
        }
        Ok(read)
    }

    /// `same` says of each record which product is held just so, if one is; nothing at all where that is not known.
    async fn take_apart(&self, page: &Page, told: &[(&str, Option<AnswerHash>)], same: &[Option<i64>]) -> Read {
        let mut read = Read {
            current_time: page.current_time.clone(),
            bytes: page.bytes(),
            records: told.len(),
            ids: Vec::with_capacity(told.len()),
            same: Vec::new(),
            products: Vec::new(),
            quarantined: Vec::new(),
        };
        // A page of which few products are kept is not worth keeping for their texts.
        let known = same.iter().flatten().count();
        let shared = if known * 2 < told.len() { page.body.clone() } else { Arc::default() };
        for (place, (record, answer)) in told.iter().enumerate() {
            if let Some(id) = same.get(place).copied().flatten() {
                read.ids.push(id);
                read.same.push(id);
                continue;
            }
            if place % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            match normalize_record(record, page.lossy) {
                Ok(product) => {
                    read.ids.push(product.inventory_id);
                    let answer = answer.filter(|_| self.whole);
                    read.products.push(Product { answer, ..product.sharing(&shared) });
                }
                Err(bad) => read.quarantined.push(bad.into_static()),
            }
        }
        read
    }

    /// Which of the records are held just so, by ID. Nothing where that was not asked: there is nothing to compare with, not all
    /// of them can be compared, or they are not in the order of IDs.
    async fn same(&self, told: &[(&str, Option<AnswerHash>)]) -> Result<Vec<Option<i64>>, StorageError> {
        let Some(held) = &self.held else { return Ok(Vec::new()) };
        let likely = told.iter().map(|(record, answer)| Some((neto::likely_id(record)?, (*answer)?)));
        let Some(likely) = likely.collect::<Option<Vec<_>>>().filter(|told| told.is_sorted_by(|a, b| a.0 < b.0)) else {
            return Ok(Vec::new());
        };
        let has = held.has(&likely).await?;
        Ok(likely.into_iter().zip(has).map(|((id, _), has)| has.then_some(id)).collect())
    }
}
