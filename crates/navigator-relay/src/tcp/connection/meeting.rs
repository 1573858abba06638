//! Between a connection under way to its target and one that relays: the target answers, TLS with it is set
//! up, and from then on the client is listened to.

use std::time::Instant;

use nix::sys::epoll::EpollFlags;

use super::{Connection, Next, Stage};
use crate::{
    Refusal,
    live::{Meter, Way},
    tcp::{Resources, secured::Hands},
    token::{Key, Side, Token},
};

impl Connection {
    pub(super) fn connected(
        &mut self,
        token: Token,
        flags: EpollFlags,
        resources: &mut Resources,
    ) -> Next {
        let failed = flags.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
        if failed && let Ok(Some(error)) = self.target.take_error() {
            self.live.unreachable(self.live.target(self.port), Refusal::Target, &error);
            return Next::Reset;
        }
        if !flags.contains(EpollFlags::EPOLLOUT) {
            return Next::Wait;
        }
        self.live.counters().connect.record(resources.now - self.started);
        self.up.writable = true;
        self.down.readable = flags.contains(EpollFlags::EPOLLIN);
        self.down.ending = flags.contains(EpollFlags::EPOLLRDHUP);
        if self.secured.as_ref().is_some_and(|secured| secured.target.is_some()) {
            self.stage = Stage::Securing;
            return self.secure(token.key(), resources);
        }
        self.relay(token.key(), resources)
    }

    /// Goes on with the TLS handshake with the target.
    pub(super) fn secure(&mut self, key: Key, resources: &mut Resources) -> Next {
        let Some(secured) = self.secured.as_mut() else {
            return Next::Reset;
        };
        match secured.shake_hands(&self.target, (&mut self.up, &mut self.down), resources) {
            Ok(Hands::Wait) => Next::Wait,
            Ok(Hands::Shaken) => {
                for (way, direction) in [(Way::Up, &self.up), (Way::Down, &self.down)] {
                    Meter::new(&self.live, way, resources.now).count_written(direction.written);
                }
                self.relay(key, resources)
            }
            Err((reason, why)) => {
                self.live.unreachable(self.live.target(self.port), reason, &why);
                Next::Reset
            }
        }
    }

    /// There is somebody to talk to.
    fn meets(&mut self, now: Instant) {
        self.stage = Stage::Relaying;
        self.live.reached(self.live.target(self.port));
        self.progress = now;
        self.down.writable = true;
    }

    /// From now on, the client is listened to.
    fn relay(&mut self, key: Key, resources: &mut Resources) -> Next {
        self.meets(resources.now);
        let client = Token::connection(key, Side::Client);
        if resources.watch(&self.client, client, EpollFlags::empty()).is_err() {
            return Next::Reset;
        }
        // What a client says first has often arrived while the target was connected.
        self.up.readable = true;
        self.run(key, resources)
    }

    /// The target has taken what was first said.
    pub(super) fn has_met(&mut self, now: Instant) {
        self.live.counters().connect.record(Instant::now() - self.started);
        Meter::new(&self.live, Way::Up, now).count_written(self.up.written);
        self.meets(now);
    }
}
