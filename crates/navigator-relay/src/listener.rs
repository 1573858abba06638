//! Listening sockets: made by the relay, shared by all workers.

use std::{io, net::SocketAddr};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    Forward, Transport,
    namespace::Namespace,
    tcp::connection::probes,
    token::{Key, Token},
    udp::{receive_local, receive_trains},
};

/// As long as the kernel allows (`net.core.somaxconn`).
const BACKLOG: i32 = 65_535;

/// One socket per listening port. Each worker waits for it, and the kernel wakes one of them.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) key: Key,
    pub(crate) transport: Transport,
    pub(crate) port: u16,
    pub(crate) socket: Socket,
}

impl Listener {
    /// Whether this worker waits for it: all of them for connections, one for the datagrams.
    pub(crate) fn is_for(&self, worker: usize, workers: usize) -> bool {
        match self.transport {
            Transport::Tcp => true,
            Transport::Udp => self.key.index as usize % workers == worker,
        }
    }

    /// Level-triggered: what is not taken is told again.
    pub(crate) fn watch(&self, epoll: &Epoll) -> io::Result<()> {
        let flags = match self.transport {
            Transport::Tcp => EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE,
            Transport::Udp => EpollFlags::EPOLLIN,
        };
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
    let open = match forward.transport {
        Transport::Tcp => listen,
        Transport::Udp => receive,
    };
    match namespace.run(|| open(forward, address, dual))? {
        // A host without IPv6.
        Err(error) if dual && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            let address = SocketAddr::from(([0, 0, 0, 0], port));
            namespace.run(|| open(forward, address, false))?
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

fn receive(_: &Forward, address: SocketAddr, dual: bool) -> io::Result<Socket> {
    /// What may wait while the worker is elsewhere; the kernel gives what it allows.
    const ROOM: usize = 4 << 20;
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual)?;
    }
    if address.ip().is_unspecified() {
        // Answers come from the address that was asked.
        receive_local(&socket, address)?;
    }
    receive_trains(&socket);
    socket.set_recv_buffer_size(ROOM)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
