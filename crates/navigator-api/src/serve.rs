//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them, with bounds on what a slow or hostile
//! client can hold.

use std::{io, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower::ServiceExt;

use crate::fault::Fault;

/// A client has this long to send its request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Request heads above this are refused with 431, in bytes.
const HEADER_LIMIT: usize = 64 * 1024;

/// HTTP/2 clients are asked this often whether they are there, and have as long to answer.
const PING: Duration = Duration::from_secs(20);

/// For handlers whose answer has no end of its own: it is to end now.
#[derive(Clone)]
pub(crate) struct Ending(watch::Receiver<bool>);

impl Ending {
    pub(crate) async fn begun(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Serves until `shutdown` turns true (or its sender is dropped). Then new connections are refused,
/// open requests have `grace` to end, and what is left is cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
    grace: Duration,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                tokio::spawn(converse(stream, router, shutdown, graceful.watcher()));
            }
            Err(error) => {
                // Out of descriptors, or a client that went away: neither ends the server.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    // Refused by the kernel from here on, instead of waiting for nobody.
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(?grace, "connections were cut off: their requests did not end in time");
    }
    Ok(())
}

/// One connection from its first byte to its end.
async fn converse(
    stream: TcpStream,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
    watcher: Watcher,
) {
    let begun = tokio::select! {
        begun = tokio::time::timeout(HEADER_TIMEOUT, begins(&stream)) => begun.unwrap_or(false),
        _ = shutdown.wait_for(|stop| *stop) => false,
    };
    if !begun {
        return;
    }
    // An answer is one write; waiting for more to send only delays it.
    let _ = stream.set_nodelay(true);
    let ending = Ending(shutdown);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ending.clone());
        let length = Framing::of(&request);
        let answer = router.clone().oneshot(request.map(axum::body::Body::new));
        async move {
            if length == Framing::Ambiguous {
                return Ok(closing(Fault::bad_request(AMBIGUOUS).into_response()));
            }
            // A task of its own: a client that goes away must not stop a request between its
            // commit and the wake-ups.
            let task = tokio::spawn(answer);
            let response = task.await.map_err(io::Error::other).map(|Ok(response)| response)?;
            Ok::<_, io::Error>(if length == Framing::Chunked {
                closing(response)
            } else {
                response
            })
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        // A client that vanished without closing is noticed.
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_header_list_size(HEADER_LIMIT as u32);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}

const AMBIGUOUS: &str = "Content-Length and Transfer-Encoding do not go together";

/// How HTTP/1 says where a request's body ends. Where a proxy could have understood it otherwise than
/// we do, what follows on the connection may be somebody else's request: none is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Plain,
    /// Also said when a length came after it: hyper takes that away.
    Chunked,
    Ambiguous,
}

impl Framing {
    fn of<B>(request: &hyper::Request<B>) -> Self {
        let has = |name| request.headers().contains_key(name);
        match (has(header::TRANSFER_ENCODING), has(header::CONTENT_LENGTH)) {
            (false, _) => Self::Plain,
            (true, false) => Self::Chunked,
            (true, true) => Self::Ambiguous,
        }
    }
}

/// The connection ends with it.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Waits until it is clear which version of HTTP the client speaks: hyper's own wait for that has no
/// limit, so a client that says nothing would be kept for ever.
async fn begins(stream: &TcpStream) -> bool {
    const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut head = [0; HTTP2_PREFACE.len()];
    loop {
        match stream.peek(&mut head).await {
            Ok(0) | Err(_) => return false,
            Ok(length) if length < head.len() && HTTP2_PREFACE.starts_with(&head[..length]) => {
                // What is there already does not announce what comes.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(_) => return true,
        }
    }
}
