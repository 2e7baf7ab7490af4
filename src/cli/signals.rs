//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second leaves at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::exit::Exit;

/// Cancels `stop` at the first signal and ends the process at the second, until dropped.
pub fn stop_on_signal(stop: CancellationToken) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return; // without handlers a signal ends the process, which loses nothing either
        };
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        info!("stopping after the page under way; once more leaves at once");
        stop.cancel();
        next().await;
        std::process::exit(Exit::Interrupted as i32);
    }))
}
