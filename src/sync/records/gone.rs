//! Records that are held and not listed any more: counted, marked removed where the lists prove it and the guard lets pass, and
//! held back until a person approves, or a second run shows the same, where it does not.

use tracing::warn;

use super::memory::{HeldBack, Listing};
use super::so_far;
use crate::connector::described::Stream;
use crate::domain::digest::IdDigest;
use crate::domain::removal::{Guard, Missing};
use crate::domain::run::RunKind;
use crate::storage::{StorageError, held_removals, records};
use crate::sync::at_work::AtWork;
use crate::sync::outcome::Stop;
use crate::sync::removal::approved;

/// Keys looked at, and marked, at once.
const CHUNK: u32 = 5000;

/// What the list that was just read lacks of what is held.
pub async fn missing(work: &AtWork<'_>, stream: &Stream) -> Result<Missing, StorageError> {
    let mut missing = Missing { products: 0, digest: IdDigest::default() };
    let Some(listing) = &work.memory.now else { return Ok(missing) };
    let mut after: Option<String> = None;
    loop {
        let keys = held_keys(work, &stream.name, after.as_deref()).await?;
        for key in keys.iter().filter(|key| !listing.has(key)) {
            missing.products += 1;
            missing.digest.add_record(&stream.name, key);
        }
        match keys.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => return Ok(missing),
        }
    }
}

/// Removes what `listing` lacks, if the guard lets it pass. `false` when it waits for the end of the run instead.
pub async fn remove_or_hold_back(
    work: &mut AtWork<'_>,
    stream: &Stream,
    listing: Listing,
    missing: Missing,
) -> Result<bool, Stop> {
    let held = records::count_stream(&work.syncer.db, work.store.id, &stream.name).await?;
    let approved = approved(work).await?;
    let guard = Guard { held, max_share: work.syncer.config.removal.max_share, approved, held_back: None };
    // Nobody but a person can say that a list is empty indeed.
    let passes = if listing.is_empty() { approved } else { guard.lets_pass(&missing) };
    if passes {
        remove(work, &stream.name, &listing).await?;
        return Ok(true);
    }
    let held_back = HeldBack { stream: stream.name.clone(), listing, missing, held, allowed: guard.allowed() };
    work.memory.forget_lists();
    work.memory.held_back.push(held_back);
    // Not done before the end of the run: what was seen is only in memory.
    so_far(work).at = None;
    Ok(false)
}

/// Deals with what was held back, when all streams are read.
pub async fn settle(work: &mut AtWork<'_>) -> Result<(), Stop> {
    let (db, store_id, now) = (work.syncer.db.clone(), work.store.id, work.syncer.clock.now());
    let held_back = std::mem::take(&mut work.memory.held_back);
    let mut all = Missing { products: 0, digest: IdDigest::default() };
    for one in &held_back {
        all.products += one.missing.products;
        all.digest.add_all(one.missing.digest);
    }
    let nothing_listed = held_back.iter().any(|one| one.listing.is_empty());
    let again = held_removals::of_store(&db, store_id).await? == Some(all.digest) && !nothing_listed;
    if !held_back.is_empty() && !again && !approved(work).await? {
        let sentence = sentence(work, &held_back);
        warn!("{sentence}");
        held_removals::hold(&db, work.lease, &all, &sentence, now).await?;
        work.doubt(&sentence);
        return Ok(());
    }
    for one in &held_back {
        remove(work, &one.stream, &one.listing).await?;
        so_far(work).done.push(one.stream.clone());
    }
    // A run that has not judged every stream says nothing about what is held back.
    if work.kind != RunKind::Incremental && so_far(work).failed.is_empty() && work.checkpoint.listed.doubts.is_empty() {
        held_removals::release(&db, store_id, now).await?;
    }
    Ok(())
}

/// Marks what `listing` lacks of what is held.
async fn remove(work: &mut AtWork<'_>, stream: &str, listing: &Listing) -> Result<(), Stop> {
    let mut after: Option<String> = None;
    loop {
        let keys = held_keys(work, stream, after.as_deref()).await?;
        let Some(last) = keys.last().cloned() else { return Ok(()) };
        after = Some(last);
        let gone: Vec<String> = keys.into_iter().filter(|key| !listing.has(key)).collect();
        if !gone.is_empty() {
            work.remove_records(stream, &gone).await?;
        }
        match work.pause().await? {
            None | Some(Stop::Yielded) => {}
            Some(stop) => return Err(stop),
        }
    }
}

async fn held_keys(work: &AtWork<'_>, stream: &str, after: Option<&str>) -> Result<Vec<String>, StorageError> {
    records::held_keys(&work.syncer.db, work.store.id, stream, after, CHUNK).await
}

fn sentence(work: &AtWork<'_>, held_back: &[HeldBack]) -> String {
    let tell = |one: &HeldBack| {
        let HeldBack { stream, missing, held, allowed, .. } = one;
        if one.listing.is_empty() {
            format!("stream {stream}: nothing is listed, and {held} records are held")
        } else {
            format!(
                "stream {stream}: {} of the {held} records held are not listed any more, and no more than {allowed} may be removed at once",
                missing.products
            )
        }
    };
    let told: Vec<_> = held_back.iter().map(tell).collect();
    format!(
        "{} (removal.max_share = {}); none was: look at the store, then `netosync sync {} --kind sweep --approve-removals`",
        told.join("; "),
        work.syncer.config.removal.max_share,
        work.store.name
    )
}
