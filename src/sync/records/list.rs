//! A stream's lists, from its beginning or where an earlier attempt stood, to what they prove.

use std::collections::HashMap;

use chrono::TimeDelta;
use tracing::{debug, info};

use super::calls::Commit;
use super::judge::{Judgement, judge};
use super::memory::Listing;
use super::{finish, gone, so_far};
use crate::connector::described::{Mark, Page, Position, Stream};
use crate::domain::json;
use crate::domain::run::{RunKind, StreamPlace};
use crate::storage::cursors;
use crate::storage::products::Quarantined;
use crate::storage::records::Record;
use crate::sync::api::Described;
use crate::sync::at_work::AtWork;
use crate::sync::outcome::Stop;
use crate::sync::walk::endless;

/// The largest offset a zone has: what is dated further ahead is no date to go by.
const ANY_ZONE: TimeDelta = TimeDelta::hours(14);

/// Reads a stream and deals with what is missing.
pub async fn stream(work: &mut AtWork<'_>, api: Described<'_>, stream: &Stream) -> Result<(), Stop> {
    loop {
        let (number, position) = begin(work, stream).await?;
        let since = position.since.is_some();
        let pages = pages(work, api, stream, number, position).await?;
        if since {
            if let Some(doubt) = pages {
                say(work, stream, &doubt);
            }
            finish(work, stream);
            return Ok(());
        }
        let missing = gone::missing(work, stream).await?;
        let (mut now, before) = (work.memory.now.take().unwrap_or_default(), work.memory.before.as_ref());
        let closing = work.kind != RunKind::Incremental;
        let judgement = judge(&mut now, before, number, missing.products, closing);
        debug!(stream = stream.name, list = number, missing = missing.products, "the list is judged: {judgement:?}");
        match judgement {
            Judgement::Again => {
                info!("the stream {} is listed once more", stream.name);
                work.memory.now = Some(now);
                work.memory.turn();
                place(work, stream, number + 1, &Position::start(None));
                continue;
            }
            Judgement::Unsure(doubt) => say(work, stream, &doubt),
            Judgement::Settled => {}
            Judgement::Gone | Judgement::Empty => {
                if !gone::remove_or_hold_back(work, stream, now, missing).await? {
                    return Ok(());
                }
            }
        }
        finish(work, stream);
        return Ok(());
    }
}

/// Where to go on, and in which list.
async fn begin(work: &mut AtWork<'_>, stream: &Stream) -> Result<(u32, Position), Stop> {
    let at = so_far(work).at.clone().filter(|at| at.stream == stream.name);
    // A place that an earlier version of the program or of the file has left is no reason to stop.
    let at = at.and_then(|at| Some((at.list, serde_json::from_value::<Position>(at.position).ok()?)));
    let (list, position) = if let Some((list, position)) = at {
        (list.max(1), position)
    } else {
        work.memory.forget_lists();
        (1, Position::start(since(work, stream).await?))
    };
    if work.memory.now.is_none() {
        work.memory.now = Some(Listing::begun(position.pages == 0));
    }
    Ok((list, position))
}

/// Since when an incremental run asks for what changed; `None` = for everything.
async fn since(work: &AtWork<'_>, stream: &Stream) -> Result<Option<Mark>, Stop> {
    let may_be_asked = stream.cursor.as_ref().is_some_and(|cursor| cursor.param.is_some());
    if work.kind != RunKind::Incremental || !may_be_asked {
        return Ok(None);
    }
    let marks = cursors::of_streams(&work.syncer.db, work.store.id).await?;
    let mark = marks.get(&stream.name).and_then(|mark| serde_json::from_value(mark.clone()).ok());
    Ok(mark.map(|mark| match mark {
        Mark::Time(time) => Mark::Time(time - work.syncer.config.fetch.overlap()),
        number @ Mark::Number(_) => number,
    }))
}

