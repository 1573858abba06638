//! What a worker's connections send in one turn, gathered for one system call (`ring.rs`) where the turn is
//! full enough to be worth it. What is gathered stays in its connection; here stands only whose it is, so
//! that what ends meanwhile is not sent.

use std::{
    io,
    net::TcpStream,
    os::fd::{BorrowedFd, OwnedFd},
};

use crate::{descriptors::Held, ring::Ring, token::Token};

/// Larger payloads go at once, without a copy.
const SMALL: usize = 4096;

/// Fewer events than these make no turn that is worth a batch.
const FULL: usize = 4;

#[derive(Default)]
pub(crate) struct Together {
    ring: Ring,
    gathers: bool,
    /// Who has something to send, by the side that hears it.
    waiting: Vec<Token>,
    /// Connections' sockets, to be closed.
    ended: Vec<([TcpStream; 2], Held)>,
}

impl Together {
    /// On the worker's own thread: when a ring goes, the kernel interrupts what waits on the one that made it.
    pub(crate) fn make_ring(&mut self) {
        match Ring::new() {
            Ok(ring) => self.ring = ring,
            Err(error) => tracing::debug!(%error, "every send is a call of its own"),
        }
    }

    /// A turn of so many events begins.
    pub(crate) fn begin(&mut self, events: usize) {
        self.gathers = self.ring.works() && events >= FULL;
    }

    /// Whether as much is sent at the end of the turn.
    pub(super) fn gathers(&self, bytes: usize) -> bool {
        self.gathers && bytes <= SMALL
    }

    pub(crate) fn add(&mut self, token: Token) {
        self.waiting.push(token);
    }

    /// Closes them, now or at the end of the turn.
    pub(super) fn leave(&mut self, client: TcpStream, target: TcpStream, held: Held) {
        if self.gathers {
            self.ended.push(([client, target], held));
        }
    }

    /// Who has something to send. What comes of it goes at once.
    pub(crate) fn end(&mut self) -> Vec<Token> {
        self.gathers = false;
        std::mem::take(&mut self.waiting)
    }

    /// How much of each was taken, in order.
    pub(crate) fn send(&mut self, sends: &[(BorrowedFd<'_>, &[u8])]) -> Vec<io::Result<usize>> {
        self.ring.send(sends)
    }

    /// Closes whose connections have ended. False: there were none.
    pub(crate) fn close(&mut self) -> bool {
        let (sockets, held): (Vec<_>, Vec<_>) = self.ended.drain(..).unzip();
        self.ring.close(sockets.into_iter().flatten().map(OwnedFd::from));
        !held.is_empty()
    }
}
