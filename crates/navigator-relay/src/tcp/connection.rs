//! A client's connection and the one to the target: from accept to the last close.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::sys::epoll::EpollFlags;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use super::{
    Resources,
    direction::{Broken, Direction, Turn},
    secured::{Hands, Secured},
};
use crate::{
    Refusal,
    descriptors::Held,
    live::{Live, Meter, Way},
    proxy_protocol,
    timers::Tick,
    tls::Session,
    token::{Key, Side, Token},
    transparent::{self, Port},
};

/// A client that has been let in.
pub(crate) struct Accepted {
    pub(crate) client: TcpStream,
    /// Who it is; a trusted proxy may have said so.
    pub(crate) peer: SocketAddr,
    pub(crate) listener: Key,
    /// The port it came to.
    pub(crate) port: u16,
    pub(crate) live: Arc<Live>,
    /// When it came.
    pub(crate) since: Instant,
    /// What it has said already.
    pub(crate) said: Vec<u8>,
    /// Its TLS, where that ends here and once it is set up.
    pub(crate) session: Option<Box<Session>>,
    /// Its descriptor and the target's.
    pub(crate) held: Held,
}

pub(crate) struct Connection {
    client: TcpStream,
    target: TcpStream,
    live: Arc<Live>,
    /// The port that the client came to.
    port: u16,
    stage: Stage,
    /// Where at least one side speaks TLS with the relay.
    secured: Option<Box<Secured>>,
    up: Direction,
    down: Direction,
    started: Instant,
    progress: Instant,
    /// Whether epoll tells when the client's socket can be written again.
    client_watched: ClientWatched,
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientWatched {
    Reading,
    Both,
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

impl Accepted {
    fn go_away(self, reason: Refusal) -> Refusal {
        reset(&self.client);
        self.live.leave();
        reason
    }
}

impl Connection {
    /// Starts to connect. The client is not listened to before there is somebody to talk to.
    ///
    /// # Errors
    /// Why there will be no connection. The client is reset and counts as gone then.
    pub(crate) fn open(mut accepted: Accepted, resources: &mut Resources) -> Result<Self, Refusal> {
        let mut up = Direction::default();
        if let Some(version) = accepted.live.forward.proxy_protocol
            && let Ok(to) = accepted.client.local_addr()
        {
            let spoken = accepted.session.as_ref().map(|session| session.spoken());
            up.push(&proxy_protocol::write(version, accepted.peer, to, spoken.as_ref()));
        }
        let Ok(mut secured) = Secured::new(&mut accepted) else {
            accepted.live.counters().refuse(Refusal::TlsTarget);
            return Err(accepted.go_away(Refusal::TlsTarget));
        };
        match secured.as_mut() {
            Some(secured) => secured.say_first(&accepted.said, &mut up),
            None => up.push(&accepted.said),
        }
        match connect(&accepted, resources) {
            Ok(target) => Ok(Self {
                client: accepted.client,
                target,
                live: accepted.live,
                port: accepted.port,
                stage: Stage::Connecting,
                secured,
                up,
                down: Direction::default(),
                started: resources.now,
                progress: resources.now,
                client_watched: ClientWatched::Reading,
                keepalive: Keepalive::Later,
                due: None,
                queued: false,
                _held: accepted.held,
            }),
            Err(error) => {
                if out_of_descriptors(&error) {
                    accepted.live.counters().refuse(Refusal::Descriptors);
                    return Err(accepted.go_away(Refusal::Descriptors));
                }
                let target = accepted.live.target(accepted.port);
                accepted.live.unreachable(target, Refusal::Target, &error);
                Err(accepted.go_away(Refusal::Target))
            }
        }
    }

    pub(crate) fn watch(&self, key: Key, resources: &Resources) -> io::Result<()> {
        let token = Token::connection(key, Side::Target);
        resources.watch(&self.target, token, EpollFlags::EPOLLOUT)
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

    /// There is somebody to talk to: from now on, the client is listened to.
    fn relay(&mut self, key: Key, resources: &mut Resources) -> Next {
        self.stage = Stage::Relaying;
        self.live.reached(self.live.target(self.port));
        self.progress = resources.now;
        let client = Token::connection(key, Side::Client);
        if resources.watch(&self.client, client, EpollFlags::empty()).is_err() {
            return Next::Reset;
        }
        self.down.writable = true;
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
        if !self.down.writable && self.client_watched == ClientWatched::Reading {
            self.client_watched = ClientWatched::Both;
            let client = Token::connection(key, Side::Client);
            if resources.watch_writable(&self.client, client).is_err() {
                return Next::Reset;
            }
        }
        up.sooner(down)
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

/// Makes the target's socket in the forward's namespace; the connection is under way afterwards.
fn connect(accepted: &Accepted, resources: &mut Resources) -> io::Result<TcpStream> {
    resources.whereabouts.go(&accepted.live.connect_in)?;
    if !accepted.live.forward.transparent {
        return connect_from(accepted, None);
    }
    transparent::with_some_port(|port| connect_from(accepted, Some(port)))
}

fn connect_from(accepted: &Accepted, clients: Option<Port>) -> io::Result<TcpStream> {
    let target = accepted.live.target(accepted.port);
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(target), kind, None)?;
    if let Some(port) = clients {
        transparent::take_address(&socket, accepted.peer, target, port)?;
    }
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}
