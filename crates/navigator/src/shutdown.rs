//! SIGTERM and SIGINT, as a value that everything long-running watches.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Turns true when the process was asked to end.
pub(crate) fn requested() -> std::io::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
        // Kept open until everybody has seen it.
        let _ = sender.send(true);
        sender.closed().await;
    });
    Ok(receiver)
}
