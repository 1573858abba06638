//! When a connection ends, and how: by itself, late, or by a reset.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{Connection, Stage};
use crate::{Refusal, tcp::Resources};

impl Connection {
    /// When it ends if nothing more happens.
    pub(crate) fn deadline(&self) -> Instant {
        let timeouts = &self.live.forward.timeouts;
        match self.stage {
            Stage::Connecting | Stage::Securing => self.started + timeouts.connect,
            Stage::Relaying if self.up.finished || self.down.finished => {
                self.progress + timeouts.half_closed.min(timeouts.idle)
            }
            Stage::Relaying => self.progress + timeouts.idle,
        }
    }

    /// When the timers look at it first. Most have ended by then, and their entries go with that look: one
    /// for each until its idle timeout would be an hour's.
    pub(crate) fn first_look(&self, now: Instant) -> Instant {
        self.deadline().min(now + self.live.forward.timeouts.connect)
    }

    /// The deadline has passed.
    pub(crate) fn expire(&self) {
        let (reason, why) = match self.stage {
            Stage::Connecting => (Refusal::Target, "does not answer"),
            Stage::Securing => (Refusal::TlsTarget, "does not finish the TLS handshake"),
            Stage::Relaying => return,
        };
        self.live.unreachable(self.live.target(self.port), reason, &why);
    }

    /// Both ends are told by a reset, and what was under way is dropped.
    pub(crate) fn reset(self, resources: &mut Resources) {
        reset(&self.client);
        reset(&self.target);
        self.close(resources);
    }

    pub(crate) fn close(mut self, resources: &mut Resources) {
        self.up.release(&mut resources.pipes);
        self.down.release(&mut resources.pipes);
        self.live.leave();
        resources.together.leave(self.client, self.target, self.held);
    }
}

/// Closing it will send a reset.
pub(crate) fn reset(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
