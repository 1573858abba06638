//! A client's connection and the one to the target: from the first byte to the last close.

mod opening;

use std::{
    io,
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::sys::epoll::EpollFlags;
pub(crate) use opening::{Accepted, NotOpened};
use socket2::{SockRef, TcpKeepalive};

use super::{
    Resources,
    direction::{Broken, Direction, Turn},
    secured::{Hands, Secured},
};
use crate::{
    Refusal,
    descriptors::Held,
    live::{Live, Meter, Way},
    timers::Tick,
    token::{Key, Side, Token},
};

pub(crate) struct Connection {
    client: TcpStream,
    target: TcpStream,
    live: Arc<Live>,
    listener: Key,
    /// The port that the client came to.
    port: u16,
    stage: Stage,
    /// Where at least one side speaks TLS with the relay.
    secured: Option<Box<Secured>>,
    up: Direction,
    down: Direction,
    started: Instant,
    progress: Instant,
    client_watched: Watched,
    target_watched: Watched,
    /// Events so far.
    turns: u32,
    settled: Settled,
    keepalive: Keepalive,
    /// When the timers look at it next.
    pub(crate) due: Option<Tick>,
    /// Whether it stands in the queue of those that have more to do.
    pub(crate) queued: bool,
    _held: Held,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// The target is connected, and TLS with it is being set up.
    Securing,
    Relaying,
}

/// What epoll tells of a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    Reading,
    /// Also when it can be written again.
    Both,
}

/// Whether its worker is the one that it stays with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settled {
    NotYet,
    Done,
}

/// Probes are switched on for targets only once a connection has lasted: most never need them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keepalive {
    Later,
    Decided,
}

/// What the worker has to do with it after an event.
pub(crate) enum Next {
    Wait,
    Again,
    At(Instant),
    Close,
    Reset,
}

impl Connection {
    /// From now on, epoll tells what happens to it.
    pub(crate) fn watch(&self, key: Key, resources: &Resources) -> io::Result<()> {
        if self.stage == Stage::Relaying {
            let client = Token::connection(key, Side::Client);
            resources.watch(&self.client, client, self.client_watched.more())?;
        }
        let target = Token::connection(key, Side::Target);
        resources.watch(&self.target, target, self.target_watched.more())
    }

    /// Until it is watched again, by another worker.
    pub(crate) fn unwatch(&mut self, resources: &Resources) {
        let _ = (resources.epoll.delete(&self.client), resources.epoll.delete(&self.target));
        (self.due, self.queued) = (None, false);
    }

    pub(crate) fn listener(&self) -> Key {
        self.listener
    }

    /// Whether it has only now shown that it is none of those that end at once.
    pub(crate) fn turns_out_to_last(&self) -> bool {
        const TURNS: u32 = 64;
        const BYTES: u64 = 1 << 20;
        self.stage == Stage::Relaying
            && self.settled == Settled::NotYet
            && (self.turns >= TURNS || self.up.written + self.down.written >= BYTES)
    }

    pub(crate) fn settles(&mut self) {
        self.settled = Settled::Done;
    }

