//! What runs of described connectors ask and write.

use crate::connector::described::{Page, Position, Stream, present};
use crate::domain::run::Checkpoint;
use crate::storage::products::Quarantined;
use crate::storage::records::{self, PageWrite, Record, Removal};
use crate::sync::api::Described;
use crate::sync::at_work::AtWork;
use crate::sync::outcome::Stop;

/// What is committed of a page.
pub struct Commit<'p> {
    /// The stream.
    pub stream: &'p str,
    /// Its records, each key once.
    pub records: &'p [Record<'p>],
    /// What on it are none.
    pub quarantined: &'p [Quarantined<'p>],
    /// Whether the run has listed the stream before.
    pub again: bool,
    /// Records taken in.
    pub seen: usize,
}

impl AtWork<'_> {
    /// Asks for a page of a stream.
    pub async fn page_of(&mut self, api: Described<'_>, stream: &Stream, position: &Position) -> Result<Page, Stop> {
        let (description, url) = (api.description, &self.store.url);
        let request = present(api.auth, &self.credential, stream.ask(description, url, position)?)?;
        let page = self.ask(&request, false, |answer| stream.page(description, url, position, &answer)).await?;
        self.met().await?;
        Ok(page)
    }

    /// Writes a page of records and moves the checkpoint, in one transaction.
    pub async fn commit_records(&mut self, commit: Commit<'_>, checkpoint: Checkpoint) -> Result<(), Stop> {
        let checkpoint = self.with_budget(checkpoint);
        let mut counts = self.counts_now();
        counts.pages += i64::from(commit.seen > 0);
        counts.seen += commit.seen as i64;
        let renewal = self.heartbeat.live.renewal();
        let write = PageWrite {
            lease: self.lease,
            lease_for: self.syncer.config.worker.lease(),
            stream: commit.stream,
            records: commit.records,
            again: commit.again,
            quarantined: commit.quarantined,
            checkpoint: &checkpoint,
            counts,
            now: renewal.at,
        };
        let written = records::commit_page(&self.syncer.db, write).await?;
        self.heartbeat.live.renewed(renewal);
        self.committed(written, checkpoint);
        Ok(())
    }

    /// Marks records removed.
    pub async fn remove_records(&mut self, stream: &str, keys: &[String]) -> Result<(), Stop> {
        let checkpoint = self.with_budget(self.checkpoint.clone());
        let renewal = self.heartbeat.live.renewal();
        let removal = Removal {
            lease: self.lease,
            lease_for: self.syncer.config.worker.lease(),
            stream,
            keys,
            checkpoint: &checkpoint,
            counts: self.counts_now(),
            now: renewal.at,
        };
        let written = records::mark_removed(&self.syncer.db, removal).await?;
        self.heartbeat.live.renewed(renewal);
        self.committed(written, checkpoint);
        Ok(())
    }
}
