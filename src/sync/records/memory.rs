//! What the lists of a stream have shown, as long as the attempt lasts. It outlives a token that was renewed, and nothing else:
//! a list that was interrupted proves nothing about what it lacks.

use std::collections::{HashMap, HashSet};

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

/// How a list moved while it was read, as far as it shows that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moved {
    /// It does not show.
    #[default]
    Not,
    /// Pages began with what the ones before them ended with: records came in before them, or moved there.
    Down,
    /// A record came again elsewhere, or there were fewer in all than before.
    About,
}

/// What a list has shown: some twenty bytes for each of its keys.
#[derive(Debug, Default)]
pub struct Listing {
    /// Whether it was read from its beginning.
    pub whole: bool,
    /// Its pages.
    pub pages: u64,
    /// How many lists in a row, this one included, lost nothing by the next and moved down at the most.
    pub steady: u32,
    /// Where each key stood first.
    keys: HashMap<u128, u32>,
    /// Keys that came on more than one page.
    twice: HashSet<u128>,
    /// The place that is read once more, where pages have moved down by more than a page.
    behind: Option<u32>,
    unreadable: HashSet<u128>,
    total: Option<u64>,
    moved: Moved,
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
        for (at, key) in keys.enumerate() {
            self.key(at, xxh3_128(key.as_bytes()));
        }
        self.unreadable.extend(unreadable.map(|raw| xxh3_128(raw.as_bytes())));
        if total.is_some_and(|total| self.total.is_some_and(|before| total < before)) {
            self.moved = Moved::About;
        }
        self.total = total.or(self.total);
        self.pages += 1;
        self.keys.len() + self.unreadable.len() - before
    }

    /// Takes note of the key that is the page's number `at`.
    fn key(&mut self, at: usize, hash: u128) {
        let end = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        match self.keys.get(&hash).copied() {
            None => {
                // Something new in the midst of what is read once more.
                self.moved = self.moved.max(if self.behind.is_some() { Moved::About } else { Moved::Not });
                self.behind = None;
                self.keys.insert(hash, end);
            }
            Some(place) => {
                let goes_on = self.behind.map_or(at == 0, |behind| behind == place);
                self.moved = self.moved.max(if goes_on { Moved::Down } else { Moved::About });
                self.behind = Some(place + 1).filter(|next| *next < end);
                self.twice.insert(hash);
            }
        }
    }

    /// Whether a record was on it.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(&xxh3_128(key.as_bytes()))
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

    /// How it moved while it was read. Pages that moved down are read to what was read last, or it was something else.
    pub fn moved(&self) -> Moved {
        if self.behind.is_some() { Moved::About } else { self.moved }
    }

    /// How many keys came on more than one page.
    pub fn repeated(&self) -> usize {
        self.twice.len()
    }

    /// Whether the same keys came twice on it as on another.
    pub fn repeats_as(&self, other: &Self) -> bool {
        !self.twice.is_empty() && self.twice == other.twice
    }

    /// Whether everything on it is on a later one too.
    pub fn lost_nothing_by(&self, later: &Self) -> bool {
        self.keys.keys().all(|key| later.keys.contains_key(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(pages: &[&[&str]]) -> Moved {
        let mut listing = Listing::begun(true);
        for page in pages {
            listing.page(page.iter().copied(), std::iter::empty(), None);
        }
        listing.moved()
    }

    #[test]
    fn pages_that_move_down_begin_with_what_was_read_last() {
        assert_eq!(moved(&[&["a", "b"], &["c", "d"]]), Moved::Not);
        assert_eq!(moved(&[&["a", "b"], &["b", "c"], &["b", "c"], &["d"]]), Moved::Down);
        // By more than a page.
        assert_eq!(moved(&[&["a", "b"], &["c", "d"], &["b", "c"], &["d", "e"]]), Moved::Down);
        for about in [
            [&["a", "b"][..], &["c", "a"]],
            [&["a", "b"], &["a", "c"]],
            [&["a", "b", "c"], &["b", "x", "c"]],
            [&["a", "b", "c"], &["b", "a"]],
        ] {
            assert_eq!(moved(&about), Moved::About, "{about:?}");
        }
    }
}
