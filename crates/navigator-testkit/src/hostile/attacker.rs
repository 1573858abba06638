//! Where connections come from, and what is left of an answer.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// Two sources, as the server tells them apart.
pub(super) const ATTACKER: &str = "127.0.0.1:0";
pub(super) const VICTIM: &str = "127.0.0.2:0";
/// "alice:alice"
pub(super) const CREDENTIALS: &str = "authorization: Basic YWxpY2U6YWxpY2U=\r\n";

pub(super) async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(from.parse().expect("an address")).expect("an own address");
    let connection = socket.connect(to).await.expect("a connection");
    connection.set_nodelay(true).expect("no delay");
    connection
}

/// The status of what is answered until the server closes; 0 if nothing is.
pub(super) async fn status(connection: &mut TcpStream) -> u16 {
    let mut bytes = Vec::new();
    // A reset may come before or after the answer.
    let _ = connection.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

/// One request on a connection of its own, which the server closes.
pub(super) async fn exchange(to: SocketAddr, request: &[u8]) -> u16 {
    let mut connection = connect(ATTACKER, to).await;
    // A server that has refused already may not read the rest.
    let _ = connection.write_all(request).await;
    status(&mut connection).await
}
