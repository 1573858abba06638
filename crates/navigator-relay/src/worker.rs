//! A worker: one thread, one epoll, its own connections. It shares listening sockets and counters with
//! the others and nothing else; what the relay wants of it comes as a [`Message`].
//!
//! Invariants: a connection lives and dies on one worker; a worker without connections and messages
//! sleeps without a timeout; nobody holds a worker longer than one turn (`tcp/direction.rs`).

mod accept;
mod datagrams;
mod greeting;
mod handshake;
pub(crate) mod inbox;

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::{Duration, Instant},
};

use inbox::{Change, Message, Peers};
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
    tcp::{Connection, PipePool, Resources, connection::Next},
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
    paused: accept::Paused,
    /// Connections that have more to do.
    ready: Vec<Token>,
    timers: Timers,
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
            paused: accept::Paused::default(),
            ready: Vec::new(),
            timers: Timers::new(now),
            ends: None,
        })
    }

    /// Until the relay ends it and its connections have ended.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let count = match self.resources.epoll.wait(&mut events, self.timeout()) {
                Err(Errno::EINTR) => 0,
                other => other?,
            };
            self.resources.now = Instant::now();
            for event in &events[..count] {
                self.event(Token::from_bits(event.data()), event.events());
            }
            self.run_ready();
            self.run_timers();
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
                    self.go_on(token.key(), next);
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
            how(connection, &mut self.resources);
            self.peers.left(self.number);
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

    fn read_inbox(&mut self) {
        self.peers.heard(self.number);
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Arrived(arrived) => self.take_in(arrived),
                Message::Change(change) => self.change(change),
                Message::StopListening { done } => self.stop_listening(&done),
                Message::End { at } => self.ends = Some(at),
            }
        }
    }

    fn change(&mut self, change: Change) {
        for (listener, route) in change.listen {
            self.listen(listener, route);
        }
        for key in change.unlisten {
            if let Some(gone) = self.take_listening(key) {
                gone.listener.unwatch(&self.resources.epoll);
                self.sessions.remove_if(|session| session.flow.listener == key);
            }
        }
        if !change.cut.is_empty() {
            self.cut(&change.cut);
        }
        // Nobody waits any more if the relay has gone.
        let _ = change.done.send(());
    }

    /// New, or known and leading elsewhere from now on.
    fn listen(&mut self, listener: Arc<Listener>, route: Route) {
        if !listener.is_for(self.number, self.peers.count()) {
            return;
        }
        let index = listener.key.index as usize;
        if self.listeners.len() <= index {
            self.listeners.resize_with(index + 1, || None);
        }
        match &mut self.listeners[index] {
            Some(known) if known.listener.key == listener.key => known.route = route,
            place => {
                if let Err(error) = listener.watch(&self.resources.epoll) {
                    tracing::error!(forward = %route.first().name, %error, "cannot wait for connections");
                }
                *place = Some(Listening { listener, route, burst: 1 });
            }
        }
    }

    fn listening(&mut self, key: Key) -> Option<&mut Listening> {
        let place = self.listeners.get_mut(key.index as usize)?.as_mut()?;
        (place.listener.key == key).then_some(place)
    }

    fn take_listening(&mut self, key: Key) -> Option<Listening> {
        self.listening(key)?;
        self.listeners.get_mut(key.index as usize)?.take()
    }

    fn cut(&mut self, versions: &HashSet<u64>) {
        for key in self.connections.keys() {
            let live = self.connections.get_mut(key).map(|connection| connection.live());
            if live.is_some_and(|live| versions.contains(&live.version)) {
                self.remove(key, Connection::reset);
            }
        }
        self.sessions.remove_if(|session| versions.contains(&session.live.version));
        self.turn_all_away(|route| versions.contains(&route.first().version));
        self.break_off(|live| versions.contains(&live.version));
    }

    fn stop_listening(&mut self, done: &Sender<()>) {
        for listening in std::mem::take(&mut self.listeners).into_iter().flatten() {
            listening.listener.unwatch(&self.resources.epoll);
        }
        // Nobody waits any more if the relay has gone.
        let _ = done.send(());
    }

    /// Whether nobody is here any more, or not for long enough.
    fn has_ended(&self) -> bool {
        let is_empty =
            self.connections.is_empty() && self.greetings.is_empty() && self.handshakes.is_empty();
        self.ends.is_some_and(|at| is_empty || at <= self.resources.now)
    }

    fn end(&mut self) {
        for key in self.connections.keys() {
            self.remove(key, Connection::reset);
        }
        self.sessions.remove_if(|_| true);
        self.turn_all_away(|_| true);
        self.break_off(|_| true);
    }
}
