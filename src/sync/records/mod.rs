//! Runs of described connectors: each stream is listed and what came is written page by page, like a walk.
//!
//! ```text
//! stream ─► list, page by page (rows and checkpoint in one transaction)
//!             └► at its end: is anything that we hold not on it?
//!                  nothing ─► next stream
//!                  something ─► the list once more ─► both lists agree, the guard lets pass ─► marked removed
//! ```
//! There is no asking by ID here, so what a list lacks may be gone, or may have slipped between two pages while the API's data moved.
//! [`judge`] says what two lists in a row prove; what is not proven is never marked removed, and the verdict says so.
//!
//! An incremental run lists streams whose API can be asked for what changed since the cursor in that way, and all others whole.

mod calls;
mod gone;
mod judge;
mod list;
mod memory;
mod verdict;

use tracing::{info, warn};

pub use self::memory::Memory;
use super::api::Described;
use super::at_work::AtWork;
use super::outcome::{Stop, sentence};
use crate::connector::described::Stream;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::run::{RunKind, StreamFailed, Streams};
use crate::storage::runs::End;

/// Works on a run to its end, or to what stops it.
pub async fn all_streams(work: &mut AtWork<'_>, api: Described<'_>) -> Result<End, Stop> {
    if work.kind == RunKind::Audit {
        return Err(no_audit(work).into());
    }
    work.test_doubtful_key().await?;
    for stream in &api.description.streams {
        if so_far(work).done.contains(&stream.name) || work.memory.is_held_back(&stream.name) {
            continue;
        }
        match list::stream(work, api, stream).await {
            Ok(()) => {}
            Err(Stop::Remote(error)) if is_about_the_stream(work, api, &error).await? => fail(work, stream, &error),
            Err(stop) => return Err(stop),
        }
        if let Some(stop) = work.pause().await? {
            return Err(stop);
        }
    }
    gone::settle(work).await?;
    verdict::verdict(work, api)
}

/// How far the run is.
fn so_far<'w>(work: &'w mut AtWork<'_>) -> &'w mut Streams {
    work.checkpoint.streams.get_or_insert_default()
}

/// Whether an error keeps one stream from being read, so that the others are read all the same.
async fn is_about_the_stream(work: &mut AtWork<'_>, api: Described<'_>, error: &RemoteError) -> Result<bool, Stop> {
    Ok(match error.class {
        ErrorClass::Rejected | ErrorClass::Data | ErrorClass::Config => true,
        // Some things may be forbidden to a key that is good: the small call tells.
        ErrorClass::Unauthorized if error.status == Some(403) && api.description.check.is_some() => {
            work.canary().await?;
            true
        }
        ErrorClass::Unauthorized | ErrorClass::Transient | ErrorClass::RateLimited | ErrorClass::Internal => false,
    })
}

/// Writes down that a stream could not be read.
fn fail(work: &mut AtWork<'_>, stream: &Stream, error: &RemoteError) {
    let said = sentence(error);
    warn!("the stream {} cannot be read: {said}", stream.name);
    let so_far = so_far(work);
    so_far.failed.push(StreamFailed { stream: stream.name.clone(), class: error.class, said });
    finish(work, stream);
}

/// Goes on behind a stream.
fn finish(work: &mut AtWork<'_>, stream: &Stream) {
    let so_far = so_far(work);
    so_far.at = None;
    so_far.done.push(stream.name.clone());
    work.memory.forget_lists();
    info!("the stream {} is done", stream.name);
}

fn no_audit(work: &AtWork<'_>) -> RemoteError {
    let message = "an audit compares products, and this store has records of a described connector";
    RemoteError::new(ErrorClass::Config, message)
        .hint(format!("`netosync sync {} --kind sweep` lists and compares them all", work.store.name))
}
