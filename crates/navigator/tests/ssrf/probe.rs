//! Single packets from the outside: a datagram, or the first packet of a connection.

use std::{
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use navigator_testkit::Namespaces;

/// The first packet has left before it is over.
const PATIENCE: Duration = Duration::from_millis(1);

/// Sends one packet to each, in order.
pub(crate) fn send(from: &Namespaces, targets: &[(&str, SocketAddr)]) {
    let send_all = || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for (protocol, target) in targets {
            match *protocol {
                // What becomes of them is what the captures say.
                "tcp" => drop(TcpStream::connect_timeout(target, PATIENCE)),
                _ => drop(socket.send_to(b"probe", target)),
            }
        }
    };
    from.thread(send_all).unwrap();
}
