//! A connection's part in what a worker sends at the end of a turn.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use super::{Connection, Next, Stage, Watched};
use crate::{
    Refusal,
    live::{Meter, Way},
    tcp::Resources,
    token::{Side, Token},
};

impl Connection {
    /// Whether its target hears of it at the end of the turn only.
    pub(crate) fn speaks_together(&self) -> bool {
        self.up.gathered
    }

    /// What is gathered for that side, and its socket.
    pub(crate) fn outgoing(&self, to: Side) -> Option<(BorrowedFd<'_>, &[u8])> {
        let (socket, direction) = match to {
            Side::Target => (&self.target, &self.up),
            Side::Client => (&self.client, &self.down),
        };
        Some((socket.as_fd(), direction.outgoing()?))
    }

    /// It was sent, or as much of it as the result says.
    pub(crate) fn sent(
        &mut self,
        token: Token,
        result: io::Result<usize>,
        resources: &mut Resources,
    ) -> Next {
        let (way, direction) = match token.side() {
            Side::Target => (Way::Up, &mut self.up),
            Side::Client => (Way::Down, &mut self.down),
        };
        let before = direction.written;
        let sent = direction.sent(result);
        if self.stage == Stage::Connecting {
            return self.has_spoken(token, sent, resources);
        }
        let written = direction.written - before;
        if sent.is_err() {
            return Next::Reset;
        }
        if written > 0 {
            Meter::new(&self.live, way, resources.now).count_written(written);
            self.progress = resources.now;
        }
        match direction.goes_on() {
            true => self.run(token.key(), resources),
            false => Next::Wait,
        }
    }

    /// Its first bytes have met a target that was connected, or one that is not yet.
    fn has_spoken(&mut self, token: Token, sent: io::Result<()>, resources: &Resources) -> Next {
        if let Err(error) = sent {
            self.live.unreachable(self.live.target(self.port), Refusal::Target, &error);
            return Next::Reset;
        }
        if self.up.writable {
            self.has_met(resources.now);
        }
        if self.stage == Stage::Relaying && self.up.held() == 0 {
            self.target_watched = Watched::Reading;
        }
        match self.watch(token.key(), resources) {
            Ok(()) => Next::Wait,
            Err(_) => Next::Reset,
        }
    }
}