    pub(crate) fn has_settled(&self) -> bool {
        self.settled == Settled::Done
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Takes note of what epoll says and goes on.
    pub(crate) fn event(
        &mut self,
        token: Token,
        flags: EpollFlags,
        resources: &mut Resources,
    ) -> Next {
        self.turns = self.turns.saturating_add(1);
        if self.stage == Stage::Connecting {
            return self.connected(token, flags, resources);
        }
        let (out, back) = match token.side() {
            Side::Client => (&mut self.up, &mut self.down),
            Side::Target => (&mut self.down, &mut self.up),
        };
        let over = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
        if flags.intersects(over | EpollFlags::EPOLLRDHUP) {
            out.ending = true;
            out.readable = true;
        }
        if flags.contains(EpollFlags::EPOLLIN) {
            out.readable = true;
        }
        if flags.intersects(over | EpollFlags::EPOLLOUT) {
            back.writable = true;
        }
        // A side that has said all and then breaks is not read again: nothing else would tell.
        if flags.contains(EpollFlags::EPOLLERR) && out.finished {
            return Next::Reset;
        }
        self.go_on(token.key(), resources)
    }

    /// Does what its stage asks for.
    fn go_on(&mut self, key: Key, resources: &mut Resources) -> Next {
        match self.stage {
            Stage::Connecting => Next::Wait,
            Stage::Securing => self.secure(key, resources),
            Stage::Relaying => self.run(key, resources),
        }
    }

    fn connected(&mut self, token: Token, flags: EpollFlags, resources: &mut Resources) -> Next {
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
    fn secure(&mut self, key: Key, resources: &mut Resources) -> Next {
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

    /// Moves bytes both ways, as far as they go now.
    pub(crate) fn run(&mut self, key: Key, resources: &mut Resources) -> Next {
        let up = self.run_way(Way::Up, resources);
        let down = match up {
            Next::Reset => return Next::Reset,
            _ => self.run_way(Way::Down, resources),
        };
        if self.up.finished && self.down.finished {
            return Next::Close;
        }
        match self.wait_to_write(key, resources) {
            Ok(()) => up.sooner(down),
            Err(_) => Next::Reset,
        }
    }

    /// Most sockets take all that they are given; epoll is asked about those that do not.
    fn wait_to_write(&mut self, key: Key, resources: &Resources) -> io::Result<()> {
        let client = (&self.client, &mut self.client_watched, self.down.writable, Side::Client);
        let target = (&self.target, &mut self.target_watched, self.up.writable, Side::Target);
        for (socket, watched, writable, side) in [client, target] {
            if !writable && *watched == Watched::Reading {
                *watched = Watched::Both;
                resources.watch_writable(socket, Token::connection(key, side))?;
            }
        }
        Ok(())
    }

    fn run_way(&mut self, way: Way, resources: &mut Resources) -> Next {
        let meter = Meter::new(&self.live, way, resources.now);
        let (direction, other_finished, ends) = match way {
            Way::Up => (&mut self.up, self.down.finished, (&self.client, &self.target)),
            Way::Down => (&mut self.down, self.up.finished, (&self.target, &self.client)),
        };
        if direction.finished {
            return Next::Wait;
        }
        let before = direction.written;
        let turn = match self.secured.as_mut() {
            None => direction.run(ends, resources, &meter),
            Some(secured) => direction.run_secured(ends, secured.ends(way), resources, &meter),
        };
        let written = direction.written - before;
        if written > 0 {
            meter.count_written(written);
            self.progress = resources.now;
        }
        match turn {
            Ok(Turn::Waits) => Next::Wait,
            Ok(Turn::Yields) => Next::Again,
            Ok(Turn::Throttled(until)) => Next::At(until),
            Ok(Turn::Ended) => {
                direction.finished = true;
                self.progress = resources.now;
                // If both have ended, closing says so.
                if !other_finished && ends.1.shutdown(Shutdown::Write).is_err() {
                    return Next::Reset;
                }
                Next::Wait
            }
            Err(Broken::Source | Broken::Sink) => Next::Reset,
        }
    }

    /// A moment it waited for has come.
    pub(crate) fn resume(&mut self, key: Key, resources: &mut Resources) -> Next {
        self.go_on(key, resources)
    }

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
    }
}

impl Watched {
    fn more(self) -> EpollFlags {
        match self {
            Self::Reading => EpollFlags::empty(),
            Self::Both => EpollFlags::EPOLLOUT,
        }
    }
}

impl Next {
    fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Reset, _) | (_, Self::Reset) => Self::Reset,
            (Self::Again, _) | (_, Self::Again) => Self::Again,
            (Self::At(a), Self::At(b)) => Self::At(a.min(b)),
            (Self::At(at), _) | (_, Self::At(at)) => Self::At(at),
            _ => Self::Wait,
        }
    }
}

/// Closing it will send a reset.
pub(crate) fn reset(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Probes after `time` of silence, then every tenth of it, five times.
pub(crate) fn probes(time: Duration) -> TcpKeepalive {
    let interval = (time / 10).max(Duration::from_secs(1));
    TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(5)
}

pub(crate) fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
