//! TCP: two sockets and the bytes between them.

pub(crate) mod connection;
mod direction;
mod pipe;
mod secured;
mod together;

use std::time::Instant;

pub(crate) use connection::Connection;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
pub(crate) use pipe::PipePool;
pub(crate) use together::Together;

use crate::{namespace::Whereabouts, token::Token};

/// Bytes read at once where no pipe is used.
const BUFFER: usize = 64 * 1024;

/// What a worker lends its connections.
pub(crate) struct Resources {
    pub(crate) epoll: Epoll,
    pub(crate) pipes: PipePool,
    pub(crate) together: Together,
    pub(crate) buffer: Box<[u8]>,
    /// What a read was in plaintext. Has no room before there is TLS.
    pub(crate) plain: Vec<u8>,
    pub(crate) whereabouts: Whereabouts,
    pub(crate) now: Instant,
}

impl Resources {
    pub(crate) fn buffer() -> Box<[u8]> {
        vec![0; BUFFER].into_boxed_slice()
    }

    /// Edge-triggered: each change is told once.
    fn watch(
        &self,
        socket: &std::net::TcpStream,
        token: Token,
        more: EpollFlags,
    ) -> std::io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET | more;
        Ok(self.epoll.add(socket, EpollEvent::new(flags, token.bits()))?)
    }

    fn watch_writable(&self, socket: &std::net::TcpStream, token: Token) -> std::io::Result<()> {
        let flags = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        Ok(self.epoll.modify(socket, &mut EpollEvent::new(flags, token.bits()))?)
    }
}
