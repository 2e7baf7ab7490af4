//! How many records a page a run asks for: as many as configured, or as the store has shown to bear ([`Learned`]), and fewer
//! where it does not bear those.

use tracing::warn;

use super::Syncer;
use super::at_work::AtWork;
use super::seam::Seam;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::learned::Learned;
use crate::domain::page_size::PageSize;
use crate::domain::run::{Checkpoint, Phase, RunKind};
use crate::domain::store::Store;

impl AtWork<'_> {
    /// What was known of the store when the run began, unless it finds that out anew.
    pub fn began_with(&self) -> Learned {
        if self.checkpoint.doubts_learned { Learned::default() } else { self.store.learned.clone() }
    }

    /// Records in full detail a page, unless the store turns out not to bear them.
    pub fn page_size(&self) -> u32 {
        self.began_with().page(self.syncer.config.fetch.page_size).new
    }

    /// Where the list in full detail goes on.
    pub fn full_seam(&self) -> Seam {
        self.seam(self.began_with().page(self.checkpoint.page_size))
    }

    /// Where the list in little detail goes on.
    pub fn light_seam(&self) -> Seam {
        self.seam(self.began_with().sweep_page(self.syncer.config.fetch.sweep_page_size))
    }

    fn seam(&self, page: PageSize) -> Seam {
        let listed = &self.checkpoint.listed;
        let page = listed.borne(page);
        listed.place.map_or_else(|| Seam::new(page), |place| Seam::resume(place, page))
    }

    /// Half as many records in full detail at once from now on as were `asked` for. `false` when that was one already.
    pub fn smaller_pages(&mut self, asked: usize) -> bool {
        let asked = u32::try_from(asked).unwrap_or(u32::MAX);
        self.checkpoint.page_size = self.checkpoint.page_size.min((asked / 2).max(1));
        asked > 1
    }

    /// Whether to ask for less at once, after an answer that was too much. A store that does not answer that either has another
    /// trouble, and is left alone for a while.
    pub fn try_less(&mut self, error: &RemoteError) -> bool {
        let again = std::mem::replace(&mut self.too_much, true);
        let tries = error.class != ErrorClass::Transient || !again;
        if tries {
            warn!("asking for fewer records: {error}");
        }
        tries
    }
}

/// Where a run begins. What was learned of the store long ago is found out anew by a run that lists everything.
pub fn begin(syncer: &Syncer, store: &Store, kind: RunKind) -> Checkpoint {
    let doubts_learned = kind != RunKind::Incremental && store.learned.is_stale(syncer.clock.now());
    let learned = if doubts_learned { Learned::default() } else { store.learned.clone() };
    Checkpoint {
        page_size: learned.page(syncer.config.fetch.page_size).new,
        phase: if kind == RunKind::Full { Phase::Detail } else { Phase::List },
        given_up: learned.refused,
        doubts_learned,
        ..Checkpoint::default()
    }
}
