//! libnftables, the netfilter project's own library, in process: runs nft commands given as text
//! and lists tables as text. For whole rulesets; elements go by netlink.
//!
//! All calls are made by one thread of the process, for two reasons. The library has state of its
//! own beside its contexts (its scanner, caches of names). And it waits for its socket by `select`,
//! which ends the process when the socket's number is 1024 or more: an agent with some hundred
//! namespaces gets there. The thread has a table of file descriptors of its own, in which only the
//! library's sockets count.

mod context;

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use nix::sched::{CloneFlags, setns};

use context::Context;

/// Contexts that are kept open; above that, the one unused for longest is closed and opened again
/// when it is needed. Well below what `select` can wait for.
const MOST_CONTEXTS: usize = 800;

/// libnftables in one network namespace.
pub(crate) struct Library {
    id: u64,
    /// To open a closed context again.
    namespace: File,
}

impl Library {
    /// In the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let namespace = File::open("/proc/thread-self/ns/net")?;
        let library = Self { id: NEXT.fetch_add(1, Relaxed), namespace };
        let (id, namespace) = (library.id, library.namespace.as_raw_fd());
        on_library_thread(move |contexts| contexts.of(id, namespace).map(drop))??;
        Ok(library)
    }

    /// Runs `commands` as one transaction. What it prints, or its complaint.
    pub(crate) fn run(&mut self, commands: &str) -> Result<String, String> {
        let (id, namespace) = (self.id, self.namespace.as_raw_fd());
        let commands = commands.to_owned();
        on_library_thread(move |contexts| {
            let context = contexts.of(id, namespace).map_err(|error| error.to_string())?;
            context.run(&commands)
        })
        .map_err(|error| error.to_string())?
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let id = self.id;
        let _ = on_library_thread(move |contexts| contexts.open.remove(&id).map(drop));
    }
}

/// What the library's thread holds.
struct Contexts {
    open: HashMap<u64, (u64, Context)>,
    /// Counts uses, to find the one unused for longest.
    clock: u64,
    /// The thread goes back here: it would keep the last namespace it was in alive.
    home: File,
}

impl Contexts {
    /// The context of this id, opened in the namespace if it is not open.
    fn of(&mut self, id: u64, namespace: RawFd) -> io::Result<&mut Context> {
        self.clock += 1;
        if !self.open.contains_key(&id) {
            if self.open.len() >= MOST_CONTEXTS {
                let oldest = self.open.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
                oldest.and_then(|oldest| self.open.remove(&oldest));
            }
            // The caller's descriptor, by the process's table: this thread's has no such number.
            let target = File::open(format!("/proc/self/fd/{namespace}"))?;
            setns(&target, CloneFlags::CLONE_NEWNET)?;
            drop(target);
            let context = Context::open();
            setns(&self.home, CloneFlags::CLONE_NEWNET)?;
            self.open.insert(id, (self.clock, context?));
        }
        let found = self.open.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        found.0 = self.clock;
        Ok(&mut found.1)
    }
}

type Job = Box<dyn FnOnce(&mut Contexts) + Send>;

/// Waits for the answer.
fn on_library_thread<T: Send + 'static>(
    work: impl FnOnce(&mut Contexts) -> T + Send + 'static,
) -> io::Result<T> {
    static THREAD: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let jobs = THREAD.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Job>();
        // If it cannot start, the receiver is dropped and every request is answered below.
        let _ =
            thread::Builder::new().name("libnftables".to_owned()).spawn(move || serve(&receiver));
        sender
    });
    let (answer, answered) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the libnftables thread has ended");
    jobs.send(Box::new(move |contexts| drop(answer.send(work(contexts))))).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())
}

fn serve(jobs: &mpsc::Receiver<Job>) {
    if let Err(error) = context::own_descriptors() {
        tracing::error!(%error, "the libnftables thread cannot have descriptors of its own");
        return;
    }
    // The process's own namespace, and not the one of whoever made the first request.
    let home = File::open("/proc/self/ns/net");
    let home = home.and_then(|home| {
        setns(&home, CloneFlags::CLONE_NEWNET)?;
        Ok(home)
    });
    match home {
        Ok(home) => {
            let mut contexts = Contexts { open: HashMap::new(), clock: 0, home };
            while let Ok(job) = jobs.recv() {
                job(&mut contexts);
            }
        }
        Err(error) => tracing::error!(%error, "the libnftables thread has no namespace"),
    }
}
