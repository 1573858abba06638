//! Network namespaces that forwards listen and connect in. A socket belongs to the namespace that its
//! maker was in; afterwards it is used from anywhere.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use nix::{
    sched::{CloneFlags, setns},
    sys::statfs::{NSFS_MAGIC, statfs},
};

/// An open namespace: it stays while this value does, also when its name is gone.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
    inode: u64,
}

impl Namespace {
    /// The calling thread's own.
    pub(crate) fn current() -> io::Result<Self> {
        Self::of(File::open("/proc/thread-self/ns/net")?)
    }

    /// What the name means at this moment.
    pub(crate) fn named(directory: &Path, name: &str) -> io::Result<Self> {
        let path: PathBuf = directory.join(name);
        let file = File::open(&path)?;
        // After a reboot or a deletion, a plain file may be left.
        if !statfs(&path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Self::of(file)
    }

    fn of(file: File) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode })
    }

    /// The number that tells namespaces apart while they are open.
    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    /// Runs `work` inside: here, if this is here, otherwise on a thread of its own.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        if Self::current().is_ok_and(|current| current.inode == self.inode) {
            return Ok(work());
        }
        thread::scope(|scope| {
            let inside = move || {
                self.enter()?;
                Ok(work())
            };
            let thread = thread::Builder::new().name("netns".into()).spawn_scoped(scope, inside)?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread for good.
    fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.file, CloneFlags::CLONE_NEWNET)?)
    }
}

/// Where a worker's thread is. Sockets for targets are made there; a worker moves only when the next
/// one belongs elsewhere.
pub(crate) struct Whereabouts {
    current: Arc<Namespace>,
}

impl Whereabouts {
    pub(crate) fn new(current: Arc<Namespace>) -> Self {
        Self { current }
    }

    pub(crate) fn go(&mut self, to: &Arc<Namespace>) -> io::Result<()> {
        if self.current.inode != to.inode {
            to.enter()?;
            self.current = Arc::clone(to);
        }
        Ok(())
    }
}
