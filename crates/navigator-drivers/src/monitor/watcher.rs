//! The one thread that waits for all watched sockets of the process.
//!
//! It starts with the first registration and sleeps in the kernel while nothing happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use super::MonitorError;

/// How long to collect what belongs to one change.
const COLLECT: Duration = Duration::from_millis(5);
const EVENTS_AT_ONCE: usize = 256;

/// Something to wait for.
pub(super) trait Source: Send {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;
    /// Reads all that is there, without blocking, and tells whoever wants to know.
    fn read(&mut self);
}

type Shared = Arc<Mutex<Box<dyn Source>>>;

struct Watcher {
    epoll: Epoll,
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    by_token: BTreeMap<u64, Shared>,
    last_token: u64,
}

static WATCHER: Mutex<Option<Arc<Watcher>>> = Mutex::new(None);

/// Keeps a source watched while it lives.
pub(super) struct Registration {
    watcher: Arc<Watcher>,
    token: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Closing its descriptors, which happens here or when a read under way has ended, takes
        // them out of the epoll set.
        let source = lock(&self.watcher.sources).by_token.remove(&self.token);
        drop(source);
    }
}

pub(super) fn register(source: Box<dyn Source>) -> Result<Registration, MonitorError> {
    let watcher = watcher().map_err(MonitorError::Thread)?;
    let shared = Arc::new(Mutex::new(source));
    let token = {
        let mut sources = lock(&watcher.sources);
        sources.last_token += 1;
        let token = sources.last_token;
        sources.by_token.insert(token, shared.clone());
        token
    };
    let registration = Registration { watcher: watcher.clone(), token };
    for descriptor in lock(&shared).descriptors() {
        watcher
            .epoll
            .add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, token))
            .map_err(|errno| MonitorError::Socket { what: "events", source: errno.into() })?;
    }
    Ok(registration)
}

fn watcher() -> io::Result<Arc<Watcher>> {
    let mut started = lock(&WATCHER);
    if let Some(watcher) = &*started {
        return Ok(watcher.clone());
    }
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let watcher = Arc::new(Watcher { epoll, sources: Mutex::default() });
    let running = watcher.clone();
    let home = File::open("/proc/self/ns/net")?;
    thread::Builder::new().name("monitor".to_owned()).spawn(move || {
        go_home(home);
        running.run();
    })?;
    *started = Some(watcher.clone());
    Ok(watcher)
}

/// A thread is born into the network namespace of the one that started it, here of whichever was
/// watched first, and would keep that namespace alive for ever. So it moves to the process's own.
fn go_home(home: File) {
    if let Err(errno) = setns(home, CloneFlags::CLONE_NEWNET) {
        tracing::error!(error = %errno, "the monitor keeps a network namespace alive");
    }
}

impl Watcher {
    fn run(&self) {
        loop {
            if let Err(errno) = self.wait(EpollTimeout::NONE) {
                tracing::error!(error = %errno, "the monitor cannot wait for events");
                thread::sleep(Duration::from_secs(1));
                continue;
            }
            thread::sleep(COLLECT);
            for token in self.wait(EpollTimeout::ZERO).unwrap_or_default() {
                // Nothing is locked but the source itself while `notify` runs.
                let source = lock(&self.sources).by_token.get(&token).cloned();
                if let Some(source) = source {
                    lock(&source).read();
                }
            }
        }
    }

    fn wait(&self, timeout: EpollTimeout) -> Result<BTreeSet<u64>, Errno> {
        let mut events = [EpollEvent::empty(); EVENTS_AT_ONCE];
        match self.epoll.wait(&mut events, timeout) {
            Ok(count) => Ok(events[..count].iter().map(EpollEvent::data).collect()),
            Err(Errno::EINTR) => Ok(BTreeSet::new()),
            Err(errno) => Err(errno),
        }
    }
}

/// A panic in a `notify` leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
