//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them, with bounds on what a slow or hostile
//! client can hold.

use std::{io, time::Duration};

use axum::Router;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::watch};
use tower::ServiceExt;

use crate::normalize::normalize;

/// A client has this long to send its request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Request heads above this are refused with 431, in bytes.
const HEADER_LIMIT: usize = 64 * 1024;

/// Open requests get this long to end after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown` turns true (or its sender is dropped), then lets open requests end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let graceful = hyper_util::server::graceful::GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or a client that went away: neither ends the server.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        // An answer is one write; waiting for more to send only delays it.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            router.clone().oneshot(normalize(request.map(axum::body::Body::new)))
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_LIMIT);
        builder.http2().timer(TokioTimer::new()).max_header_list_size(HEADER_LIMIT as u32);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}
