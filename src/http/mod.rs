//! `http.listen`: the pages for whoever watches over the service. Off by default.
//!
//! | page | 200 | 503, with the reason on one line |
//! |---|---|---|
//! | `/healthz` | the process is alive: its loop turns, its connections answer, its runs move on | it is stuck: start it again |
//! | `/readyz` | it serves: the database answers and has the right tables | it stops, or the database is away |
//! | `/metrics` | always: what Prometheus reads | |
//!
//! Everything else is 404, but for the pages on which merchants connect their stores (`oauth`), where those are configured. The
//! pages above change nothing, take no parameters and hold no secret, but they name the stores, and anybody who reaches the address
//! may read them. They are served to the very end of a drain.
//!
//! To add a page: a handler in a file of its own, its route in [`router`]. It must answer within [`serve::LIFETIME`], with a
//! database that is away too.

mod cached;
pub mod health;
mod metrics;
mod oauth;
pub mod page;
pub mod serve;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use self::cached::Cached;
use crate::clock::SharedClock;
use crate::config::Live;
use crate::metrics::Metrics;
use crate::storage::Database;
use crate::storage::gauges::Gauges;
use crate::tokens::Tokens;
use crate::worker::watchdog::Watchdog;

/// What the pages are about.
pub struct Pages {
    /// The database.
    pub db: Database,
    /// The configuration.
    pub config: Live,
    /// The time.
    pub clock: SharedClock,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Knows whether the process is alive.
    pub watchdog: Watchdog,
    /// Gets tokens for merchants who connect their stores.
    pub tokens: Tokens,
    /// Fires when the service begins to stop.
    pub stop: CancellationToken,
}

/// What the handlers share.
struct Shared {
    pages: Pages,
    ready: Cached<Result<(), String>>,
    gauges: Cached<Option<Gauges>>,
}

/// The routes.
pub fn router(pages: Pages) -> Router {
    let shared = Shared { pages, ready: Cached::new(health::READY_FOR), gauges: Cached::new(metrics::GAUGES_FOR) };
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/oauth/neto/install", get(oauth::install))
        .route("/oauth/neto/callback", get(oauth::callback))
        .route("/oauth/neto/uninstall", post(oauth::uninstall))
        .fallback(async || text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics"))
        .with_state(Arc::new(shared))
}

/// Whether people outside of this machine and its networks may reach that address.
#[must_use]
pub fn is_public(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

/// A line of plain text, of this moment only.
fn text(status: StatusCode, line: &str) -> impl IntoResponse + use<> {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, format!("{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_anybody_may_reach_is_told_from_one_of_our_own_networks() {
        for (address, public) in [
            ("127.0.0.1:9187", false),
            ("10.1.2.3:9187", false),
            ("192.168.1.2:80", false),
            ("[::1]:9187", false),
            ("[fd00::1]:9187", false),
            ("0.0.0.0:9187", true),
            ("[::]:9187", true),
            ("203.0.113.7:80", true),
            ("[2001:db8::1]:80", true),
        ] {
            assert_eq!(is_public(&address.parse().expect(address)), public, "{address}");
        }
    }
}
