//! Clients that take their time.

use std::{net::SocketAddr, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{interval, timeout},
};

use super::{
    Answers, PATIENCE,
    attacker::{ATTACKER, CREDENTIALS, connect, status},
};

/// As many connections are being made at the same time.
const AT_ONCE: usize = 64;
/// A client that is not cut off by then never is.
const BOUND: Duration = Duration::from_secs(60);

pub(super) fn head() -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: x\r\n{CREDENTIALS}x-slow: ").into_bytes()
}

/// The first bytes of a body that is to have so many.
pub(super) fn body(first: usize, announced: usize) -> Vec<u8> {
    let head = format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\n{CREDENTIALS}content-length: {announced}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + first, b' ');
    request
}

async fn connected(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let each = stream::iter(0..count).map(|_| connect(ATTACKER, to));
    each.buffer_unordered(AT_ONCE).collect().await
}

fn tally(statuses: Vec<u16>) -> Answers {
    let mut answers = Answers::new();
    for status in statuses {
        *answers.entry(status).or_default() += 1;
    }
    answers
}

/// Connections that send this at once and then such a byte each second, until they are closed.
pub(super) async fn drip(to: SocketAddr, count: usize, first: &[u8], rest: Option<u8>) -> Answers {
    let connections = connected(to, count).await;
    let each = connections.into_iter().map(async |connection| {
        let (mut read, mut write) = connection.into_split();
        let dripping = async {
            let _ = write.write_all(first).await;
            let mut ticks = interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
                // A server that has closed is noticed by reading.
                if let Some(rest) = rest {
                    let _ = write.write_all(&[rest]).await;
                }
            }
        };
        let mut bytes = Vec::new();
        tokio::select! {
            ended = timeout(BOUND, read.read_to_end(&mut bytes)) => {
                assert!(ended.is_ok(), "never cut off");
            }
            () = dripping => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    });
    tally(join_all(each).await)
}

/// Connections that say nothing, until they are closed.
pub(super) async fn idle(to: SocketAddr, count: usize) -> Answers {
    let mut connections = connected(to, count).await;
    let each = connections
        .iter_mut()
        .map(async |connection| timeout(BOUND, status(connection)).await.expect("never cut off"));
    tally(join_all(each).await)
}

/// Connections whose answers are read late, so many that no socket holds them.
pub(super) async fn unread(to: SocketAddr, count: usize) -> Answers {
    const REQUESTS: usize = 100;
    let mut connections = connected(to, count).await;
    let request =
        |last| format!("GET /v2.0/extensions HTTP/1.1\r\nhost: x\r\n{CREDENTIALS}{last}\r\n");
    let requests = request("").repeat(REQUESTS - 1) + &request("connection: close\r\n");
    for connection in &mut connections {
        connection.write_all(requests.as_bytes()).await.expect("the requests are taken");
    }
    tokio::time::sleep(PATIENCE / 2).await;
    let each = connections
        .iter_mut()
        .map(async |connection| timeout(BOUND, status(connection)).await.expect("never answered"));
    tally(join_all(each).await)
}
