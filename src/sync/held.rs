//! What is held of the products a list comes to, read ahead of it: a few thousand products a statement instead of a page's.
//!
//! A list comes in the order of IDs, so what is held is read in that order too, and forgotten behind the list. The readers of pages
//! look whether a record is held just so ([`HeldAhead::has`]); the run takes what lies in the range of a page to see what is missing
//! ([`HeldAhead::take`]), and how much is left tells how much of the list is to come ([`HeldAhead::left`]). Only the holder of the
//! store's lease writes its products, and writes each of a list once, so what was read ahead is what is held when the list comes to it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::domain::product::AnswerHash;
use crate::storage::products::{self, Held};
use crate::storage::{Database, StorageError};

/// Products read with one statement.
const CHUNK: usize = 4_000;
/// Products known at once, at the most: a list in no order would have all of them read.
const MOST: usize = 4 * CHUNK;

/// See the module.
#[derive(Debug)]
pub struct HeldAhead {
    db: Database,
    store_id: i64,
    window: Mutex<Window>,
}

/// The products held between two IDs.
#[derive(Debug)]
struct Window {
    /// Nothing is known of the products up to this ID ...
    after: Option<i64>,
    /// ... and everything from there up to this one.
    upto: Option<i64>,
    held: VecDeque<Held>,
    /// What is held behind that, while it is being read.
    next: Option<AbortOnDropHandle<Result<Vec<Held>, StorageError>>>,
}

impl Window {
    /// Nothing is known but where the list has come to.
    fn behind(covered: Option<i64>) -> Self {
        Self { after: covered, upto: covered, held: VecDeque::new(), next: None }
    }

    /// How many of those known lie up to `covered`.
    fn covered_by(&self, covered: Option<i64>) -> usize {
        self.held.partition_point(|held| Some(held.inventory_id) <= covered)
    }
}

impl HeldAhead {
    /// For a list that has come to `covered`.
    pub fn behind(db: &Database, store_id: i64, covered: Option<i64>) -> Arc<Self> {
        Arc::new(Self { db: db.clone(), store_id, window: Mutex::new(Window::behind(covered)) })
    }

    /// Which of these products are held as a record with this hash tells them. `told` is in the order of IDs.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn has(&self, told: &[(i64, AnswerHash)]) -> Result<Vec<bool>, StorageError> {
        let mut window = self.window.lock().await;
        if let Some((last, _)) = told.last() {
            self.read_while(&mut window, |window| window.upto < Some(*last)).await?;
        }
        let has = |(id, answer): &(i64, AnswerHash)| {
            let held = window.held.binary_search_by_key(id, |held| held.inventory_id).map(|place| &window.held[place]);
            held.is_ok_and(|held| !held.removed && held.answer == Some(*answer))
        };
        Ok(told.iter().map(has).collect())
    }

    /// The products held with IDs above `after` and up to `upto`, by ID. The list is behind them now.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn take(&self, after: Option<i64>, upto: i64) -> Result<Vec<Held>, StorageError> {
        let mut window = self.window.lock().await;
        if window.after <= after {
            self.read_while(&mut window, |window| window.upto < Some(upto)).await?;
        }
        if window.after > after || window.upto < Some(upto) {
            if window.upto < Some(upto) {
                *window = Window::behind(Some(upto));
            }
            return products::held_between(&self.db, self.store_id, after, Some(upto)).await;
        }
        // What lies before the page is forgotten, not the page itself: pages overlap, so its end comes once more with the next.
        let before = window.covered_by(after);
        window.held.drain(..before);
        window.after = window.after.max(after);
        Ok(window.held.iter().take_while(|held| held.inventory_id <= upto).copied().collect())
    }

    /// How many products are held behind `covered`, where the list has come to. `None` if it is more than `horizon`, and where the list
    /// is beyond everything that is held, so that what is held says nothing about how much is to come.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn left(&self, covered: Option<i64>, horizon: usize) -> Result<Option<usize>, StorageError> {
        let mut window = self.window.lock().await;
        self.read_while(&mut window, |window| window.held.len() - window.covered_by(covered) <= horizon).await?;
        if window.upto < Some(i64::MAX) {
            return Ok(None);
        }
        let here = window.held.range(..window.covered_by(covered)).rfind(|held| !held.removed);
        let left = window.held.range(window.covered_by(covered)..).filter(|held| !held.removed).count();
        let is_last = here.is_some_and(|held| Some(held.inventory_id) == covered);
        Ok((left > 0 || is_last).then_some(left))
    }

    /// Reads on while `more` of it is wanted, there is more, and not too much is known.
    async fn read_while(&self, window: &mut Window, more: impl Fn(&Window) -> bool) -> Result<(), StorageError> {
        while window.upto < Some(i64::MAX) && more(window) && window.held.len() < MOST {
            let next = match window.next.take() {
                Some(next) => next.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())),
                None => products::held_next(&self.db, self.store_id, window.upto, CHUNK).await,
            }?;
            window.upto = if next.len() < CHUNK { Some(i64::MAX) } else { next.last().map(|held| held.inventory_id) };
            window.held.extend(next);
        }
        // The list will come to what is behind it; until then that can be read.
        if window.next.is_none() && window.upto < Some(i64::MAX) && window.held.len() < MOST {
            let (db, store_id, upto) = (self.db.clone(), self.store_id, window.upto);
            let next = async move { products::held_next(&db, store_id, upto, CHUNK).await };
            window.next = Some(AbortOnDropHandle::new(tokio::spawn(next)));
        }
        Ok(())
    }
}
