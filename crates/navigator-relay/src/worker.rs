//! A worker: one thread, one epoll, its own connections. It shares listening sockets and counters with
//! the others and nothing else; what the relay wants of it comes as a [`Message`].
//!
//! Invariants: a connection is one worker's, and changes to another at most once (`worker/settle.rs`); a
//! worker without connections and messages sleeps without a timeout; nobody holds a worker longer than one
//! turn (`tcp/direction.rs`).

mod accept;
mod change;
mod datagrams;
mod greeting;
mod handshake;
pub(crate) mod inbox;
mod settle;
mod together;

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::{Duration, Instant},
};

use inbox::{Message, Peers};
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use crate::{
    Transport,
    descriptors::Descriptors,
    listener::Listener,
    namespace::{Namespace, Whereabouts},
    route::Route,
    slots::Slots,
    tcp::{Connection, PipePool, Resources, Together, connection::Next},
    timers::{Tick, Timers},
    token::{Key, Kind, Side, Token},
    udp::{Batch, Sessions},
};

const EVENTS: usize = 256;

pub(crate) struct Worker {
    number: usize,
    peers: Arc<Peers>,
    messages: Receiver<Message>,
    resources: Resources,
    connections: Slots<Connection>,
    greetings: Slots<greeting::Greeting>,
    handshakes: Slots<handshake::Handshake>,
    sessions: Sessions,
    /// Room for datagrams, once there are any.
    batch: Option<Box<Batch>>,
    /// By the index of the listener's key, which the relay gives out.
    listeners: Vec<Option<Listening>>,
    /// The newest version of a forward that it was told of.
    newest: u64,
    paused: accept::Paused,
    /// Connections that have more to do.
    ready: Vec<Token>,
    timers: Timers,
    /// Once nobody listens any more, each keeps what it has.
    keeps: settle::Keeps,
    /// Once the relay ends: when the last connections are cut.
    ends: Option<Instant>,
}

