//! The relay as its owner sees it: started, given sets, asked for counters, ended.

mod apply;
mod certificates;
mod explain;
mod handover;
mod in_use;
mod namespaces;
mod place;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, mpsc::channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub use apply::ApplyError;
use certificates::Certificates;
pub use handover::{Handover, HandoverListener};
use namespaces::Namespaces;
use place::Place;
use socket2::Socket;

use crate::{
    Counters, ForwardSet,
    descriptors::Descriptors,
    listener::Listener,
    live::{Live, State},
    namespace::Namespace,
    route::Route,
    slots::Slots,
    worker::{
        Worker,
        inbox::{Message, Peers},
    },
};

/// How a relay runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads; as many as cores unless told otherwise.
    pub workers: usize,
    /// Where the names of network namespaces are.
    pub namespaces: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, usize::from),
            namespaces: PathBuf::from("/run/netns"),
        }
    }
}

/// A running relay. It forwards nothing until it is given a set; dropped, it cuts all connections.
pub struct Relay {
    set: ForwardSet,
    forwards: HashMap<Arc<str>, Arc<Live>>,
    listeners: HashMap<Place, (Arc<Listener>, Route)>,
    /// A predecessor's, for the next set.
    inherited: HashMap<Place, Socket>,
    keys: Slots<()>,
    next_version: u64,
    namespaces: Namespaces,
    certificates: Certificates,
    descriptors: Arc<Descriptors>,
    /// How many this process had before the first forward.
    others: usize,
    peers: Arc<Peers>,
    threads: Vec<JoinHandle<()>>,
}

/// How a relay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Every connection is reset.
    Now,
    /// No new connections; those that are open may go on for so long.
    After(Duration),
}

impl Relay {
    /// Starts the workers. The calling thread's network namespace is the one that forwards without a
    /// `netns` listen and connect in.
    pub fn start(options: Options) -> io::Result<Self> {
        let home = Arc::new(Namespace::current()?);
        let (peers, inboxes) = Peers::new(options.workers.max(1))?;
        let peers = Arc::new(peers);
        let (descriptors, mut threads) = (Arc::new(Descriptors::default()), Vec::new());
        let (begun, begins) = channel();
        for (number, messages) in inboxes.into_iter().enumerate() {
            let (peers, home) = (Arc::clone(&peers), Arc::clone(&home));
            let worker = Worker::new(number, peers, messages, home, &descriptors)?;
            let begun = begun.clone();
            let run = move || {
                if let Err(error) = worker.run(begun) {
                    tracing::error!(worker = number, %error, "a worker has ended");
                }
            };
            threads.push(thread::Builder::new().name(format!("relay-{number}")).spawn(run)?);
        }
        drop(begun);
        // Ends once the last worker has dropped its own.
        begins.iter().for_each(drop);
        let others = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        descriptors.look_at_limit(others);
        Ok(Self {
            set: ForwardSet::default(),
            forwards: HashMap::new(),
            listeners: HashMap::new(),
            inherited: HashMap::new(),
            keys: Slots::new(),
            next_version: 0,
            namespaces: Namespaces::new(options.namespaces, home),
            certificates: Certificates::default(),
            descriptors,
            others,
            peers,
            threads,
        })
    }

    /// The set in force.
    pub fn set(&self) -> &ForwardSet {
        &self.set
    }

    /// A forward's counters. They stay with its name for as long as a set holds it.
    pub fn counters(&self, name: &str) -> Option<&Counters> {
        Some(self.forwards.get(name)?.counters())
    }

    /// Connections and UDP sessions open now, of all forwards.
    pub fn open(&self) -> u64 {
        self.forwards.values().map(|live| live.counters().open()).sum()
    }

    /// Ends the relay and waits for its connections as told.
    pub fn stop(mut self, how: Stop) {
        self.end(how);
    }

    /// Like [`Self::stop`], after a successor has taken over: the listening sockets are its own now.
    pub fn retire(mut self, how: Stop) {
        self.listeners.clear();
        self.end(how);
    }

    fn end(&mut self, how: Stop) {
        for (listener, _) in self.listeners.values() {
            listener.stop();
        }
        self.listeners.clear();
        let at = Instant::now()
            + match how {
                Stop::Now => Duration::ZERO,
                Stop::After(time) => time,
            };
        // First all of them stop taking connections, as each may give what it took to another one.
        let (done, finished) = channel();
        for worker in 0..self.peers.count() {
            self.peers.send(worker, Message::StopListening { done: done.clone() });
        }
        drop(done);
        while finished.recv().is_ok() {}
        for worker in 0..self.peers.count() {
            self.peers.send(worker, Message::End { at });
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn state_of(&self, name: &str) -> Arc<State> {
        match self.forwards.get(name) {
            Some(live) => Arc::clone(&live.state),
            None => Arc::new(State::new(&self.descriptors)),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end(Stop::Now);
    }
}
