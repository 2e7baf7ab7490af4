//! A random sample of what is held: fetched by ID and compared field by field.

use std::collections::{BTreeMap, HashMap};

use tracing::debug;

use super::super::at_work::AtWork;
use super::super::commit::Commit;
use super::super::look::{Answer, DEAF, ask};
use super::super::outcome::Stop;
use super::super::page::{keep_last, normalize};
use super::{behind_the_sample, found, since};
use crate::domain::audit::{AuditFindings, DifferenceKind};
use crate::domain::change::Change;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::product::Product;
use crate::domain::run::Checkpoint;
use crate::domain::sample::{Draw, Sample};
use crate::storage::products::{self, Quarantined};
use crate::storage::{Database, StorageError};

/// IDs read in one statement.
const IDS_AT_ONCE: u32 = 10_000;
/// How often a batch is asked for whose answers cannot be believed.
const TRIES: u32 = 3;
/// A doubt about a store that does not even know what it has just listed.
const UNANSWERED: &str = "asked by ID for products of the sample, the store did not have one it had listed either, so its answers were not judged";
/// A doubt about a store's list.
const UNLISTED: &str =
    "asked by ID for products it had not listed, the store had some of them, so its list was not whole";

/// Compares the sample, batch by batch.
pub async fn sample(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let sample = drawn(work).await?;
    loop {
        let upto = work.checkpoint.audit.as_ref().and_then(|audited| audited.upto);
        let ids = next(&work.syncer.db, work.store.id, &sample, upto, work.checkpoint.page_size as usize).await?;
        let Some(last) = ids.last().copied() else {
            ask_for_unlisted(work).await?;
            work.checkpoint.phase = behind_the_sample(work);
            return Ok(());
        };
        compare(work, &ids, last).await?;
        if let Some(stop) = work.pause().await? {
            return Err(stop);
        }
    }
}

/// The sample, drawn at the first attempt.
async fn drawn(work: &mut AtWork<'_>) -> Result<Sample, Stop> {
    if let Some(sample) = work.checkpoint.audit.as_ref().and_then(|audited| audited.sample) {
        return Ok(sample);
    }
    let mut draw = Draw::new(work.audit.seed, work.audit.sample);
    let mut after = None;
    loop {
        let ids = products::held_ids(&work.syncer.db, work.store.id, after, IDS_AT_ONCE).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            draw.show(id);
        }
    }
    let sample = draw.sample();
    let mut checkpoint = work.checkpoint.clone();
    checkpoint.audit.get_or_insert_default().sample = Some(sample);
    found(&mut checkpoint).among = sample.among;
    work.commit(Commit::default(), checkpoint).await?;
    Ok(sample)
}

/// The next products of the sample.
async fn next(
    db: &Database,
    store_id: i64,
    sample: &Sample,
    mut after: Option<i64>,
    batch: usize,
) -> Result<Vec<i64>, StorageError> {
    let mut next = Vec::new();
    while next.len() < batch {
        let ids = products::held_ids(db, store_id, after, IDS_AT_ONCE).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        next.extend(ids.into_iter().filter(|id| sample.has(*id)).take(batch - next.len()));
    }
    Ok(next)
}

/// Compares a batch and writes down what came of it.
async fn compare(work: &mut AtWork<'_>, ids: &[i64], last: i64) -> Result<(), Stop> {
    let mut checkpoint = work.checkpoint.clone();
    let (answers, absent) = fetch(work, ids, &mut checkpoint).await?;
    let (mut fetched, bad) = records(&answers);
    keep_last(&mut fetched);
    let held = products::load(&work.syncer.db, work.store.id, ids).await?;
    let judged = Judged::new(work, found(&mut checkpoint), ids, &held, (fetched, bad, &absent));
    let repair = work.audit.repair;
    let same = judged.same;
    let seen = same + if repair { judged.other.len() + judged.bad.len() } else { 0 };
    let commit = Commit {
        products: if repair { judged.other } else { Vec::new() },
        afresh: true,
        quarantined: if repair { &judged.bad } else { &[] },
        found: if repair { &judged.missing } else { &[] },
        pages: u32::from(seen > 0),
        seen,
        unchanged: same,
        ..Commit::default()
    };
    checkpoint.audit.get_or_insert_default().upto = Some(last);
    debug!(products = ids.len(), identical = same, "products of the sample compared");
    work.commit(commit, checkpoint).await
}

/// Asks by ID for the first products that are held and were not listed. When the store has one of them its list was not whole,
/// and nothing is removed for not being on it.
async fn ask_for_unlisted(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let mut checkpoint = work.checkpoint.clone();
    let ids = &found(&mut checkpoint).ids;
    let unlisted = if ids.whole { ids.not_listed.first.clone() } else { Vec::new() };
    for ids in unlisted.chunks(work.checkpoint.page_size as usize) {
        let (answers, _) = fetch(work, ids, &mut checkpoint).await?;
        let (products, bad) = records(&answers);
        let there = products.iter().map(|product| product.inventory_id);
        let there = there.chain(bad.iter().filter_map(|record| record.inventory_id)).any(|id| ids.contains(&id));
        if there && checkpoint.listed.whole {
            checkpoint.listed.doubts.push(UNLISTED.to_owned());
            checkpoint.listed.whole = false;
            found(&mut checkpoint).ids.whole = false;
        }
    }
    if !unlisted.is_empty() {
        work.commit(Commit::default(), checkpoint).await?;
    }
    Ok(())
}

