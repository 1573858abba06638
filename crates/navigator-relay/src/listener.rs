//! Listening sockets: made by the relay, shared by all workers.

use std::{io, net::SocketAddr};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    Forward,
    namespace::Namespace,
    tcp::connection::probes,
    token::{Key, Token},
};

/// As long as the kernel allows (`net.core.somaxconn`).
const BACKLOG: i32 = 65_535;

/// One socket per listening port. Each worker waits for it, and the kernel wakes one of them.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) key: Key,
    pub(crate) port: u16,
    pub(crate) socket: Socket,
}

impl Listener {
    /// Level-triggered: a connection that is not taken is told again.
    pub(crate) fn watch(&self, epoll: &Epoll) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        Ok(epoll.add(&self.socket, EpollEvent::new(flags, Token::listener(self.key).bits()))?)
    }

    pub(crate) fn unwatch(&self, epoll: &Epoll) {
        let _ = epoll.delete(&self.socket);
    }

    /// From this moment on, clients are refused.
    pub(crate) fn stop(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Read);
    }
}

/// Binds and listens on one port of the forward, in `namespace`.
pub(crate) fn bind(forward: &Forward, port: u16, namespace: &Namespace) -> io::Result<Socket> {
    let address = forward.listen.socket_address(port);
    let dual = forward.listen.address.is_none();
    match namespace.run(|| listen(forward, address, dual))? {
        // A host without IPv6.
        Err(error) if dual && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            let address = SocketAddr::from(([0, 0, 0, 0], port));
            namespace.run(|| listen(forward, address, false))?
        }
        other => other,
    }
}

/// What is set here, the connections inherit: no call for each of them.
fn listen(forward: &Forward, address: SocketAddr, dual: bool) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(time) = forward.keepalive {
        socket.set_tcp_keepalive(&probes(time))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}
