//! From a client that has been let in to a connection. What the client has said by then is read first, and
//! said to the target as soon as it is connected, which a near one is before `connect` returns.

use std::{
    io::{self, Read as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Instant,
};

use socket2::{Domain, Socket, Type};

use super::{Connection, Keepalive, Settled, Stage, Watched, out_of_descriptors, reset};
use crate::{
    Refusal,
    descriptors::Held,
    live::{Live, Meter, Way},
    proxy_protocol,
    tcp::{
        Resources,
        direction::{Direction, retry},
        secured::Secured,
    },
    tls::Session,
    token::Key,
    transparent::{self, Port},
};

/// Read before there is a target to say it to. So many clients of one that does not answer take no more
/// memory than they do anyway.
const FIRST: usize = 4096;

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

/// Why there is no connection. It has been counted and told; the client is reset and counts as gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// None was left for the target.
    Descriptors,
    Otherwise,
}

impl Connection {
    /// Starts to connect. Nothing more is heard of the client before there is somebody to talk to.
    ///
    /// # Errors
    /// Why there will be none.
    pub(crate) fn open(
        mut accepted: Accepted,
        resources: &mut Resources,
    ) -> Result<Self, NotOpened> {
        let mut up = Direction::default();
        if let Some(version) = accepted.live.forward.proxy_protocol
            && let Ok(to) = accepted.client.local_addr()
        {
            let spoken = accepted.session.as_ref().map(|session| session.spoken());
            up.push(&proxy_protocol::write(version, accepted.peer, to, spoken.as_ref()));
        }
        let Ok(mut secured) = Secured::new(&mut accepted) else {
            accepted.live.counters().refuse(Refusal::TlsTarget);
            return Err(accepted.go_away());
        };
        let heard = match secured.as_mut() {
            Some(secured) => {
                secured.say_first(&accepted.said, &mut up);
                None
            }
            None => {
                up.push(&accepted.said);
                match accepted.hear(resources) {
                    Ok(heard) => Some(heard),
                    Err(_) => return Err(accepted.go_away()),
                }
            }
        };
        let (target, stage) = match accepted.meet(&mut up, heard, resources) {
            Ok(met) => met,
            Err(error) => return Err(accepted.turned_down(&error)),
        };
        let target_watched = match stage == Stage::Relaying && up.held() == 0 {
            true => Watched::Reading,
            false => Watched::Both,
        };
        let mut connection = Self {
            client: accepted.client,
            target,
            live: accepted.live,
            listener: accepted.listener,
            port: accepted.port,
            stage,
            secured,
            up,
            down: Direction::default(),
            started: resources.now,
            progress: resources.now,
            client_watched: Watched::Reading,
            target_watched,
            turns: 0,
            settled: Settled::NotYet,
            keepalive: Keepalive::Later,
            due: None,
            queued: false,
            held: accepted.held,
        };
        if stage == Stage::Relaying {
            connection.has_met(resources.now);
        }
        Ok(connection)
    }
}

impl Accepted {
    /// What the client has said by now, into the worker's buffer.
    fn hear(&self, resources: &mut Resources) -> io::Result<usize> {
        let meter = Meter::new(&self.live, Way::Up, resources.now);
        if meter.throttled_until().is_some() {
            return Ok(0);
        }
        let buffer = &mut resources.buffer[..meter.most(FIRST)];
        let heard = retry(|| (&self.client).read(buffer))?.unwrap_or(0);
        meter.count_read(heard);
        Ok(heard)
    }

    /// Connects to the target, and says what there is to say unless that has to wait. Of TLS (nothing was
    /// heard), there may be more than that.
    fn meet(
        &self,
        up: &mut Direction,
        heard: Option<usize>,
        resources: &mut Resources,
    ) -> io::Result<(TcpStream, Stage)> {
        let speaks = heard.is_some_and(|n| n > 0) || up.held() > 0;
        let target = self.connect(speaks, resources)?;
        let mut stage = Stage::Connecting;
        let heard = heard.filter(|_| speaks);
        if let Some(heard) = heard
            && resources.together.gathers(up.held() + heard)
        {
            up.say_together(&resources.buffer[..heard]);
        } else if let Some(heard) = heard
            && up.say_first(&target, &resources.buffer[..heard])?
        {
            stage = Stage::Relaying;
        }
        Ok((target, stage))
    }

