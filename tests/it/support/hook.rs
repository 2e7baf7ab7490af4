//! A receiver of notices on a real socket.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::world::LOOPBACK;

/// See the module. It answers with the status it was told, and keeps what came.
pub struct Hook {
    pub url: String,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    status: AtomicU16,
    came: Mutex<Vec<Value>>,
}

impl Hook {
    /// One that answers 204.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(LOOPBACK).await.expect("a free port");
        let url = format!("http://{}/hooks/canary-token", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared { status: AtomicU16::new(204), came: Mutex::default() });
        let router = Router::new().fallback(take).with_state(shared.clone());
        let serving = async move { axum::serve(listener, router).await.expect("it serves until it is dropped") };
        Self { url, shared, _server: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    /// Answers with that status from now on.
    pub fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// What has come since the last look: event and kind.
    pub fn came(&self) -> Vec<(String, String)> {
        let came = std::mem::take(&mut *self.shared.came.lock().expect("no panic"));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        came.iter().map(|body| (text(&body["event"]), text(&body["incident"]["kind"]))).collect()
    }

    /// The bodies that have come since the last look.
    pub fn bodies(&self) -> Vec<Value> {
        std::mem::take(&mut *self.shared.came.lock().expect("no panic"))
    }
}

async fn take(State(shared): State<Arc<Shared>>, body: String) -> StatusCode {
    shared.came.lock().expect("no panic").push(serde_json::from_str(&body).expect("JSON"));
    StatusCode::from_u16(shared.status.load(Ordering::SeqCst)).expect("a status")
}
