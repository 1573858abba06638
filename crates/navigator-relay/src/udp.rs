//! UDP: a session per client, each with a socket of its own towards the target, so that the kernel
//! sorts the answers and says of which session a target is unreachable.
//!
//! A listening socket and its sessions belong to one worker: datagrams of a flow never overtake each
//! other, and nothing is locked.

mod batch;
mod sending;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

pub(crate) use batch::{Batch, Train, receive_local, receive_trains};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
pub(crate) use sending::send;
use socket2::{Domain, Socket, Type};

use crate::{
    descriptors::Held,
    listener::Listener,
    live::Live,
    namespace::Whereabouts,
    slots::Slots,
    timers::Tick,
    token::{Key, Token},
    transparent::{self, Port},
};

/// Who talks to which of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    pub(crate) listener: Key,
    pub(crate) client: SocketAddr,
    /// Where the listener has several addresses: the one that the client knows us by.
    pub(crate) local: Option<IpAddr>,
}

pub(crate) struct Session {
    pub(crate) flow: Flow,
    pub(crate) listener: Arc<Listener>,
    pub(crate) live: Arc<Live>,
    pub(crate) socket: Socket,
    pub(crate) last: Instant,
    pub(crate) due: Option<Tick>,
    _held: Held,
}

impl Session {
    /// A socket in the forward's namespace that hears the target only.
    pub(crate) fn open(
        flow: Flow,
        listener: &Arc<Listener>,
        live: &Arc<Live>,
        whereabouts: &mut Whereabouts,
        now: Instant,
    ) -> io::Result<Self> {
        let held =
            live.state.descriptors.take(1).ok_or(io::Error::from_raw_os_error(libc::EMFILE))?;
        let target = live.target(listener.port);
        whereabouts.go(&live.connect_in)?;
        let connect = |clients: Option<Port>| {
            let kind = Type::DGRAM.nonblocking().cloexec();
            let socket = Socket::new_raw(Domain::for_address(target), kind, None)?;
            if let Some(port) = clients {
                transparent::take_address(&socket, flow.client, target, port)?;
            }
            socket.connect(&target.into())?;
            Ok(socket)
        };
        let socket = match live.forward.transparent {
            true => transparent::with_some_port(|port| connect(Some(port)))?,
            false => connect(None)?,
        };
        receive_trains(&socket);
        let (listener, live) = (Arc::clone(listener), Arc::clone(live));
        Ok(Self { flow, listener, live, socket, last: now, due: None, _held: held })
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.last + self.live.forward.timeouts.idle
    }

    /// What the target said, on its way to the client.
    pub(crate) fn back<'a>(&self, train: Train<'a>) -> Train<'a> {
        Train { peer: Some(self.flow.client), local: self.flow.local, ..train }
    }
}

/// A worker's sessions, by key and by flow.
pub(crate) struct Sessions {
    slots: Slots<Session>,
    flows: HashMap<Flow, Key>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self { slots: Slots::new(), flows: HashMap::new() }
    }

    pub(crate) fn find(&self, flow: &Flow) -> Option<Key> {
        self.flows.get(flow).copied()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Session> {
        self.slots.get_mut(key)
    }

    /// Level-triggered: a batch at a time, and the others between two.
    pub(crate) fn insert(&mut self, session: Session, epoll: &Epoll) -> io::Result<Key> {
        let flow = session.flow;
        let key = self.slots.insert(session);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, Token::session(key).bits());
        if let Some(session) = self.slots.get_mut(key)
            && let Err(error) = epoll.add(&session.socket, event)
        {
            self.slots.remove(key);
            return Err(error.into());
        }
        self.flows.insert(flow, key);
        Ok(key)
    }

    pub(crate) fn remove(&mut self, key: Key) {
        if let Some(session) = self.slots.remove(key) {
            self.flows.remove(&session.flow);
            session.live.leave();
        }
        if self.flows.is_empty() {
            self.flows.shrink_to_fit();
        }
    }

    pub(crate) fn remove_if(&mut self, which: impl Fn(&Session) -> bool) {
        for key in self.slots.keys() {
            if self.slots.get_mut(key).is_some_and(|session| which(session)) {
                self.remove(key);
            }
        }
    }
}
