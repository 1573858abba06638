//! What workers are told, by the relay and by each other, and how many lasting connections each one has.

use std::{
    collections::HashSet,
    io,
    os::fd::BorrowedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Instant,
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::{listener::Listener, route::Route, tcp::Connection, token::Key};

pub(crate) enum Message {
    /// From a worker that has more of those that last.
    Settles(Box<Connection>),
    Change(Change),
    /// Take nothing more from listening sockets, and give other workers nothing more.
    StopListening {
        done: Sender<()>,
    },
    /// End with the last connection, at the latest at this moment. All workers have stopped listening by
    /// then, so none of them gives this one another connection.
    End {
        at: Instant,
    },
}

/// A difference of two sets, as far as a worker has a part in it.
pub(crate) struct Change {
    pub(crate) listen: Vec<(Arc<Listener>, Route)>,
    pub(crate) unlisten: Vec<Key>,
    /// Versions of forwards whose connections are reset.
    pub(crate) cut: HashSet<u64>,
    pub(crate) done: Sender<()>,
}

/// All workers, as they see each other.
pub(crate) struct Peers(Vec<Peer>);

struct Peer {
    inbox: Sender<Message>,
    wake: EventFd,
    /// Whether the wake-up is already on its way.
    woken: AtomicBool,
    /// Connections that have settled there.
    settled: AtomicUsize,
}

impl Peers {
    pub(crate) fn new(count: usize) -> io::Result<(Self, Vec<Receiver<Message>>)> {
        let (mut peers, mut inboxes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (inbox, messages) = channel();
            let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
            let wake = EventFd::from_flags(flags)?;
            let (woken, settled) = (AtomicBool::new(false), AtomicUsize::new(0));
            peers.push(Peer { inbox, wake, woken, settled });
            inboxes.push(messages);
        }
        Ok((Self(peers), inboxes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn wake(&self, worker: usize) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0[worker].wake.as_fd()
    }

    /// Tells it, and wakes it unless somebody just has.
    pub(crate) fn send(&self, worker: usize, message: Message) {
        let peer = &self.0[worker];
        if peer.inbox.send(message).is_ok() && !peer.woken.swap(true, Ordering::AcqRel) {
            let _ = peer.wake.write(1);
        }
    }

    /// Before the messages are read: what is sent from now on wakes again.
    pub(crate) fn heard(&self, worker: usize) {
        let peer = &self.0[worker];
        let _ = peer.wake.read();
        peer.woken.store(false, Ordering::Release);
    }

    /// Where a connection of `worker` had better settle: there, unless another one has clearly fewer. Exact
    /// while they are few, when each counts; lax while they are many.
    pub(crate) fn place(&self, worker: usize) -> usize {
        let settled = |peer: &Peer| peer.settled.load(Ordering::Relaxed);
        let own = settled(&self.0[worker]);
        let fewest = self.0.iter().enumerate().map(|(n, peer)| (settled(peer), n)).min();
        match fewest {
            Some((least, other)) if own > least + least / 4 => other,
            _ => worker,
        }
    }

    pub(crate) fn settles(&self, worker: usize) {
        self.0[worker].settled.fetch_add(1, Ordering::Relaxed);
    }

    /// One that had settled has ended.
    pub(crate) fn left(&self, worker: usize) {
        self.0[worker].settled.fetch_sub(1, Ordering::Relaxed);
    }
}
