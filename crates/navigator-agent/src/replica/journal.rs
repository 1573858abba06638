//! The replicas on disk, so that a host that boots without a server still forwards. Per scope one
//! complete snapshot, written to a temporary file and renamed, and a log of the changes since, one
//! line each: keeping up with a router of 50,000 forwards costs the change, not the router.
//!
//! A thread of its own writes, after the kernel has what it needs. A torn last line, or a line that
//! does not continue the revision before it, ends the log: what is read is always one of the states
//! that the server was in.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};

use navigator_model::{Object, ObjectKey, Revision, Scope, Snapshot};
use serde::{Deserialize, Serialize};

/// A log shorter than this is never worth folding into its snapshot.
const SMALL_LOG: u64 = 64 << 10;

/// One line of a log.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    since: Revision,
    revision: Revision,
    objects: Vec<(ObjectKey, Option<Object>)>,
}

pub(crate) enum Entry {
    Complete(Box<Snapshot>),
    Changes {
        scope: Scope,
        since: Revision,
        revision: Revision,
        objects: Vec<(ObjectKey, Option<Object>)>,
    },
    Gone(Scope),
}

impl Entry {
    fn scope(&self) -> &Scope {
        match self {
            Self::Complete(snapshot) => &snapshot.scope,
            Self::Changes { scope, .. } | Self::Gone(scope) => scope,
        }
    }
}

/// Dropping it writes what is left.
pub(crate) struct Journal {
    sender: Option<mpsc::Sender<Entry>>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new().name("replica".to_owned()).spawn(move || {
            let mut writer = Writer { directory, log_bytes: HashMap::new() };
            while let Ok(first) = receiver.recv() {
                writer.write(std::iter::once(first).chain(receiver.try_iter()).collect());
            }
        })?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Returns at once.
    pub(crate) fn keep(&self, entry: Entry) {
        if let Some(sender) = &self.sender {
            // Fails only when the thread panicked; the replica is then as old as that.
            let _ = sender.send(entry);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Every scope of which a complete snapshot is on disk, as of the last good line of its log.
pub(crate) fn load(directory: &Path) -> Vec<Snapshot> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let bases = paths.filter(|path| path.extension().is_some_and(|e| e == "json"));
    bases.filter_map(|base| load_one(&base)).collect()
}

/// A file that is not readable is as if it were not there: the server has the truth.
fn load_one(base: &Path) -> Option<Snapshot> {
    let parsed = fs::read(base).ok().map(|bytes| serde_json::from_slice::<Snapshot>(&bytes))?;
    let mut snapshot = parsed
        .inspect_err(|error| tracing::warn!(file = %base.display(), %error, "unreadable replica"))
        .ok()?;
    let Ok(log) = File::open(base.with_extension("log")) else { return Some(snapshot) };
    for text in BufReader::new(log).lines() {
        let line = text.ok().and_then(|text| serde_json::from_str::<Line>(&text).ok());
        match line {
            Some(line) if line.since == snapshot.revision => {
                snapshot.apply(line.revision, line.objects);
            }
            _ => break,
        }
    }
    Some(snapshot)
}

struct Writer {
    directory: PathBuf,
    /// Of the logs that this process has begun; others are folded before they are continued.
    log_bytes: HashMap<Scope, u64>,
}

impl Writer {
    fn base(&self, scope: &Scope) -> PathBuf {
        let name = match scope {
            // There is one host, and its name may hold anything.
            Scope::Host(_) => "host".to_owned(),
            Scope::Router(id) => format!("router-{id}"),
            Scope::Network(id) => format!("network-{id}"),
        };
        self.directory.join(name).with_extension("json")
    }

    /// All that has gathered, scope by scope: a later complete snapshot makes earlier entries moot.
    fn write(&mut self, entries: Vec<Entry>) {
        let mut by_scope: HashMap<Scope, Vec<Entry>> = HashMap::new();
        for entry in entries {
            let line = by_scope.entry(entry.scope().clone()).or_default();
            if !matches!(entry, Entry::Changes { .. }) {
                line.clear();
            }
            line.push(entry);
        }
        for (scope, entries) in by_scope {
            if let Err(error) = self.write_scope(&scope, entries) {
                tracing::warn!(%scope, %error, "the replica on disk falls behind");
                self.log_bytes.remove(&scope);
            }
        }
    }

    fn write_scope(&mut self, scope: &Scope, entries: Vec<Entry>) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            match entry {
                Entry::Complete(snapshot) => self.replace(&snapshot)?,
                Entry::Gone(scope) => self.remove(&scope)?,
                Entry::Changes { since, revision, objects, .. } => {
                    serde_json::to_writer(&mut lines, &Line { since, revision, objects })?;
                    lines.push(b'\n');
                }
            }
        }
        if lines.is_empty() { Ok(()) } else { self.append(scope, &lines) }
    }

    fn append(&mut self, scope: &Scope, lines: &[u8]) -> io::Result<()> {
        let base = self.base(scope);
        if !self.log_bytes.contains_key(scope) {
            // The log may end in a torn line of a process that was killed: start a new one.
            self.fold_log(&base)?;
        }
        let log = base.with_extension("log");
        OpenOptions::new().create(true).append(true).open(log)?.write_all(lines)?;
        let bytes = self.log_bytes.entry(scope.clone()).or_default();
        *bytes += lines.len() as u64;
        if *bytes > SMALL_LOG.max(fs::metadata(&base)?.len()) {
            self.fold_log(&base)?;
        }
        Ok(())
    }

    fn fold_log(&mut self, base: &Path) -> io::Result<()> {
        match load_one(base) {
            Some(snapshot) => self.replace(&snapshot),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no snapshot to continue")),
        }
    }

    /// The log goes first: between the two steps the disk holds an older state, never a mixture.
    fn replace(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let base = self.base(&snapshot.scope);
        let temporary = base.with_extension("tmp");
        let mut file = io::BufWriter::new(File::create(&temporary)?);
        serde_json::to_writer(&mut file, snapshot)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        remove_if_there(&base.with_extension("log"))?;
        fs::rename(temporary, base)?;
        self.log_bytes.insert(snapshot.scope.clone(), 0);
        Ok(())
    }

    fn remove(&mut self, scope: &Scope) -> io::Result<()> {
        let base = self.base(scope);
        self.log_bytes.remove(scope);
        remove_if_there(&base)?;
        remove_if_there(&base.with_extension("log"))
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
