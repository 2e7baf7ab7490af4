//! `/healthz` and `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use tracing::debug;

use super::{Shared, text};
use crate::storage::{Database, schema};

/// What `/healthz` says when all is well; `netosync check` knows its own service by it.
pub const ALIVE: &str = "netosync is alive";

/// For how long it is believed that the database was there.
pub(super) const READY_FOR: Duration = Duration::from_secs(1);

/// How long the database may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

pub(super) async fn healthz(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.pages.watchdog.stale() {
        None => text(StatusCode::OK, ALIVE),
        Some(stale) => text(StatusCode::SERVICE_UNAVAILABLE, &stale.to_string()),
    }
}

pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let pages = &shared.pages;
    let ready = if pages.stop.is_cancelled() {
        Err("netosync is stopping".to_owned())
    } else {
        shared.ready.get(serves(&pages.db)).await
    };
    match ready {
        Ok(()) => text(StatusCode::OK, "netosync is ready"),
        Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

/// Whether the database answers and has the tables this program knows. What the driver says is for the log.
async fn serves(db: &Database) -> Result<(), String> {
    match tokio::time::timeout(ANSWER, schema::status(db)).await {
        Err(_) => Err(format!("the database does not answer within {} s", ANSWER.as_secs())),
        Ok(Err(error)) => {
            debug!("{error}");
            Err("the database does not answer".to_owned())
        }
        Ok(Ok(status)) if !status.unknown.is_empty() => {
            Err("the database was migrated by a newer netosync: upgrade this one".to_owned())
        }
        Ok(Ok(status)) if !status.pending.is_empty() => {
            Err("the database lacks migrations: netosync db migrate".to_owned())
        }
        Ok(Ok(_)) => Ok(()),
    }
}
