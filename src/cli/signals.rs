//! Signals. Ctrl-C and SIGTERM: the first asks for an orderly end, the second leaves at once. SIGHUP: the service reads its
//! configuration again, unless it meant that the terminal is gone.

use std::io::IsTerminal;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::exit::Exit;

/// Cancels `stop` at the first signal and ends the process at the second, until dropped.
pub fn stop_on_signal(stop: CancellationToken) -> AbortOnDropHandle<()> {
    stop_on_signal_and(stop, || {})
}

/// [`stop_on_signal`] that does `at_last` right before it ends the process.
pub fn stop_on_signal_and(stop: CancellationToken, at_last: impl FnOnce() + Send + 'static) -> AbortOnDropHandle<()> {
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
        at_last();
        std::process::exit(Exit::Interrupted as i32);
    }))
}

/// Calls `reload` at every SIGHUP until `stop`, which a closed terminal cancels. The signal is caught when this returns.
pub fn reload_on_signal(
    stop: CancellationToken,
    reload: impl Fn() + Send + 'static,
) -> std::io::Result<AbortOnDropHandle<()>> {
    let mut hangup: Signal = signal(SignalKind::hangup())?;
    let had_terminal = std::io::stdin().is_terminal();
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if stop.is_cancelled() {
                warn!("the configuration is not read again: netosync is stopping");
            } else if had_terminal && !std::io::stdin().is_terminal() {
                info!("the terminal is gone: stopping after the page under way");
                stop.cancel();
            } else {
                reload();
            }
        }
    })))
}
