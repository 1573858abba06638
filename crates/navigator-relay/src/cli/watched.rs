//! The files that a relay is made of: its configuration, and the certificates that it names. Tells that one
//! of them may have changed; what has is found by reading them.

use std::{
    collections::HashSet,
    ffi::OsString,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::ForwardSet;

/// A certificate and its key come one after the other: wait for both.
const BOTH: Duration = Duration::from_millis(200);

pub(super) struct Watched {
    inotify: Inotify,
    /// The name of the configuration's file in its directory.
    file: Option<OsString>,
    directories: HashSet<PathBuf>,
    /// Names of certificates' files, and of links on the way to them.
    certificates: HashSet<OsString>,
}

impl Watched {
    pub(super) fn new(file: Option<&Path>) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let name = file.and_then(Path::file_name).map(ToOwned::to_owned);
        let (directories, certificates) = (HashSet::new(), HashSet::new());
        let mut watched = Self { inotify, file: name, directories, certificates };
        if let Some(file) = file {
            watched.watch_directory_of(file)?;
        }
        Ok(watched)
    }

    /// Its directory, since editors write another file and give it the name.
    fn watch_directory_of(&mut self, file: &Path) -> nix::Result<()> {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new("."));
        if self.directories.contains(directory) {
            return Ok(());
        }
        let flags =
            AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CREATE;
        self.inotify.add_watch(directory, flags)?;
        self.directories.insert(directory.to_owned());
        Ok(())
    }

    /// Also those of a set that is refused: what was wrong may be mended in them. A directory that cannot
    /// be watched is read again on SIGHUP only.
    pub(super) fn watch_files_of(&mut self, set: &ForwardSet) {
        let mut files: HashSet<&PathBuf> = HashSet::new();
        for (_, forward) in set.iter() {
            files.extend(forward.tls.iter().flat_map(|tls| tls.files()));
            files.extend(forward.connect_tls.iter().flat_map(|tls| tls.files()));
        }
        self.certificates.clear();
        for file in files {
            self.certificates.extend(file.file_name().map(ToOwned::to_owned));
            if let Err(error) = self.watch_directory_of(file) {
                tracing::warn!("{}: cannot be watched: {error}", file.display());
            }
        }
    }

    pub(super) fn something_has_changed(&self) -> bool {
        let (mut file, mut certificates) = (false, false);
        let mut look = || {
            while let Ok(events) = self.inotify.read_events() {
                for event in events {
                    let created = event.mask.contains(AddWatchFlags::IN_CREATE);
                    let Some(name) = event.name else { continue };
                    // A file that was made is written next, and a link is there at once.
                    file |= !created && self.file.as_ref() == Some(&name);
                    // Directories of secrets are changed as a whole, by a link of that name.
                    certificates |= self.certificates.contains(&name) || name == "..data";
                }
            }
            (file, certificates)
        };
        if look() == (false, true) {
            thread::sleep(BOTH);
            look();
        }
        file || certificates
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
