//! The page Prometheus reads, in the OpenMetrics text format.

use std::fmt;

use prometheus_client::encoding::text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{Atomic, Gauge};
use prometheus_client::registry::Registry;

use super::Metrics;
use crate::domain::store::CredentialState;
use crate::storage::gauges::Gauges;

/// What the page is, for the header of that name.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge with one label whose values are few, or the names of stores.
type Labelled<N, A> = Family<[(&'static str, String); 1], Gauge<N, A>>;
type Whole = Labelled<i64, std::sync::atomic::AtomicI64>;
type Real = Labelled<f64, std::sync::atomic::AtomicU64>;

impl Metrics {
    /// The whole page. `gauges` is what the database says, `None` while it is away: then its gauges are left out, because an
    /// old value would be taken for a new one.
    ///
    /// # Errors
    /// None that is met: a `String` takes everything.
    pub fn render(&self, gauges: Option<&Gauges>) -> Result<String, fmt::Error> {
        let mut page = String::with_capacity(16 << 10);
        text::encode_registry(&mut page, &self.registry)?;
        text::encode_registry(&mut page, &of_database(gauges))?;
        text::encode_eof(&mut page)?;
        Ok(page)
    }
}

/// The gauges, as they are registered for one page.
fn of_database(gauges: Option<&Gauges>) -> Registry {
    let mut registry = Registry::with_prefix("netosync");
    let up: Gauge = Gauge::default();
    up.set(i64::from(gauges.is_some()));
    registry.register("database_up", "Whether the database answers; without it the gauges below are missing", up);
    if let Some(gauges) = gauges {
        stores(&mut registry, gauges);
        runs(&mut registry, gauges);
        let instances: Gauge = Gauge::default();
        instances.set(gauges.instances.cast_signed());
        registry.register(
            "instances",
            "Instances of `netosync run` on this database that give signs of life",
            instances,
        );
    }
    registry
}

fn stores(registry: &mut Registry, gauges: &Gauges) {
    let (age, paused, credentials) = (Real::default(), Whole::default(), Whole::default());
    for state in CredentialState::ALL.iter().map(|state| state.as_str()).chain([MISSING]) {
        set(&credentials, "state", state, 0);
    }
    for store in &gauges.stores {
        let seconds = store.as_of.map_or(f64::INFINITY, |as_of| seconds(gauges.at - as_of));
        set(&age, "store", &store.name, seconds);
        set(&paused, "store", &store.name, i64::from(store.paused));
        let state = store.credential.map_or(MISSING, CredentialState::as_str);
        credentials.get_or_create(&[("state", state.to_owned())]).inc();
    }
    registry.register(
        "store_age_seconds",
        "Time since the moment up to which a store's copy is known to hold; +Inf: it was never complete",
        age,
    );
    registry.register("store_paused", "1 while an operator lets the store rest, else 0", paused);
    registry.register("credentials", "Stores by the state of their credential; missing: they have none", credentials);
}

/// State of a credential that is not there.
const MISSING: &str = "missing";

fn runs(registry: &mut Registry, gauges: &Gauges) {
    let (depth, age, lease, budget) = (Whole::default(), Real::default(), Real::default(), Real::default());
    let queue = gauges.queue;
    for (state, runs) in [("due", queue.due), ("resting", queue.resting), ("running", queue.running)] {
        set(&depth, "state", state, runs.cast_signed());
    }
    for run in &gauges.running {
        set(&age, "store", &run.store, run.started_at.map_or(0.0, |at| seconds(gauges.at - at)));
        set(&lease, "store", &run.store, run.lease_expires_at.map_or(0.0, |at| seconds(at - gauges.at)));
        if let Some(calls) = run.calls_left {
            set(&budget, "store", &run.store, calls);
        }
    }
    registry.register(
        "queue_runs",
        "Unfinished runs; due: they wait for a slot, resting: for their time, running: a worker has them",
        depth,
    );
    registry.register("run_age_seconds", "Time since a running run was first claimed", age);
    registry.register(
        "lease_remaining_seconds",
        "Time until the lease of a running run runs out; below 0 it may be taken over",
        lease,
    );
    registry.register(
        "budget_calls_left",
        "Calls a running run's store may be sent at once; as of its last page, with what was regained since",
        budget,
    );
}

fn set<N, A: Atomic<N> + Default>(family: &Labelled<N, A>, label: &'static str, value: &str, to: N) {
    family.get_or_create(&[(label, value.to_owned())]).set(to);
}

fn seconds(time: chrono::TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1000.0
}
