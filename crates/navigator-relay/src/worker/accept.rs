//! Taking connections: who may come in, and what happens when there is no descriptor left for one, or none
//! that its forward may have.

use std::{
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Listening, Worker, greeting::Arrived};
use crate::{
    Refusal,
    descriptors::PER_CONNECTION,
    listener::Listener,
    live::Live,
    tcp::{
        Connection,
        connection::{Accepted, NotOpened, out_of_descriptors, reset},
    },
    token::{Key, Side, Token},
};

/// The most that one listener's flood takes of a turn.
const BURST: u32 = 16;

/// Listeners that are not listened to because there was no descriptor for what came, or none that its
/// forward may have. They come back when a connection of this worker ends, and after a while in any case.
#[derive(Default)]
pub(super) struct Paused {
    listeners: Vec<Key>,
    until: Option<Instant>,
    /// When it was said last. In a flood there is none left again and again, as soon as one comes back.
    told: Option<Instant>,
}

impl Paused {
    const WHILE: Duration = Duration::from_millis(100);
    const SAY_AGAIN_AFTER: Duration = Duration::from_secs(60);

    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.until.map(|at| at.saturating_duration_since(now))
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|at| at <= now)
    }
}

enum Taken {
    One(TcpStream, SocketAddr),
    Nothing,
    OutOfDescriptors,
}

impl Worker {
    pub(super) fn accept(&mut self, key: Key) {
        let Some(Listening { listener, route, burst }) = self.listening(key) else {
            return;
        };
        let (listener, route, most) = (Arc::clone(listener), route.clone(), *burst);
        let mut next = (most * 2).min(BURST);
        for _ in 0..most {
            if self.paused.listeners.contains(&key) {
                break;
            }
            let Some(held) = route.first().state.descriptors.take(PER_CONNECTION) else {
                self.pause(&listener, route.first());
                break;
            };
            match take(&listener) {
                Taken::One(client, peer) => {
                    let (port, route) = (listener.port, route.clone());
                    self.admit(Arrived { client, peer, listener: key, port, route, held });
                }
                Taken::Nothing => {
                    next = 1;
                    break;
                }
                Taken::OutOfDescriptors => {
                    self.pause(&listener, route.first());
                    break;
                }
            }
        }
        if let Some(listening) = self.listening(key) {
            listening.burst = next;
        }
    }

    fn admit(&mut self, arrived: Arrived) {
        let now = self.resources.now;
        let peer = arrived.peer.ip().to_canonical();
        if arrived.goes_to().is_some_and(|live| live.admit(peer, now).is_err()) {
            return reset(&arrived.client);
        }
        // Connects it, or hears first where it wants to go.
        match arrived.goes_to().map(Arc::clone) {
            Some(live) => {
                let Arrived { client, peer, listener, port, held, .. } = arrived;
                let (said, since) = (Vec::new(), self.resources.now);
                let session = None;
                self.enter(Accepted {
                    client,
                    peer,
                    listener,
                    port,
                    live,
                    since,
                    said,
                    session,
                    held,
                });
            }
            None => self.greet(arrived),
        }
    }

    /// What was let in and counted for this worker: sets up TLS first, where it ends here.
    pub(super) fn enter(&mut self, accepted: Accepted) {
        match accepted.live.accepting.clone() {
            Some(accepting) => self.begin_handshake(accepted, &accepting),
            None => self.open(accepted),
        }
    }

    /// Connects it to its target.
    pub(super) fn open(&mut self, accepted: Accepted) {
        let listener = accepted.listener;
        match Connection::open(accepted, &mut self.resources) {
            Ok(connection) => {
                self.have(connection);
            }
            // Its target's was the one that was missing: let the next ones wait.
            Err(NotOpened::Descriptors) => self.wait_with(listener),
            Err(NotOpened::Otherwise) => {}
        }
    }

    /// From now on, it is this worker's.
    pub(super) fn have(&mut self, connection: Connection) -> Option<Key> {
        let first_look = connection.first_look(self.resources.now);
        let key = self.connections.insert(connection);
        let connection = self.connections.get_mut(key)?;
        if connection.speaks_together() {
            // It is watched once it has spoken.
            self.resources.together.add(Token::connection(key, Side::Target));
        } else if connection.watch(key, &self.resources).is_err() {
            self.remove(key, Connection::reset);
            return None;
        }
        let due = self.timers.tick(first_look);
        connection.due = Some(due);
        self.timers.add(due, Token::connection(key, Side::Client));
        Some(key)
    }

    fn wait_with(&mut self, key: Key) {
        let Some(Listening { listener, route, .. }) = self.listening(key) else {
            return;
        };
        let (listener, live) = (Arc::clone(listener), Arc::clone(route.first()));
        self.stop_for_a_while(&listener, &live);
    }

    fn pause(&mut self, listener: &Listener, live: &Live) {
        live.counters().refuse(Refusal::Descriptors);
        self.stop_for_a_while(listener, live);
    }

    /// Unless that has stopped already.
    fn stop_for_a_while(&mut self, listener: &Listener, live: &Live) {
        if self.paused.listeners.contains(&listener.key) {
            return;
        }
        let now = self.resources.now;
        if self.paused.told.is_none_or(|at| now - at > Paused::SAY_AGAIN_AFTER) {
            self.paused.told = Some(now);
            tracing::warn!(forward = %live.name, "no descriptor left for it: new connections have to wait");
        }
        // Those that no connection uses.
        self.resources.pipes.clear();
        listener.unwatch(&self.resources.epoll);
        self.paused.listeners.push(listener.key);
        self.paused.until = Some(self.resources.now + Paused::WHILE);
    }

    pub(super) fn resume_accepting(&mut self) {
        if self.paused.until.take().is_none() {
            return;
        }
        for key in std::mem::take(&mut self.paused.listeners) {
            let Some(Listening { listener, route, .. }) = self.listening(key) else {
                continue;
            };
            let has_room = route.first().state.descriptors.has_room(PER_CONNECTION);
            let listener = Arc::clone(listener);
            if !has_room || listener.watch(&self.resources.epoll).is_err() {
                self.paused.listeners.push(key);
                self.paused.until = Some(self.resources.now + Paused::WHILE);
            }
        }
    }
}

fn take(listener: &Listener) -> Taken {
    match listener.socket.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
        Ok((socket, address)) => match address.as_socket() {
            Some(peer) => Taken::One(socket.into(), peer),
            None => Taken::Nothing,
        },
        Err(error) if out_of_descriptors(&error) => Taken::OutOfDescriptors,
        // Another worker had it, or the client has gone.
        Err(_) => Taken::Nothing,
    }
}