struct Listening {
    listener: Arc<Listener>,
    route: Route,
    /// How many to take at once: doubled while there are more, one again when there are none.
    burst: u32,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        peers: Arc<Peers>,
        messages: Receiver<Message>,
        home: Arc<Namespace>,
        descriptors: &Arc<Descriptors>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let inbox = EpollEvent::new(EpollFlags::EPOLLIN, Token::INBOX.bits());
        epoll.add(peers.wake(number), inbox)?;
        let now = Instant::now();
        Ok(Self {
            number,
            peers,
            messages,
            resources: Resources {
                epoll,
                pipes: PipePool::new(descriptors.pipes()),
                together: Together::default(),
                buffer: Resources::buffer(),
                plain: Vec::new(),
                whereabouts: Whereabouts::new(home),
                now,
            },
            connections: Slots::new(),
            greetings: Slots::new(),
            handshakes: Slots::new(),
            sessions: Sessions::new(),
            batch: None,
            listeners: Vec::new(),
            newest: 0,
            paused: accept::Paused::default(),
            ready: Vec::new(),
            timers: Timers::new(now),
            keeps: settle::Keeps::Few,
            ends: None,
        })
    }

    /// Until the relay ends it and its connections have ended. Who waits for `begun` to go finds every
    /// descriptor of its own open.
    pub(crate) fn run(mut self, begun: Sender<()>) -> io::Result<()> {
        self.resources.together.make_ring();
        drop(begun);
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let count = match self.resources.epoll.wait(&mut events, self.timeout()) {
                Err(Errno::EINTR) => 0,
                other => other?,
            };
            self.resources.now = Instant::now();
            self.resources.together.begin(count);
            for event in &events[..count] {
                self.event(Token::from_bits(event.data()), event.events());
            }
            self.run_ready();
            self.run_timers();
            self.send_together();
            if self.has_ended() {
                self.end();
                return Ok(());
            }
        }
    }

    fn timeout(&self) -> EpollTimeout {
        if !self.ready.is_empty() {
            return EpollTimeout::ZERO;
        }
        let now = self.resources.now;
        let end = self.ends.map(|at| at.saturating_duration_since(now));
        let wait = [self.timers.wait(now), self.paused.wait(now), end].into_iter().flatten().min();
        let Some(wait) = wait else {
            return EpollTimeout::NONE;
        };
        // Rounded up, so that it does not come back a moment too early, again and again.
        let wait =
            Duration::from_millis(wait.as_millis() as u64 + 1).min(Duration::from_secs(86_400));
        EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::MAX)
    }

    fn event(&mut self, token: Token, flags: EpollFlags) {
        match token.kind() {
            Kind::Inbox => self.read_inbox(),
            Kind::Listener => self.arrive(token.key()),
            Kind::Greeting => self.hear(token.key()),
            Kind::Handshake => self.shake_hands(token.key()),
            Kind::Session => self.datagrams_down(token.key()),
            Kind::Connection => {
                if let Some(connection) = self.connections.get_mut(token.key()) {
                    let next = connection.event(token, flags, &mut self.resources);
                    let lasts = connection.turns_out_to_last();
                    self.go_on(token.key(), next);
                    if lasts {
                        self.settle(token.key());
                    }
                }
            }
        }
    }

    /// Does what a connection asks for after its turn.
    fn go_on(&mut self, key: Key, next: Next) {
        let token = Token::connection(key, Side::Client);
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match next {
            Next::Wait => {
                // An end of one half may have brought the deadline nearer.
                let due = self.timers.tick(connection.deadline());
                if connection.due.is_none_or(|at| due < at) {
                    connection.due = Some(due);
                    self.timers.add(due, token);
                }
            }
            Next::Again if !connection.queued => {
                connection.queued = true;
                self.ready.push(token);
            }
            Next::Again => {}
            Next::At(at) => {
                let tick = self.timers.tick(at);
                connection.due = Some(tick);
                self.timers.add(tick, token);
            }
            Next::Close => self.remove(key, Connection::close),
            Next::Reset => self.remove(key, Connection::reset),
        }
    }

    fn remove(&mut self, key: Key, how: fn(Connection, &mut Resources)) {
        if let Some(connection) = self.connections.remove(key) {
            if connection.has_settled() {
                self.peers.left(self.number);
            }
            how(connection, &mut self.resources);
            self.resume_accepting();
        }
        if self.connections.is_empty() {
            self.resources.pipes.clear();
        }
    }

    fn run_ready(&mut self) {
        for token in std::mem::take(&mut self.ready) {
            if let Some(connection) = self.connections.get_mut(token.key()) {
                connection.queued = false;
                let next = connection.run(token.key(), &mut self.resources);
                self.go_on(token.key(), next);
            }
        }
    }

    fn run_timers(&mut self) {
        let now = self.resources.now;
        while let Some((tick, tokens)) = self.timers.pop(now) {
            for token in tokens {
                match token.kind() {
                    Kind::Greeting => self.wait_for_greeting(token.key(), tick),
                    Kind::Handshake => self.handshake_due(token.key(), tick),
                    Kind::Session => self.session_due(token.key(), tick),
                    _ => self.connection_due(token.key(), tick),
                }
            }
        }
        if self.paused.is_over(now) {
            self.resume_accepting();
        }
    }

    fn connection_due(&mut self, key: Key, tick: Tick) {
        let now = self.resources.now;
        let Some(connection) = self.connections.get_mut(key).filter(|c| c.due == Some(tick)) else {
            return;
        };
        connection.due = None;
        if connection.deadline() <= now {
            connection.expire();
            return self.remove(key, Connection::reset);
        }
        connection.lasts(now);
        let next = connection.resume(key, &mut self.resources);
        self.go_on(key, next);
    }

    /// Somebody is at a listening socket.
    fn arrive(&mut self, key: Key) {
        let transport = self.listening(key).map(|listening| listening.listener.transport);
        match transport {
            Some(Transport::Tcp) => self.accept(key),
            Some(Transport::Udp) => self.datagrams_up(key),
            None => {}
        }
    }
}
