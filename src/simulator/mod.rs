//! A stateful simulated Neto store on a real socket.
//!
//! `netosync simulate`, `netosync demo`, the integration tests and the benchmarks share it. It answers `GetItem`
//! out of a catalogue made from a seed, as documented or (with [`SimulatorConfig::quirks`]) in all the hostile
//! spellings of the specification, and goes wrong on demand ([`fault`]). It must never be reachable by anyone
//! who does not expect a toy: it listens where it is told to, and its key protects nothing.
//!
//! ```text
//! plan ─► generate ─► catalogue (edits) ─► render + spelling ─► store (pages) ─► server (faults)
//!                         └─► truth: what the mirror has to hold
//! ```
//!
//! # Comparing a mirror with the truth
//!
//! The truth does not pass through the decoder. [`truth::expected`] turns a [`SimProduct`] into the rows the mirror
//! has to hold, through the column list of [`crate::domain::catalogue`] alone, and [`truth::differences`] names
//! every column that is not equal:
//!
//! ```ignore
//! let store = SimulatedStore::start(LOOPBACK, SimulatorConfig { products: 500, quirks: true, ..config }).await?;
//! // … sync store.url() with store.key() into a database …
//! let truth: Vec<SimProduct> = store.with_catalogue(|catalogue| catalogue.products().collect());
//! for product in &truth {
//!     let mirrored: Product<'_> = /* read the product's rows from the tables */;
//!     assert_eq!(differences(&expected(product), &mirrored), Vec::<String>::new());
//! }
//! ```
//!
//! Rows of `removed_at IS NULL` have to be exactly those keys; a deleted product is simply not in the catalogue.
//! Common mistakes: taking the truth before the sync ended although the catalogue still changes; asking fewer
//! selectors than all (fields that were not asked are not in the mirror); waiting for a product whose stock was
//! moved in an incremental run (only a sweep sees it).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::{SharedClock, SystemClock};

mod answer;
mod calls;
pub mod catalogue;
pub mod fault;
pub mod field;
mod generate;
pub mod oauth;
mod plan;
pub mod product;
mod query;
mod render;
mod server;
mod spelling;
mod store;
#[cfg(test)]
mod tests;
pub mod truth;
pub mod value;
mod words;

pub use calls::CallRecord;
pub use catalogue::Catalogue;
pub use fault::{Fault, FaultError};
pub use product::SimProduct;
pub use value::{Member, SimValue};

use oauth::{OauthConfig, TokenCall};
use server::Shared;
use store::{StoreState, lock};

/// The key of a store that was given none. Anyone may know it.
pub const DEFAULT_KEY: &str = "simulated-key";

/// What the store is like.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// How many products it starts with.
    pub products: usize,
    /// What they are made from: the same seed makes the same products, all last edited before 2026.
    pub seed: u64,
    /// Whether it answers in the hostile spellings of the specification (§5) instead of the documented ones. It then
    /// also answers active products only when `IsActive` is not in the filter, and carries unknown fields.
    pub quirks: bool,
    /// The key it accepts.
    pub key: String,
    /// The user name it asks for beside the key, if any.
    pub username: Option<String>,
    /// The most products on a page, whatever `Limit` says.
    pub page_cap: Option<usize>,
    /// Whether a wrong key is answered with HTTP 401 instead of `Ack: Error` over HTTP 200.
    pub wrong_key_as_401: bool,
    /// Documented selectors this store refuses all the same.
    pub refused_selectors: Vec<String>,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// Calls beyond this many in a rolling minute are answered with HTTP 429.
    pub calls_per_minute: Option<u32>,
    /// What the vendor's OAuth beside it is like.
    pub oauth: OauthConfig,
    /// How many bytes of rendered products are kept for the next answer; 0 keeps none.
    pub cache_bytes: usize,
    /// What `CurrentTime` and the budget go by.
    pub clock: SharedClock,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            products: 1000,
            seed: 1,
            quirks: false,
            key: DEFAULT_KEY.to_owned(),
            username: None,
            page_cap: None,
            wrong_key_as_401: false,
            refused_selectors: Vec::new(),
            faults: Vec::new(),
            calls_per_minute: None,
            oauth: OauthConfig::default(),
            cache_bytes: 128 << 20,
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for SimulatorConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Someone may rehearse with a real key.
        f.debug_struct("SimulatorConfig")
            .field("products", &self.products)
            .field("seed", &self.seed)
            .field("quirks", &self.quirks)
            .field("key", &"[REDACTED]")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// A running store. It stops when this is dropped.
pub struct SimulatedStore {
    state: Arc<StoreState>,
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl SimulatedStore {
    /// Starts a store on `listen`; port 0 takes a free one.
    pub async fn start(listen: SocketAddr, config: SimulatorConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        // Without it, the last piece of a page may wait for the acknowledgement of the one before.
        let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
        let state = Arc::new(StoreState::new(config, &address.to_string()));
        let stop = CancellationToken::new();
        let shared = Shared { store: Arc::clone(&state), stop: stop.clone() };
        let stopped = stop.clone().cancelled_owned();
        let serving = axum::serve(listener, server::router(shared)).with_graceful_shutdown(stopped);
        let server = tokio::spawn(async move { serving.await });
        Ok(Self { state, address, stop, server })
    }

    /// Stops the store and waits until its port is free again.
    pub async fn stop(mut self) {
        self.stop.cancel();
        drop((&mut self.server).await);
    }

    /// Where it listens, `http://127.0.0.1:41234`: what a store's URL is configured as.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key it accepts.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.state.config.key
    }

    /// Reads or changes the catalogue; no answer is made meanwhile.
    pub fn with_catalogue<T>(&self, work: impl FnOnce(&mut Catalogue) -> T) -> T {
        work(&mut lock(&self.state.catalogue))
    }

    /// Changes the catalogue right before call `number` (from 1, since the start) is answered: how a test makes
    /// pages drift without racing.
    pub fn before_call(&self, number: u64, work: impl FnOnce(&mut Catalogue) + Send + 'static) {
        lock(&self.state.hooks).push((number, Box::new(work)));
    }

    /// The last 10,000 calls, oldest first. Requests to other addresses are not among them.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRecord> {
        lock(&self.state.calls).records()
    }

    /// How many calls were made since the start.
    #[must_use]
    pub fn calls_made(&self) -> u64 {
        lock(&self.state.calls).made()
    }

    /// The calls of the token endpoint, oldest first.
    #[must_use]
    pub fn token_calls(&self) -> Vec<TokenCall> {
        lock(&self.state.oauth).calls()
    }

    /// Refuses every access token that was given, as if all had ended.
    pub fn end_access_tokens(&self) {
        lock(&self.state.oauth).end_access();
    }

    /// Refuses every refresh token that was given, as if the merchant had taken his consent back.
    pub fn end_refresh_tokens(&self) {
        lock(&self.state.oauth).end_refresh();
    }

    /// Tells another domain from now on.
    pub fn move_to(&self, domain: &str) {
        lock(&self.state.oauth).set_domain(domain);
    }

    /// Replaces the script. Its calls count from now on: `@1` is the next one.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.state.set_faults(faults);
    }
}

impl Drop for SimulatedStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
