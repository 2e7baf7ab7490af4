//! Progress of a run: a bar on a terminal, a line now and then elsewhere, nothing beside `--json`.

use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::domain::run::Run;
use crate::domain::store::Store;
use crate::storage::{Database, StorageError, products};

/// How many looks lie between two plain lines.
const TICKS_A_LINE: u32 = 20;

/// The progress of everything a command does.
#[derive(Debug)]
pub struct Progress {
    bars: MultiProgress,
    plain: bool,
}

impl Progress {
    /// Bars when stderr is a terminal; otherwise plain lines, unless the result is `json`.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal && !json { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), plain: !terminal && !json }
    }

    /// The progress of one store's run. What the mirror holds already is the estimate of what is to come; nobody counts it
    /// where no bar is to be seen.
    pub async fn store(&self, db: &Database, store: &Store) -> Result<StoreProgress, StorageError> {
        let expected = if self.bars.is_hidden() { 0 } else { products::count(db, store.id).await? };
        let bar = self.bars.add(ProgressBar::new(expected));
        let template = if expected > 0 {
            "{prefix} {bar:24} {pos}/~{len} products · {per_sec} · {msg} · {eta} left"
        } else {
            "{prefix} {spinner} {pos} products · {per_sec} · {msg} · {elapsed}"
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are valid"));
        bar.set_prefix(store.name.clone());
        Ok(StoreProgress { bar, plain: self.plain, name: store.name.clone(), expected, ticks: Mutex::new(0) })
    }

    /// Prints without tearing the bars.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.bars.suspend(print);
    }
}

/// The progress of one store's run; gone from the screen when dropped.
#[derive(Debug)]
pub struct StoreProgress {
    bar: ProgressBar,
    plain: bool,
    name: String,
    expected: u64,
    ticks: Mutex<u32>,
}

impl StoreProgress {
    /// Shows where the run stands.
    pub fn update(&self, run: &Run) {
        let counts = run.counts;
        let seen = counts.seen.unsigned_abs();
        if self.expected > 0 && seen > self.expected {
            self.bar.set_length(seen);
        }
        self.bar.set_position(seen);
        self.bar.set_message(format!("{} pages, {} calls", counts.pages, counts.calls));
        let mut ticks = self.ticks.lock().expect("no panic while the ticks are held");
        *ticks += 1;
        if self.plain && (*ticks).is_multiple_of(TICKS_A_LINE) {
            eprintln!("{}: {seen} products, {} pages, {} calls", self.name, counts.pages, counts.calls);
        }
    }
}

impl Drop for StoreProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
