//! What a worker's connections send in one turn, gathered for one system call (`ring.rs`) where the turn is
//! full enough to be worth it. What is gathered stays in its connection; here stands only whose it is, so
//! that what ends meanwhile is not sent.

use std::{net::TcpStream, os::fd::OwnedFd};

use crate::{descriptors::Held, ring::Ring, token::Token};

/// Larger payloads go at once, without a copy.
const SMALL: usize = 4096;

/// Fewer events than these make no turn that is worth a batch.
const FULL: usize = 4;

#[derive(Default)]
pub(crate) struct Together {
    ring: Option<Ring>,
    gathers: bool,
    /// Who has something to send, by the side that hears it.
    waiting: Vec<Token>,
    ended: Vec<Ended>,
}

/// A connection's sockets, to be closed.
struct Ended {
    sockets: [TcpStream; 2],
    _held: Held,
}

impl Together {
    /// On the worker's own thread: when a ring goes, the kernel interrupts what waits on the one that made it.
    pub(crate) fn make_ring(&mut self) {
        self.ring = Ring::new()
            .inspect_err(|error| tracing::debug!(%error, "every send is a call of its own"))
            .ok();
    }

    /// A turn of so many events begins.
    pub(crate) fn begin(&mut self, events: usize) {
        self.gathers = self.ring.is_some() && events >= FULL;
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
            self.ended.push(Ended { sockets: [client, target], _held: held });
        }
    }

    /// Who has something to send. What comes of it goes at once.
    pub(crate) fn end(&mut self) -> Vec<Token> {
        self.gathers = false;
        std::mem::take(&mut self.waiting)
    }

    pub(crate) fn ring(&mut self) -> Option<&mut Ring> {
        self.ring.as_mut()
    }

    /// Closes whose connections have ended. False: there were none.
    pub(crate) fn close(&mut self) -> bool {
        let mut ended = std::mem::take(&mut self.ended);
        let had_some = !ended.is_empty();
        while let (Some(ring), false) = (self.ring.as_mut(), ended.is_empty()) {
            let some = ended.drain(..ended.len().min(Ring::ENTRIES / 2));
            let (sockets, _held): (Vec<_>, Vec<_>) =
                some.map(|ended| (ended.sockets, ended._held)).unzip();
            ring.close(sockets.into_iter().flatten().map(OwnedFd::from).collect());
        }
        had_some
    }
}
