//! Clients who have to say something before it is known where they go: a PROXY header that tells who
//! they are, a TLS hello that tells whom they want. Bounded in bytes and in time.

use std::{
    io::{ErrorKind, Read as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::Worker;
use crate::{
    Refusal,
    descriptors::Held,
    live::Live,
    proxy_protocol,
    route::Route,
    server_name::{self, LONGEST_HELLO},
    tcp::connection::{Accepted, reset},
    timers::Tick,
    token::{Key, Token},
};

/// A client as it was taken from a listening socket.
pub(super) struct Arrived {
    pub(super) client: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) listener: Key,
    /// The port it came to.
    pub(super) port: u16,
    pub(super) route: Route,
    pub(super) held: Held,
}

pub(super) struct Greeting {
    arrived: Arrived,
    /// A PROXY header comes first.
    header: Header,
    said: Vec<u8>,
    since: Instant,
    deadline: Instant,
    due: Tick,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    Expected,
    Done,
}

enum Heard {
    More,
    /// All that has to be known: this forward.
    Enough(Arc<Live>),
    /// Nothing that could be understood, or nobody's name.
    Nonsense,
}

impl Arrived {
    /// Whether the client is a proxy that is trusted to say whom it speaks for.
    fn is_proxy(&self) -> bool {
        let peer = self.peer.ip().to_canonical();
        self.route.first().forward.proxies.iter().any(|prefix| prefix.contains(&peer))
    }

    /// The forward, if nothing has to be heard first.
    pub(super) fn goes_to(&self) -> Option<&Arc<Live>> {
        match &self.route {
            Route::One(live) if !self.is_proxy() => Some(live),
            _ => None,
        }
    }
}

impl Greeting {
    fn new(arrived: Arrived, now: Instant, tick: impl FnOnce(Instant) -> Tick) -> Self {
        let header = if arrived.is_proxy() { Header::Expected } else { Header::Done };
        let deadline = now + arrived.route.first().forward.timeouts.connect;
        let (said, due) = (Vec::new(), tick(deadline));
        Self { arrived, header, said, since: now, deadline, due }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Heard {
        match (&self.arrived.client).read(buffer) {
            Ok(0) => Heard::Nonsense,
            Ok(n) => {
                self.said.extend_from_slice(&buffer[..n]);
                self.understand()
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Heard::More
            }
            Err(_) => Heard::Nonsense,
        }
    }

    fn understand(&mut self) -> Heard {
        if self.header == Header::Expected {
            match proxy_protocol::read(&self.said) {
                Ok(Some(header)) => {
                    self.said.drain(..header.length);
                    self.arrived.peer = header.client.unwrap_or(self.arrived.peer);
                    self.header = Header::Done;
                }
                Ok(None) => return Heard::More,
                Err(proxy_protocol::NoHeader) => return Heard::Nonsense,
            }
        }
        if let Route::One(live) = &self.arrived.route {
            return Heard::Enough(Arc::clone(live));
        }
        match server_name::read(&self.said) {
            Ok(Some(name)) => match self.arrived.route.by_name(name.as_deref()) {
                Some(live) => Heard::Enough(Arc::clone(live)),
                None => Heard::Nonsense,
            },
            Ok(None) => Heard::More,
            Err(server_name::NoHello) => Heard::Nonsense,
        }
    }
}

impl Worker {
    pub(super) fn greet(&mut self, arrived: Arrived) {
        let now = self.resources.now;
        let greeting = Greeting::new(arrived, now, |at| self.timers.tick(at));
        let due = greeting.due;
        let key = self.greetings.insert(greeting);
        let token = Token::greeting(key);
        self.timers.add(due, token);
        let Some(greeting) = self.greetings.get_mut(key) else {
            return;
        };
        // Level-triggered: it lasts a packet or two.
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP, token.bits());
        if self.resources.epoll.add(&greeting.arrived.client, event).is_err() {
            self.turn_away(key);
        }
    }

    pub(super) fn hear(&mut self, key: Key) {
        // Room for the longest hello and a header before it.
        const MOST: usize = 2 * LONGEST_HELLO;
        let Some(greeting) = self.greetings.get_mut(key) else {
            return;
        };
        let room = MOST.saturating_sub(greeting.said.len()).max(1);
        match greeting.read(&mut self.resources.buffer[..room]) {
            Heard::More => {}
            Heard::Enough(live) => self.let_in(key, live),
            Heard::Nonsense => self.turn_away(key),
        }
    }

    fn let_in(&mut self, key: Key, live: Arc<Live>) {
        let Some(Greeting { arrived, said, since, .. }) = self.greetings.remove(key) else {
            return;
        };
        let Arrived { client, peer, listener, port, held, .. } = arrived;
        let _ = self.resources.epoll.delete(&client);
        if live.admit(peer.ip().to_canonical(), self.resources.now).is_err() {
            return reset(&client);
        }
        // Until now they were the first forward's of the port.
        let Some(held) = held.pass_to(&live.state.descriptors) else {
            live.counters().refuse(Refusal::Descriptors);
            live.leave();
            return reset(&client);
        };
        let session = None;
        self.enter(Accepted { client, peer, listener, port, live, since, said, session, held });
    }

    fn turn_away(&mut self, key: Key) {
        let Some(Greeting { arrived, .. }) = self.greetings.remove(key) else {
            return;
        };
        let counters = arrived.route.first().counters();
        counters.total.fetch_add(1, Relaxed);
        counters.refuse(Refusal::Greeting);
        reset(&arrived.client);
    }

    /// Its time may be over.
    pub(super) fn wait_for_greeting(&mut self, key: Key, tick: Tick) {
        let now = self.resources.now;
        if self
            .greetings
            .get_mut(key)
            .is_some_and(|greeting| greeting.due == tick && greeting.deadline <= now)
        {
            self.turn_away(key);
        }
    }

    /// Those whose forward has gone.
    pub(super) fn turn_all_away(&mut self, which: impl Fn(&Route) -> bool) {
        for key in self.greetings.keys() {
            if self.greetings.get_mut(key).is_some_and(|greeting| which(&greeting.arrived.route)) {
                self.turn_away(key);
            }
        }
    }
}
