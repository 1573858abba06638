//! Sockets towards a target that have the client's address. The answers come to this host only if
//! routing brings them here; a rule has to give them to the socket then (`docs/relay.md`).

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use socket2::{Domain, Socket, Type};

/// Gives the socket the client's address, and its port too unless that is taken.
pub(crate) fn take_address(
    socket: &Socket,
    client: SocketAddr,
    target: SocketAddr,
    port: Port,
) -> io::Result<()> {
    let ip = client.ip().to_canonical();
    if ip.is_ipv4() != target.is_ipv4() {
        let why = "clients of the other address family cannot keep their address";
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
    }
    allow(socket)?;
    // Connections that have ended may still have the port for a while. Two UDP sessions that shared one
    // would get each other's answers.
    socket.set_reuse_address(socket.r#type()? == Type::STREAM)?;
    let port = match port {
        Port::Same => client.port(),
        Port::Any => 0,
    };
    socket.bind(&SocketAddr::new(ip, port).into())
}

/// Which port the socket has, beside the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// The client's.
    Same,
    /// One that is free: an earlier connection of the client's to this target may not have gone yet.
    Any,
}

/// Connects with the client's port, or with another one if that is taken.
pub(crate) fn with_some_port<T>(connect: impl Fn(Port) -> io::Result<T>) -> io::Result<T> {
    match connect(Port::Same) {
        Err(error) if is_taken(&error) => connect(Port::Any),
        other => other,
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRINUSE | libc::EADDRNOTAVAIL))
}

/// The option is IPv4's by name; the kernel keeps one for both families.
fn allow(socket: &Socket) -> io::Result<()> {
    socket.set_ip_transparent_v4(true)
}

/// Whether this process may do so, where it is.
pub(crate) fn is_allowed(target: IpAddr) -> io::Result<()> {
    let domain = Domain::for_address(SocketAddr::new(target, 0));
    allow(&Socket::new(domain, Type::STREAM, None)?)
}