/// The records of answers: products, and those that are none.
fn records(answers: &[Answer]) -> (Vec<Product<'_>>, Vec<Quarantined<'_>>) {
    let (mut products, mut bad) = (Vec::new(), Vec::new());
    for answer in answers {
        let (more, more_bad) = normalize(&answer.page);
        products.extend(more);
        bad.extend(more_bad);
    }
    (products, bad)
}

/// Asks for products, and again for those that were left out: a store may cut its answers short. What it does not have is what
/// it was asked for twice at least, the last time without any of them being there.
async fn fetch(
    work: &mut AtWork<'_>,
    ids: &[i64],
    checkpoint: &mut Checkpoint,
) -> Result<(Vec<Answer>, Vec<i64>), Stop> {
    let (mut answers, mut rest) = (Vec::new(), ids.to_vec());
    while let Some(answer) = believed(work, &rest, checkpoint).await? {
        let absent = answer.absent.clone();
        answers.push(answer);
        if absent.is_empty() || absent.len() == rest.len() && answers.len() > 1 {
            return Ok((answers, absent));
        }
        rest = absent;
    }
    Ok((answers, Vec::new()))
}

/// Asks for products until the answer can be believed; when it cannot be, the checkpoint gets the doubt.
///
/// It can be where the first product of the list is in it, which is asked for beside them: an answer that is cut short has it, as it
/// is the first, and a page of the list that is sent once more does not, as the last ones were read last.
async fn believed(work: &mut AtWork<'_>, ids: &[i64], checkpoint: &mut Checkpoint) -> Result<Option<Answer>, Stop> {
    let listed = &work.checkpoint.listed;
    let witness = listed.first.filter(|_| !listed.unordered);
    let mut tries = 0;
    loop {
        let answer = ask(work, ids, witness.as_slice()).await?;
        checkpoint.given_up.clone_from(&work.checkpoint.given_up);
        let vouched = if witness.is_some() { answer.silent.is_empty() } else { !answer.listed.is_empty() };
        if vouched && answer.readable && !answer.deaf {
            return Ok(Some(answer));
        }
        tries += 1;
        if tries < TRIES {
            continue;
        }
        let doubt = if answer.deaf { DEAF } else { UNANSWERED };
        if !checkpoint.listed.doubts.iter().any(|said| said == doubt) {
            checkpoint.listed.doubts.push(doubt.to_owned());
        }
        return Ok(None);
    }
}

/// What came of a batch.
struct Judged<'p> {
    /// How many are the same.
    same: usize,
    /// Those that are not, as the store has them.
    other: Vec<Product<'p>>,
    /// Those the store sends bad records of.
    bad: Vec<Quarantined<'p>>,
    /// Those the store does not have.
    missing: Vec<Finding>,
}

/// What the store says: products, bad records, and what it does not have.
type Said<'p, 'i> = (Vec<Product<'p>>, Vec<Quarantined<'p>>, &'i [i64]);

impl<'p> Judged<'p> {
    fn new(
        work: &AtWork<'_>,
        found: &mut AuditFindings,
        ids: &[i64],
        held: &HashMap<i64, Product<'_>>,
        (fetched, bad, absent): Said<'p, '_>,
    ) -> Self {
        let mut judged = Self { same: 0, other: Vec::new(), bad: Vec::new(), missing: Vec::new() };
        let mut fetched: BTreeMap<i64, Product<'p>> =
            fetched.into_iter().map(|product| (product.inventory_id, product)).collect();
        let mut bad: BTreeMap<Option<i64>, Quarantined<'p>> =
            bad.into_iter().map(|record| (record.inventory_id, record)).collect();
        let since = since(work);
        for id in ids {
            let Some(held) = held.get(id) else { continue };
            if let Some(product) = fetched.remove(id) {
                let fields = Change::between(held, &product).fields;
                if fields.is_empty() {
                    judged.same += 1;
                    found.identical += 1;
                    continue;
                }
                if since.edited(Some(held), &product) {
                    found.edited.extend([*id]);
                } else {
                    found.differs(held, fields);
                }
                judged.other.push(product);
            } else if let Some(record) = bad.remove(&Some(*id)) {
                found.nothing_to_compare(held, DifferenceKind::Unreadable, Some(record.reason.clone()));
                judged.bad.push(record);
            } else if absent.contains(id) {
                found.nothing_to_compare(held, DifferenceKind::Absent, None);
                judged.missing.push(Finding { inventory_id: *id, kind: FindingKind::Missing });
            }
        }
        judged
    }
}
