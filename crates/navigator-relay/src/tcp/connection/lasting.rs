//! What is put off until a connection has shown that it lasts, since most do not: a place that is its own,
//! and probes of its target.

use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::{Connection, Stage};

/// Whether its worker is the one that it stays with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    NotYet,
    Done,
}

/// Probes are switched on for targets only once a connection has lasted: most never need them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keepalive {
    Later,
    Decided,
}

impl Connection {
    /// Whether it has only now shown that it is none of those that end at once.
    pub(crate) fn turns_out_to_last(&self) -> bool {
        const TURNS: u32 = 64;
        const BYTES: u64 = 1 << 20;
        self.stage == Stage::Relaying
            && self.settled == Settled::NotYet
            && !(self.up.gathered || self.down.gathered)
            && (self.turns >= TURNS || self.up.written + self.down.written >= BYTES)
    }

    pub(crate) fn settles(&mut self) {
        self.settled = Settled::Done;
    }

    pub(crate) fn has_settled(&self) -> bool {
        self.settled == Settled::Done
    }

    /// It has lasted a while: from now on, a target that vanished is noticed.
    pub(crate) fn lasts(&mut self, now: Instant) {
        const A_WHILE: Duration = Duration::from_secs(5);
        if self.keepalive == Keepalive::Decided || now - self.started < A_WHILE {
            return;
        }
        self.keepalive = Keepalive::Decided;
        if let Some(time) = self.live.forward.keepalive {
            let _ = SockRef::from(&self.target).set_tcp_keepalive(&probes(time));
        }
    }
}

/// Probes after `time` of silence, then every tenth of it, five times.
pub(crate) fn probes(time: Duration) -> TcpKeepalive {
    let interval = (time / 10).max(Duration::from_secs(1));
    TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(5)
}
