//! The socket behind the pages. Whoever connects gets one answer, has little time to ask and little room to do so, and there are
//! never many of them: a monitoring port must not be what brings a service down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::debug;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 32;
/// How long a connection may take from beginning to end.
pub const LIFETIME: Duration = Duration::from_secs(15);
/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(5);
/// How large a request's head may be, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// Rest after a connection that could not be accepted, for want of file descriptors for example.
const REST: Duration = Duration::from_millis(200);

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("http.listen = {address}: {}", reason(source))]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

impl ListenError {
    /// Whether it may get better by itself: another process may end, an address may come up.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        use std::io::ErrorKind::{AddrInUse, AddrNotAvailable};
        matches!(self.source.kind(), AddrInUse | AddrNotAvailable)
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there, maybe another netosync; stop it or choose another port".to_owned()
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not listen there; choose a port above 1023".to_owned(),
        _ => error.to_string(),
    }
}

/// Takes the address; connections wait until [`serve`].
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, router: Router) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = answer(stream, router.clone());
                tokio::spawn(async move {
                    // Too slow, or gone: there is nobody to tell.
                    let _ = tokio::time::timeout(LIFETIME, answer).await;
                    drop(permit);
                });
            }
            Err(error) => {
                debug!("a connection could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        debug!("a connection was given up: {error}");
    }
}
