//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them, with bounds on what a slow or hostile
//! client can hold.

mod connections;
mod held;
mod stream;
mod to_the_end;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use hyper::body::{Body as _, Incoming};
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
pub(crate) use connections::AtWork;
use connections::{Connection, Connections, Place};
use held::Held;
use stream::Stream;
use to_the_end::ToTheEnd;

/// Request heads above this are refused with 431, in bytes: the fields, and the whole of it.
const FIELDS_LIMIT: usize = 32 * 1024;
const HEAD_LIMIT: usize = 72 * 1024;

/// Requests with more fields than this are refused with 431.
const MOST_FIELDS: usize = 100;

/// HTTP/2 clients are asked this often whether they are there, and have as long to answer.
const PING: Duration = Duration::from_secs(20);

/// What clients may take of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time. One more displaces one that waits for its client.
    pub connections: usize,
    /// For the head of a request, from its connection's begin or the last answer on.
    pub head: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// Open requests have this long at the server's end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// What a handler may want to know of the connection that its request came on.
#[derive(Clone)]
pub(crate) struct Conversation {
    connection: Arc<Connection>,
    shutdown: watch::Receiver<bool>,
    /// For the request's body.
    pub(crate) body_timeout: Duration,
}

impl Conversation {
    /// For handlers whose answer has no end of its own: it is to end now.
    pub(crate) async fn ending(mut self) {
        let _ = self.shutdown.wait_for(|stop| *stop).await;
    }

    /// The request is there with its body: from now on its connection stays until it is answered.
    pub(crate) fn at_work(&self) -> AtWork {
        self.connection.at_work()
    }
}

/// Serves until `shutdown` turns true (or its sender is dropped). Then new connections are refused,
/// open requests have their grace to end, and what is left is cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
    limits: Limits,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(limits.connections);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let Some(place) = connections.enter(from.ip()) else {
                    tracing::warn!(%from, "refused: all connections are at work");
                    continue;
                };
                let conversation = Conversation {
                    connection: Arc::clone(&place.connection),
                    shutdown: shutdown.clone(),
                    body_timeout: limits.body,
                };
                let converse =
                    converse(stream, router.clone(), conversation, limits.head, graceful.watcher());
                tokio::spawn(until_cut(converse, place));
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
    let grace = limits.grace;
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(?grace, "connections were cut off: their requests did not end in time");
    }
    Ok(())
}

async fn until_cut(converse: impl Future<Output = ()>, place: Place) {
    tokio::select! {
        () = converse => {}
        () = place.connection.cut() => tracing::debug!("displaced by a newer connection"),
    }
}

/// One connection from its first byte to its end.
async fn converse(
    stream: TcpStream,
    router: Router,
    mut conversation: Conversation,
    head_timeout: Duration,
    watcher: Watcher,
) {
    let begun = tokio::select! {
        begun = tokio::time::timeout(head_timeout, begins(&stream)) => begun.unwrap_or(false),
        _ = conversation.shutdown.wait_for(|stop| *stop) => false,
    };
    if !begun {
        return;
    }
    // An answer is one write; waiting for more to send only delays it.
    let _ = stream.set_nodelay(true);
    let own = Arc::clone(&conversation.connection);
    let stream = Stream::new(stream, Arc::clone(&own));
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        answer(router.clone(), conversation.clone(), request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        // A client that vanished without closing is noticed.
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_header_list_size(HEAD_LIMIT as u32);
    // On the heap, so that a connection that says nothing costs next to nothing.
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = Box::pin(watcher.watch(connection)).await {
        tracing::debug!(%error, "connection ended");
    }
    // Without what hyper has read of him.
    own.linger().await;
}

async fn answer(
    router: Router,
    conversation: Conversation,
    mut request: hyper::Request<Incoming>,
) -> io::Result<Response> {
    conversation.connection.refuse();
    let framing = Framing::of(&request);
    if framing == Framing::Ambiguous {
        return Ok(closing(Fault::bad_request(AMBIGUOUS).into_response()));
    }
    if too_long(&request) {
        return Ok(closing(Fault::HeadersTooLarge.into_response()));
    }
    conversation.connection.hear();
    // Without a body there is nothing more to wait for.
    let at_work = request.body().is_end_stream().then(|| conversation.at_work());
    request.extensions_mut().insert(conversation.clone());
    let Ok(response) = ToTheEnd::new(router.oneshot(request.map(Body::new))).await;
    let at_work = at_work.unwrap_or_else(|| conversation.at_work());
    if response.headers().contains_key(header::CONNECTION) {
        conversation.connection.refuse();
    }
    let response = response.map(|body| Held::until_sent(body, at_work));
    Ok(if framing == Framing::Chunked { closing(response) } else { response })
}

/// HTTP/1 has its own limit on their number, HTTP/2 has none.
fn too_long<B>(request: &hyper::Request<B>) -> bool {
    let headers = request.headers();
    let length: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    headers.len() > MOST_FIELDS || length > FIELDS_LIMIT
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
pub(crate) fn closing(mut response: Response) -> Response {
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
