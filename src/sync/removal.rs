//! What the store does not list any more: asked for by ID, twice, and only then marked removed; and never more than the guard
//! lets pass ([`crate::domain::removal`]).

use tracing::{info, warn};

use super::at_work::AtWork;
use super::look::{Answer, DEAF, ask, store};
use super::outcome::Stop;
use crate::domain::digest::IdDigest;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::removal::{Guard, Missing};
use crate::domain::run::Phase;
use crate::storage::{StorageError, findings, held_removals, products, runs};

/// How often a batch is asked for whose answers cannot be believed.
const TRIES: u32 = 4;
/// So many products that are known to be there have to be in an answer that lacks what is missing.
const WITNESSES: usize = 2;

/// Deals with everything that is missing.
pub async fn confirm(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let (db, run_id, store_id) = (&work.syncer.db, work.lease.run_id, work.store.id);
    if !work.checkpoint.listed.whole {
        // A list that was not read whole says nothing about what is not on it.
        return over(work).await;
    }
    let missing = missing(work).await?;
    if missing.products > 0 {
        let approved = approved(work).await?;
        let guard = Guard {
            held: products::count(db, store_id).await?,
            max_share: work.syncer.config.removal.max_share,
            approved,
            held_back: held_removals::of_store(db, store_id).await?,
        };
        if !work.checkpoint.listed.may_remove && !guard.lets_pass(&missing) {
            hold(work, &missing, &guard).await?;
            return over(work).await;
        }
        work.checkpoint.listed.may_remove = true;
        let mut witnesses = Witnesses::listed(work, approved);
        for kind in [FindingKind::Missing, FindingKind::Gone] {
            if !ask_for(work, kind, &mut witnesses).await? {
                return over(work).await;
            }
        }
    }
    held_removals::release(&work.syncer.db, store_id, work.syncer.clock.now()).await?;
    if missing.products > 0 {
        info!(run.id = run_id, removed = work.counts.removed, "nothing is missing any more");
    }
    over(work).await
}

/// Whether a person has approved all removals, which may be while the run is under way.
pub async fn approved(work: &AtWork<'_>) -> Result<bool, StorageError> {
    Ok(runs::get(&work.syncer.db, work.lease.run_id).await?.is_some_and(|run| run.approve_removals))
}

async fn over(work: &mut AtWork<'_>) -> Result<(), Stop> {
    findings::forget(&work.syncer.db, work.lease.run_id).await?;
    work.checkpoint.phase = Phase::Over;
    Ok(())
}

/// What is missing, and not yet found out to be there after all.
async fn missing(work: &AtWork<'_>) -> Result<Missing, StorageError> {
    let mut missing = Missing { products: 0, digest: IdDigest::default() };
    for kind in [FindingKind::Missing, FindingKind::Gone] {
        let mut after = None;
        loop {
            let ids = findings::next(&work.syncer.db, work.lease.run_id, kind, after, 10_000).await?;
            let Some(last) = ids.last() else { break };
            after = Some(*last);
            missing.products += ids.len() as u64;
            missing.digest.extend(ids);
        }
    }
    Ok(missing)
}

async fn hold(work: &mut AtWork<'_>, missing: &Missing, guard: &Guard) -> Result<(), Stop> {
    let name = &work.store.name;
    let sentence = format!(
        "{} of the {} products held are not listed any more, and no more than {} may be removed at once \
         (removal.max_share = {}); none was: look at the store, then `netosync sync {name} --kind sweep --approve-removals`",
        missing.products,
        guard.held,
        guard.allowed(),
        guard.max_share
    );
    warn!("{sentence}");
    held_removals::hold(&work.syncer.db, work.lease, missing, &sentence, work.syncer.clock.now()).await?;
    work.checkpoint.listed.doubts.push(sentence);
    Ok(())
}

/// Products that the store has listed and is asked for beside those that are missing.
struct Witnesses {
    ids: Vec<i64>,
    /// Those that an answer did not have.
    silent: Vec<i64>,
    /// Whether a store is believed that has listed nothing to prove itself with: only a person can say that it is empty indeed.
    believed: bool,
}

impl Witnesses {
    /// The first and the last product of the list.
    fn listed(work: &AtWork<'_>, approved: bool) -> Self {
        let listed = &work.checkpoint.listed;
        let last = listed.place.and_then(|place| place.covered);
        let ids: Vec<i64> = listed.first.into_iter().chain(last.filter(|last| listed.first != Some(*last))).collect();
        Self { believed: ids.is_empty() && approved, ids, silent: Vec::new() }
    }

    /// Whether so many are in the answer that what it lacks is not there. An answer that is cut short has fewer.
    fn vouch_for(&self, answer: &Answer) -> bool {
        let heard = self.ids.len() - answer.silent.len();
        self.believed || answer.readable && heard > 0 && heard >= WITNESSES.min(self.ids.len())
    }

    /// Others take the place of the `silent`, which may have been deleted since they were listed; so many in all.
    async fn call_others(&mut self, work: &AtWork<'_>, silent: Vec<i64>, in_all: usize) -> Result<(), StorageError> {
        self.ids.retain(|id| !silent.contains(id));
        self.silent.extend(silent);
        let (but, wanted) = ([&*self.ids, &*self.silent].concat(), in_all.saturating_sub(self.ids.len()) as u64);
        let others = products::witnesses(&work.syncer.db, work.store.id, work.lease.run_id, but, wanted).await?;
        self.ids.extend(others);
        Ok(())
    }
}

/// Asks for all findings of a kind. What is there is stored; what was missing and is not there is noted as gone, and
/// what was gone and is not there is removed. `false` when the answers cannot be believed, which is a doubt then.
///
/// An answer may lack products because the store caps it. So nothing is believed to be absent but what is absent from an answer
/// that lists none of what is asked for, and its witnesses.
async fn ask_for(work: &mut AtWork<'_>, kind: FindingKind, witnesses: &mut Witnesses) -> Result<bool, Stop> {
    let mut tries = 0;
    loop {
        let batch = u64::from(work.checkpoint.page_size);
        let ids = findings::next(&work.syncer.db, work.lease.run_id, kind, None, batch).await?;
        if ids.is_empty() {
            return Ok(true);
        }
        let answer = match ask(work, &ids, &witnesses.ids).await {
            Err(Stop::Remote(error)) if error.too_much && work.smaller_pages(ids.len()) && work.try_less(&error) => {
                continue;
            }
            answer => answer?,
        };
        let none = answer.listed.is_empty();
        if answer.deaf || none && !witnesses.vouch_for(&answer) {
            tries += 1;
            if tries == TRIES {
                work.doubt(if answer.deaf { DEAF } else { UNANSWERED });
                return Ok(false);
            }
            witnesses.call_others(work, answer.silent, WITNESSES << tries).await?;
            continue;
        }
        tries = 0;
        let absent = if none { answer.absent.as_slice() } else { &[] };
        if kind == FindingKind::Missing {
            let gone = |inventory_id: &i64| Finding { inventory_id: *inventory_id, kind: FindingKind::Gone };
            store(work, &answer, &absent.iter().map(gone).collect::<Vec<_>>()).await?;
        } else if none {
            work.remove(absent).await?;
        } else {
            store(work, &answer, &[]).await?;
        }
        if let Some(stop) = work.pause().await? {
            return Err(stop);
        }
    }
}

/// A doubt about a store that does not even know what it has just listed.
const UNANSWERED: &str = "asked by ID for products it had not listed, the store did not have those it had listed either, so nothing was removed";
