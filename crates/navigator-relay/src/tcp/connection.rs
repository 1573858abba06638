//! A client's connection and the one to the target: from the first byte to the last close.

mod ending;
mod lasting;
mod meeting;
mod opening;
mod together;

use std::{
    io,
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Instant,
};

pub(crate) use ending::reset;
pub(crate) use lasting::probes;
use lasting::{Keepalive, Settled};
use nix::sys::epoll::EpollFlags;
pub(crate) use opening::{Accepted, NotOpened};

use super::{
    Resources,
    direction::{Broken, Direction, Turn},
    secured::Secured,
};
use crate::{
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
    held: Held,
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

    /// Moves bytes both ways, as far as they go now.
    pub(crate) fn run(&mut self, key: Key, resources: &mut Resources) -> Next {
        let up = self.run_way(key, Way::Up, resources);
        let down = match up {
            Next::Reset => return Next::Reset,
            _ => self.run_way(key, Way::Down, resources),
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

    fn run_way(&mut self, key: Key, way: Way, resources: &mut Resources) -> Next {
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
            Ok(Turn::Gathers) => {
                resources.together.add(Token::connection(key, way.to()));
                Next::Wait
            }
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

pub(crate) fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
