//! `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::debug;

use super::{Pages, Shared, text};
use crate::metrics::CONTENT_TYPE;
use crate::storage::gauges::{self, Gauges};

/// For how long the database's figures are shown again.
pub(super) const GAUGES_FOR: Duration = Duration::from_secs(5);

/// How long the database may take; Prometheus waits for ten seconds by default.
const ANSWER: Duration = Duration::from_secs(5);

pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let gauges = shared.gauges.get(read(&shared.pages)).await;
    match shared.pages.metrics.render(gauges.as_ref()) {
        Ok(page) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response(),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()).into_response(),
    }
}

/// The figures; `None` while the database is away.
async fn read(pages: &Pages) -> Option<Gauges> {
    let limit = pages.config.get().budget.calls_per_minute;
    match tokio::time::timeout(ANSWER, gauges::read(&pages.db, limit, pages.clock.now())).await {
        Ok(Ok(gauges)) => Some(gauges),
        Ok(Err(error)) => {
            debug!("{error}");
            None
        }
        Err(_) => None,
    }
}
