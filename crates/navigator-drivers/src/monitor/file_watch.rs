//! Tells when a file in a watched directory was written, replaced or removed, by whoever. One
//! inotify instance for all directories: a user may have 128.

use std::{
    collections::{BTreeSet, HashMap},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor},
};

use super::{
    MonitorError,
    watcher::{self, Registration, Source},
};

/// Watches directories until dropped; one that is removed is no longer watched.
#[must_use]
pub struct FileWatch {
    shared: Arc<Shared>,
    _registration: Registration,
}

struct Shared {
    inotify: Inotify,
    directories: Mutex<HashMap<WatchDescriptor, PathBuf>>,
}

impl FileWatch {
    /// `notify` gets the path of the file. It runs on the watcher's thread and must only hand over.
    pub fn start(notify: impl Fn(&Path) + Send + 'static) -> Result<Self, MonitorError> {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let inotify = Inotify::init(flags)
            .map_err(|errno| MonitorError::Socket { what: "files", source: errno.into() })?;
        let shared = Arc::new(Shared { inotify, directories: Mutex::default() });
        let files = Files { shared: shared.clone(), notify: Box::new(notify) };
        Ok(Self { shared, _registration: watcher::register(Box::new(files))? })
    }

    /// Cheap for one that is watched already; one that does not exist is left out.
    pub fn add(&self, directory: &Path) -> Result<(), MonitorError> {
        // A file that is open for writing all the time (dnsmasq's leases) does not show: only what
        // is complete counts.
        let kinds = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ONLYDIR;
        // Locked around both, so that no event of it is read before its name is known.
        let mut directories = self.shared.locked();
        match self.shared.inotify.add_watch(directory, kinds) {
            Ok(watch) => {
                directories.insert(watch, directory.to_owned());
                Ok(())
            }
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => {
                let path = directory.display().to_string();
                Err(MonitorError::Directory { path, source: errno.into() })
            }
        }
    }
}

impl Shared {
    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<WatchDescriptor, PathBuf>> {
        self.directories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Files {
    shared: Arc<Shared>,
    notify: Box<dyn Fn(&Path) + Send>,
}

impl Source for Files {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.shared.inotify.as_fd()]
    }

    /// Events that the kernel had to drop (16,384 at once) are left to the timer.
    fn read(&mut self) {
        let mut changed = BTreeSet::new();
        while let Ok(events) = self.shared.inotify.read_events() {
            let mut directories = self.shared.locked();
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    directories.remove(&event.wd);
                } else if let (Some(directory), Some(name)) =
                    (directories.get(&event.wd), event.name)
                {
                    changed.insert(directory.join(name));
                }
            }
        }
        changed.iter().for_each(|path| (self.notify)(path));
    }
}
