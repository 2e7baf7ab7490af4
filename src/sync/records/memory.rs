//! What the lists of a stream have shown, as long as the attempt lasts. It outlives a token that was renewed, and nothing else:
//! a list that was interrupted proves nothing about what it lacks.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::removal::Missing;

/// What is remembered of the stream that is being read, and of those whose removals are held back.
#[derive(Debug, Default)]
pub struct Memory {
    /// The list before the one that is read now.
    pub before: Option<Listing>,
    /// The one that is read now.
    pub now: Option<Listing>,
    /// Streams of which more is missing than may be removed without being asked.
    pub held_back: Vec<HeldBack>,
}

impl Memory {
    /// Whether the removals of a stream wait for the end of the run.
    pub fn is_held_back(&self, stream: &str) -> bool {
        self.held_back.iter().any(|held| held.stream == stream)
    }

    /// The stream is dealt with.
    pub fn forget_lists(&mut self) {
        (self.before, self.now) = (None, None);
    }

    /// The stream is listed once more.
    pub fn turn(&mut self) {
        self.before = self.now.take();
    }
}

/// A stream whose removals are held back, or will be.
#[derive(Debug)]
pub struct HeldBack {
    /// The stream.
    pub stream: String,
    /// What its list had.
    pub listing: Listing,
    /// What it lacks.
    pub missing: Missing,
    /// How many records are held.
    pub held: u64,
    /// How many of them may be removed at once.
    pub allowed: u64,
}

/// What a list has shown: sixteen bytes for each of its keys.
#[derive(Debug, Default)]
pub struct Listing {
    /// Whether it was read from its beginning.
    pub whole: bool,
    /// Its pages.
    pub pages: u64,
    keys: HashSet<u128>,
    /// Keys that came on more than one page.
    twice: HashSet<u128>,
    unreadable: HashSet<u128>,
    total: Option<u64>,
    shrank: bool,
    /// Why it may not have been all.
    pub doubt: Option<String>,
}

impl Listing {
    /// One that is begun, at the list's beginning (`whole`) or where it was interrupted.
    pub fn begun(whole: bool) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Takes note of a page: keys of its records, each once, elements that are none, and how many elements there are in all, as far
    /// as it says. Gives how many of them this list had not brought before.
    pub fn page<'r>(
        &mut self,
        keys: impl Iterator<Item = &'r str>,
        unreadable: impl Iterator<Item = &'r str>,
        total: Option<u64>,
    ) -> usize {
        let before = self.keys.len() + self.unreadable.len();
        for key in keys {
            let hash = xxh3_128(key.as_bytes());
            if !self.keys.insert(hash) {
                self.twice.insert(hash);
            }
        }
        self.unreadable.extend(unreadable.map(|raw| xxh3_128(raw.as_bytes())));
        self.shrank |= total.is_some_and(|total| self.total.is_some_and(|before| total < before));
        self.total = total.or(self.total);
        self.pages += 1;
        self.keys.len() + self.unreadable.len() - before
    }

    /// Whether a record was on it.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(&xxh3_128(key.as_bytes()))
    }

    /// Whether an element that is no record was on it.
    pub fn has_unreadable(&self, raw: &str) -> bool {
        self.unreadable.contains(&xxh3_128(raw.as_bytes()))
    }

    /// Elements that are no records.
    pub fn unreadable(&self) -> usize {
        self.unreadable.len()
    }

    /// Whether nothing at all was on it.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.unreadable.is_empty()
    }

    /// Whether records moved from one page to another while it was read, as far as it shows that.
    pub fn moved(&self) -> bool {
        self.shrank || !self.twice.is_empty()
    }

    /// Whether a record came twice in this one and in the other: then it is not for having moved.
    pub fn repeats_as(&self, other: &Self) -> bool {
        !self.shrank && self.twice == other.twice
    }

    /// How many keys came on more than one page.
    pub fn repeated(&self) -> usize {
        self.twice.len()
    }

    /// Whether everything on it is on a later one too. What goes while a list is read lets others slip to a page that was read
    /// before; so a list that lost nothing by the next has let nothing slip in this way.
    pub fn lost_nothing_by(&self, later: &Self) -> bool {
        self.keys.is_subset(&later.keys)
    }
}
