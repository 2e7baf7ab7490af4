//! What is counted, for Prometheus: counters of this process, and gauges read from the database when somebody asks.
//!
//! One [`Metrics`] is handed to whatever has something to count. Counting is an atomic addition and allocates nothing. No
//! label ever holds more than a word of this program or the name of a store, so the number of series is bounded by
//! the number of stores, and no secret can be in one.
//!
//! To add a counter: a field here, its words in [`labels`], its registration with a HELP text that says unit and meaning in
//! [`Metrics::new`], a method that counts. A gauge of the database: [`crate::storage::gauges`] and `page.rs`. Names follow
//! Prometheus: `netosync_`, the thing, its unit (`seconds`); the library adds `_total` to counters.

pub mod labels;
mod page;

use std::fmt;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::labels::{Called, Effect, Outcome};
use crate::domain::error::ErrorClass;
use crate::domain::run::{Counts, RunKind};

pub use self::page::CONTENT_TYPE;

/// One label: its name and one of a few words.
type One = [(&'static str, &'static str); 1];
/// Two of them.
type Two = [(&'static str, &'static str); 2];

/// Bounds of the durations of calls, in seconds. A page takes a second or two; `fetch.timeout_secs` is 90 by default.
const CALL_SECONDS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// The counters of this process.
pub struct Metrics {
    registry: Registry,
    runs: Family<Two, Counter>,
    calls: Family<One, Counter>,
    failed_calls: Family<One, Counter>,
    call_seconds: Histogram,
    pages: Counter,
    rows: Family<One, Counter>,
    takeovers: Counter,
    slots: Gauge,
    busy: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters that stand at zero, every series of them: what has not happened yet is 0, not unknown.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("netosync"),
            runs: Family::default(),
            calls: Family::default(),
            failed_calls: Family::default(),
            call_seconds: Histogram::new(CALL_SECONDS),
            pages: Counter::default(),
            rows: Family::default(),
            takeovers: Counter::default(),
            slots: Gauge::default(),
            busy: Gauge::default(),
        };
        for outcome in Outcome::ALL {
            for kind in RunKind::ALL {
                drop(metrics.runs.get_or_create(&run_labels(*kind, *outcome)));
            }
        }
        for called in Called::ALL {
            drop(metrics.calls.get_or_create(&[("status", called.as_str())]));
        }
        for class in ErrorClass::ALL {
            drop(metrics.failed_calls.get_or_create(&[("class", class.as_str())]));
        }
        for effect in Effect::ALL {
            drop(metrics.rows.get_or_create(&[("effect", effect.as_str())]));
        }
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that answers", build);
        registry.register(
            "runs",
            "Runs this instance has let go of, by kind and by how; retried, snoozed, interrupted and yielded ones go on later",
            self.runs.clone(),
        );
        registry.register(
            "calls",
            "API calls made, repeats included, by HTTP status or by what came instead of an answer",
            self.calls.clone(),
        );
        registry.register(
            "failed_calls",
            "API calls that did not bring what was asked, by class of error; a store may refuse with status 200",
            self.failed_calls.clone(),
        );
        registry.register(
            "call_duration_seconds",
            "Time from the sending of an API call to the last byte of its answer, or to its failure",
            self.call_seconds.clone(),
        );
        registry.register("pages", "Pages of products committed with their checkpoint", self.pages.clone());
        registry.register(
            "rows",
            "Products of committed pages by what became of them; quarantined: records that could not be read",
            self.rows.clone(),
        );
        registry.register(
            "takeovers",
            "Runs taken over after the lease of their worker had run out",
            self.takeovers.clone(),
        );
        registry.register("slots", "Runs this instance works on at once at the most", self.slots.clone());
        registry.register("slots_busy", "Runs this instance works on", self.busy.clone());
        self
    }

    /// A worker has let go of a run.
    pub fn run(&self, kind: RunKind, outcome: Outcome) {
        self.runs.get_or_create(&run_labels(kind, outcome)).inc();
    }

    /// A call is being made. What it is counted as is said to what this gives; without a word, as given up.
    #[must_use]
    pub fn call(&self) -> Call<'_> {
        Call { metrics: self, begun: Instant::now(), called: Called::GivenUp }
    }

    /// A call did not bring what was asked.
    pub fn failed_call(&self, class: ErrorClass) {
        self.failed_calls.get_or_create(&[("class", class.as_str())]).inc();
    }

    /// A page was committed: the run's counts before and after it.
    pub fn page_committed(&self, before: &Counts, after: &Counts) {
        self.pages.inc();
        for effect in Effect::ALL {
            let more = effect.of(after) - effect.of(before);
            self.rows.get_or_create(&[("effect", effect.as_str())]).inc_by(u64::try_from(more).unwrap_or_default());
        }
    }

    /// A run was taken over from a worker that fell silent.
    pub fn taken_over(&self) {
        self.takeovers.inc();
    }

    /// So many of so many slots are at work.
    pub fn slots(&self, busy: usize, slots: usize) {
        self.busy.set(busy as i64);
        self.slots.set(slots as i64);
    }
}

fn run_labels(kind: RunKind, outcome: Outcome) -> Two {
    [("kind", kind.as_str()), ("outcome", outcome.as_str())]
}

/// A call under way, counted when this is dropped.
#[derive(Debug)]
pub struct Call<'a> {
    metrics: &'a Metrics,
    begun: Instant,
    called: Called,
}

impl Call<'_> {
    /// What became of it.
    pub fn ended(&mut self, called: Called) {
        self.called = called;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.metrics.calls.get_or_create(&[("status", self.called.as_str())]).inc();
        self.metrics.call_seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
