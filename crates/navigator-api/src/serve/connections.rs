//! Who is connected, and who has to go when there are too many.
//!
//! A connection whose client is the one to speak next (no request, or half of one) costs its client
//! nothing, so there may be any number of them. When there is no room left, the one that has waited
//! for its client longest goes, of the source that has most connections: whoever opens thousands
//! displaces its own and nobody else's.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, sync::Notify, time::sleep};

/// From the answer to who was refused to the end of his connection.
const LINGERS: Duration = Duration::from_millis(100);

pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    count: usize,
    last: u64,
    sources: HashMap<IpAddr, BTreeMap<u64, Arc<Connection>>>,
}

pub(crate) struct Connection {
    source: IpAddr,
    number: u64,
    /// Requests at work, and answers on their way.
    busy: AtomicUsize,
    /// Since when the client is the one to speak.
    waits_since: Mutex<Instant>,
    /// What it said last is no request, or one that is not read to its end. As long as it has said nothing too.
    refused: AtomicBool,
    /// Who was refused has his answer, and what was read of his request is forgotten.
    left: Mutex<Option<TcpStream>>,
    cut: Notify,
}

/// While it lives, the connection is not the client's to be waited for.
pub(crate) struct AtWork(Arc<Connection>);

/// A connection's place among the others; given back at its end.
pub(super) struct Place {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever has one address of IPv6 has at least a /64 of them.
fn source(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Connection {
    pub(crate) fn at_work(self: &Arc<Self>) -> AtWork {
        self.busy.fetch_add(1, Relaxed);
        AtWork(Arc::clone(self))
    }

    /// What it says is a request that may be read.
    pub(super) fn hear(&self) {
        self.refused.store(false, Relaxed);
    }

    /// It is answered, and nothing more is read.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Relaxed);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Relaxed)
    }

    /// Has been answered for the last time; ends after it has lingered.
    pub(super) fn leave(&self, stream: TcpStream) {
        *locked(&self.left) = Some(stream);
    }

    pub(super) async fn linger(&self) {
        let left = locked(&self.left).take();
        if let Some(_stream) = left {
            sleep(LINGERS).await;
        }
    }

    /// Returns when it has to end.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *locked(&self.0.waits_since) = Instant::now();
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// Takes a new connection in, if need be in another one's place. `None`: all are at work.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = locked(&self.open);
        if open.count >= self.most {
            let displaced = open.longest_waiting()?;
            open.remove(&displaced);
            displaced.cut.notify_one();
        }
        open.last += 1;
        let connection = Arc::new(Connection {
            source: source(address),
            number: open.last,
            busy: AtomicUsize::new(0),
            waits_since: Mutex::new(Instant::now()),
            refused: AtomicBool::new(true),
            left: Mutex::default(),
            cut: Notify::new(),
        });
        open.count += 1;
        let same = open.sources.entry(connection.source).or_default();
        same.insert(connection.number, Arc::clone(&connection));
        Some(Place { connections: Arc::clone(self), connection })
    }
}

impl Open {
    fn longest_waiting(&self) -> Option<Arc<Connection>> {
        let mut sources: Vec<_> = self.sources.values().collect();
        sources.sort_unstable_by_key(|connections| std::cmp::Reverse(connections.len()));
        sources.into_iter().find_map(|connections| {
            let waiting = connections.values().filter(|one| one.busy.load(Relaxed) == 0);
            waiting.min_by_key(|one| *locked(&one.waits_since)).cloned()
        })
    }

    fn remove(&mut self, connection: &Connection) {
        let Some(same) = self.sources.get_mut(&connection.source) else { return };
        if same.remove(&connection.number).is_some() {
            self.count -= 1;
        }
        if same.is_empty() {
            self.sources.remove(&connection.source);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.connections.open).remove(&self.connection);
    }
}

#[cfg(test)]
mod tests;