/// Reads a list to its end, a page and a commit at a time. Gives the doubt that its end leaves.
async fn pages(
    work: &mut AtWork<'_>,
    api: Described<'_>,
    stream: &Stream,
    number: u32,
    mut position: Position,
) -> Result<Option<String>, Stop> {
    loop {
        if position.pages >= u64::from(work.syncer.config.fetch.max_pages) {
            return Err(endless(work.syncer.config.fetch.max_pages).into());
        }
        let page = work.page_of(api, stream, &position).await?;
        commit(work, stream, number, &page).await?;
        let Some(next) = page.next else {
            work.memory.now.get_or_insert_default().doubt.clone_from(&page.doubt);
            return Ok(page.doubt);
        };
        position = next;
        match work.pause().await? {
            // An interrupted list proves nothing about what is gone, so a place is given up between two lists only.
            None | Some(Stop::Yielded) => {}
            Some(stop) => return Err(stop),
        }
    }
}

/// Writes a page, and where the list goes on behind it.
async fn commit(work: &mut AtWork<'_>, stream: &Stream, number: u32, page: &Page) -> Result<(), Stop> {
    let (records, bad) = sorted(stream, page);
    let again = number > 1;
    let (listing, before) = (work.memory.now.get_or_insert_default(), work.memory.before.as_ref());
    let new = listing.page(records.iter().map(|record| record.key), bad.iter().map(|record| &*record.raw), page.total);
    let known = |record: &Quarantined<'_>| before.is_some_and(|before| before.has_unreadable(&record.raw));
    let bad: Vec<_> = bad.into_iter().filter(|record| !known(record)).collect();
    note_marks(work, stream, page);
    if let Some(next) = &page.next {
        place(work, stream, number, next);
    }
    let written = work.counts.inserted + work.counts.updated;
    let commit = Commit {
        stream: &stream.name,
        records: &records,
        quarantined: &bad,
        again,
        seen: if again { bad.len() } else { new },
    };
    let checkpoint = work.checkpoint.clone();
    work.commit_records(commit, checkpoint).await?;
    if again {
        // What a list brings that the one before it had not shown, or had shown otherwise.
        work.checkpoint.listed.repaired += work.counts.inserted + work.counts.updated - written;
    }
    debug!(stream = stream.name, page.items = page.records.len(), "page stored");
    Ok(())
}

/// The records of a page, the last of those with one key, and what can be none.
fn sorted<'p>(stream: &Stream, page: &'p Page) -> (Vec<Record<'p>>, Vec<Quarantined<'p>>) {
    let none = |reason: &str, raw: &'p str| {
        let reason = format!("stream {}: {reason}", stream.name);
        Quarantined { inventory_id: None, reason, raw: raw.into() }
    };
    let mut bad: Vec<_> = page.bad.iter().map(|bad| none(&bad.reason, bad.raw.as_str())).collect();
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(page.records.len());
    let mut records: Vec<Record<'p>> = Vec::with_capacity(page.records.len());
    for record in &page.records {
        let (key, data) = (record.key.as_str(), record.data.as_str());
        if let Some(number) = json::unstorable_number(data) {
            let reason = format!("the record {key} has the number {number}, which no database holds");
            bad.push(none(&reason, data));
            continue;
        }
        if let Some(place) = places.get(key) {
            records[*place] = Record { key, data };
        } else {
            places.insert(key, records.len());
            records.push(Record { key, data });
        }
    }
    (records, bad)
}

/// Takes note of the highest value of the stream's cursor, unless it lies in the future.
fn note_marks(work: &mut AtWork<'_>, stream: &Stream, page: &Page) {
    let latest = work.syncer.clock.now() + ANY_ZONE;
    let believable = |mark: &Mark| !matches!(mark, Mark::Time(time) if *time > latest);
    let Some(highest) = page.records.iter().filter_map(|record| record.mark).filter(believable).max() else { return };
    let marks = &mut so_far(work).marks;
    let known = marks.get(&stream.name).and_then(|mark| serde_json::from_value::<Mark>(mark.clone()).ok());
    if known.is_none_or(|known| known < highest) {
        marks.insert(stream.name.clone(), serde_json::to_value(highest).expect("plain data"));
    }
}

/// Notes where the stream goes on; it is kept with the next commit.
fn place(work: &mut AtWork<'_>, stream: &Stream, list: u32, position: &Position) {
    let position = serde_json::to_value(position).expect("plain data");
    so_far(work).at = Some(StreamPlace { stream: stream.name.clone(), list, position });
}

fn say(work: &mut AtWork<'_>, stream: &Stream, doubt: &str) {
    work.doubt(&format!("stream {}: {doubt}", stream.name));
}
