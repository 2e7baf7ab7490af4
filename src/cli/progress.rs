//! Progress of a run: a bar on a terminal, a line now and then elsewhere, nothing beside `--json`.

use std::io::IsTerminal;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::app::App;
use super::forecast;
use crate::domain::forecast::Terms;
use crate::domain::run::Run;
use crate::domain::store::Store;
use crate::storage::{Database, StorageError, cursors, overview};

/// How many looks lie between two plain lines.
const TICKS_A_LINE: u32 = 20;

/// The progress of everything a command does.
#[derive(Debug)]
pub struct Progress {
    bars: MultiProgress,
    plain: bool,
    /// Whether it is said what to expect.
    foretells: bool,
}

impl Progress {
    /// Bars when stderr is a terminal; otherwise plain lines, unless the result is `json`.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal && !json { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), plain: !terminal && !json, foretells: !json }
    }

    /// The same, without a word on what to expect.
    pub fn without_forecast(self) -> Self {
        Self { foretells: false, ..self }
    }

    /// The progress of one store's run, of which `db` holds the copy. What the copy holds already is the estimate of what is to
    /// come; nobody counts it where nothing is shown. When the run has just been `queued` it is said what it will cost.
    pub async fn store(
        &self,
        app: &App,
        db: &Database,
        store: &Store,
        run: &Run,
        queued: bool,
    ) -> Result<StoreProgress, StorageError> {
        let shown = self.plain || !self.bars.is_hidden();
        let before = if shown { overview::held_before(db, store, run).await? } else { 0 };
        let terms = forecast::terms(&app.config, store);
        if shown && queued && self.foretells {
            let sentence = if store.has_records() {
                forecast::of_records(db, store, before).await?
            } else {
                let whole = cursors::read(db, store).await?.edited.is_none();
                forecast::sentence(&terms, run, before, whole)
            };
            self.suspend(|| super::complain(&format!("{}: {sentence}", store.name)));
        }
        let bar = self.bars.add(ProgressBar::new(before));
        let rows = if store.has_records() { "records" } else { "products" };
        let template = if before > 0 {
            format!("{{prefix}} {{bar:24}} {{pos}}/~{{len}} {rows} · {{per_sec}} · {{msg}}")
        } else {
            format!("{{prefix}} {{spinner}} {{pos}} {rows} · {{per_sec}} · {{msg}} · {{elapsed}}")
        };
        bar.set_style(ProgressStyle::with_template(&template).expect("the templates above are valid"));
        bar.set_prefix(store.name.clone());
        let (name, plain) = (store.name.clone(), self.plain);
        Ok(StoreProgress { bar, shown, plain, name, rows, before, terms, ticks: Mutex::new(0) })
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
    shown: bool,
    plain: bool,
    name: String,
    /// What is counted.
    rows: &'static str,
    /// Products held before the run.
    before: u64,
    terms: Terms,
    ticks: Mutex<u32>,
}

impl StoreProgress {
    /// Shows where the run of `db` stands at `now`.
    pub async fn update(&self, db: &Database, run: &Run, now: DateTime<Utc>) -> Result<(), StorageError> {
        if !self.shown {
            return Ok(());
        }
        let counts = run.counts;
        let seen = counts.seen.unsigned_abs();
        if self.before > 0 && seen > self.before {
            self.bar.set_length(seen);
        }
        let held = (self.before.cast_signed() + counts.inserted - counts.removed).max(0).cast_unsigned();
        let left = forecast::left(db, &self.terms, run, held, now).await?;
        let left = left.map_or(String::new(), |left| format!("; {}", forecast::left_in_words(&left)));
        let message = format!("{} pages, {} calls{left}", counts.pages, counts.calls);
        self.bar.set_position(seen);
        let mut ticks = self.ticks.lock().expect("no panic while the ticks are held");
        *ticks += 1;
        if self.plain && (*ticks).is_multiple_of(TICKS_A_LINE) {
            eprintln!("{}: {seen} {}, {message}", self.name, self.rows);
        }
        self.bar.set_message(message);
        Ok(())
    }
}

impl Drop for StoreProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