    /// Makes the target's socket in the forward's namespace; the connection is under way afterwards.
    fn connect(&self, speaks: bool, resources: &mut Resources) -> io::Result<TcpStream> {
        resources.whereabouts.go(&self.live.connect_in)?;
        if !self.live.forward.transparent {
            return self.connect_from(None, speaks);
        }
        transparent::with_some_port(|port| self.connect_from(Some(port), speaks))
    }

    fn connect_from(&self, clients: Option<Port>, speaks: bool) -> io::Result<TcpStream> {
        let target = self.live.target(self.port);
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new_raw(Domain::for_address(target), kind, None)?;
        if let Some(port) = clients {
            transparent::take_address(&socket, self.peer, target, port)?;
        }
        if speaks {
            // The handshake's last packet goes with what is said: one less, and the target wakes once.
            socket.set_tcp_quickack(false)?;
        }
        match socket.connect(&target.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(socket.into()),
        }
    }

    fn turned_down(self, error: &io::Error) -> NotOpened {
        if out_of_descriptors(error) {
            self.live.counters().refuse(Refusal::Descriptors);
            self.go_away();
            return NotOpened::Descriptors;
        }
        self.live.unreachable(self.live.target(self.port), Refusal::Target, error);
        self.go_away()
    }

    fn go_away(self) -> NotOpened {
        reset(&self.client);
        self.live.leave();
        NotOpened::Otherwise
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener, time::Duration};

    use nix::sys::epoll::{Epoll, EpollCreateFlags};

    use super::*;
    use crate::{
        ForwardSet,
        descriptors::Descriptors,
        live::State,
        namespace::{Namespace, Whereabouts},
        tcp::{PipePool, Together},
    };

    /// A client that has said something, on its way to `target`.
    fn accepted(target: SocketAddr, descriptors: &Arc<Descriptors>) -> (Accepted, TcpStream) {
        let text = format!("[forward.a]\nlisten = '127.0.0.1:1'\nconnect = '{target}'\n");
        let set = ForwardSet::from_toml(&text).unwrap();
        let (name, forward) = set.entries().next().unwrap();
        let here = Arc::new(Namespace::current().unwrap());
        let live = Arc::new(Live {
            version: 0,
            name: Arc::clone(name),
            forward: Arc::clone(forward),
            listen_in: Arc::clone(&here),
            connect_in: here,
            accepting: None,
            originating: None,
            state: Arc::new(State::new(descriptors)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        other.write_all(b"hello").unwrap();
        let (client, peer) = listener.accept().unwrap();
        assert_eq!(client.peek(&mut [0; 8]).unwrap(), 5);
        client.set_nonblocking(true).unwrap();
        let held = live.state.descriptors.take(2).unwrap();
        let (key, since) = (Key { index: 0, generation: 0 }, Instant::now());
        let (said, session) = (Vec::new(), None);
        let accepted =
            Accepted { client, peer, listener: key, port: 1, live, since, said, session, held };
        (accepted, other)
    }

    #[test]
    fn a_near_target_has_heard_the_client_before_epoll_is_asked() {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let descriptors = Arc::new(Descriptors::default());
        descriptors.look_at_limit(0);
        let (accepted, _client) = accepted(target.local_addr().unwrap(), &descriptors);
        let (now, home) = (Instant::now(), Arc::clone(&accepted.live.connect_in));
        let mut resources = Resources {
            together: Together::default(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap(),
            pipes: PipePool::new(descriptors.pipes()),
            buffer: Resources::buffer(),
            plain: Vec::new(),
            whereabouts: Whereabouts::new(home),
            now,
        };
        let opened = Connection::open(accepted, &mut resources);
        let Ok(connection) = opened else { panic!("not opened") };
        assert!(connection.stage == Stage::Relaying && connection.up.written == 5);
        let (mut heard, mut text) = (target.accept().unwrap().0, [0; 5]);
        heard.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        let connect_timeout = connection.live.forward.timeouts.connect;
        assert!(connection.first_look(now) <= now + connect_timeout, "kept by the timers");
        assert!(connection.deadline() > now + Duration::from_secs(3000));
    }
}
