//! Named network namespaces, the way iproute2 keeps them: a bind mount per name in one directory, so
//! that `ip netns` shows ours. Work inside a namespace runs on a thread that ends afterwards; the
//! caller's thread never changes its namespace.
//!
//! Never decides whose a namespace is; never forks.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use navigator_state::Namespace;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::statfs::{NSFS_MAGIC, statfs},
};

use crate::DriverError;

const OWN: &str = "/proc/thread-self/ns/net";

/// The namespaces of one host: a directory of names, and the namespace that counts as the host's.
#[derive(Debug)]
pub struct Namespaces {
    directory: PathBuf,
    host: File,
    /// Whether `directory` is known to be a shared mount.
    prepared: Mutex<bool>,
}

impl Namespaces {
    /// The calling thread's namespace becomes [`Namespace::Host`].
    pub fn new(directory: PathBuf) -> Result<Self, DriverError> {
        let host = File::open(OWN).map_err(failed("host", "opening"))?;
        Ok(Self { directory, host, prepared: Mutex::new(false) })
    }

    pub fn host(&self) -> &File {
        &self.host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Names in the directory, whoever made them.
    pub fn list(&self) -> Result<Vec<String>, DriverError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed("all", "listing")(e)),
        };
        Ok(entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect())
    }

    /// Tells namespaces of one name apart; `None` if there is none. The number is free for reuse
    /// once the last socket into the namespace is closed, so compare it only while holding one.
    pub fn inode(&self, name: &str) -> Option<u64> {
        let path = self.path(name);
        is_namespace(&path).then(|| fs::metadata(&path).ok().map(|m| m.ino()))?
    }

    /// Makes a namespace, runs `prepare` inside it, and only then gives it its name: a namespace
    /// with a name is always a prepared one, however suddenly this process ends.
    pub fn create<T: Send>(
        &self,
        name: &str,
        prepare: impl FnOnce() -> Result<T, DriverError> + Send,
    ) -> Result<T, DriverError> {
        self.make_directory()?;
        let path = self.path(name);
        let _ = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed(name, "making its file"))?;
        on_a_thread(name, || {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|e| failed(name, "unshare")(e.into()))?;
            let made = prepare()?;
            bind(Path::new(OWN), &path).map_err(failed(name, "bind mount"))?;
            Ok(made)
        })
    }

    /// Takes the name away. The namespace itself ends with its last process and socket.
    pub fn delete(&self, name: &str) -> Result<(), DriverError> {
        let path = self.path(name);
        if is_namespace(&path) {
            umount2(&path, MntFlags::MNT_DETACH).map_err(|e| failed(name, "umount")(e.into()))?;
        }
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(name, "unlink")(e)),
            _ => Ok(()),
        }
    }

    /// Runs `work` on a thread inside the namespace.
    pub fn run_in<T: Send>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, DriverError> {
        let named = match namespace {
            Namespace::Host => None,
            Namespace::Named(name) => Some(self.open(name)?),
        };
        let label = namespace.to_string();
        on_a_thread(&label, || {
            setns(named.as_ref().unwrap_or(&self.host), CloneFlags::CLONE_NEWNET)
                .map_err(|e| failed(&label, "setns")(e.into()))?;
            Ok(work())
        })
    }

    fn open(&self, name: &str) -> Result<File, DriverError> {
        let path = self.path(name);
        if !is_namespace(&path) {
            return Err(DriverError::NoNamespace { namespace: Namespace::Named(name.to_owned()) });
        }
        File::open(&path).map_err(failed(name, "opening"))
    }

    /// A shared mount, as iproute2 makes it: a namespace deleted here is then gone in every mount
    /// namespace that has a copy of the directory.
    fn make_directory(&self) -> Result<(), DriverError> {
        let mut prepared = self.prepared.lock().unwrap_or_else(|e| e.into_inner());
        if *prepared {
            return Ok(());
        }
        fs::create_dir_all(&self.directory).map_err(failed("all", "making the directory"))?;
        if share(&self.directory).is_err() {
            bind(&self.directory, &self.directory).map_err(failed("all", "bind mount"))?;
            share(&self.directory).map_err(failed("all", "making the mount shared"))?;
        }
        *prepared = true;
        Ok(())
    }
}

fn failed(namespace: &str, doing: &'static str) -> impl FnOnce(io::Error) -> DriverError {
    let namespace = namespace.to_owned();
    move |source| DriverError::Netns { namespace, doing, source }
}

/// A name whose file is not a mounted namespace is a leftover of a reboot, not a namespace.
fn is_namespace(path: &Path) -> bool {
    statfs(path).is_ok_and(|s| s.filesystem_type() == NSFS_MAGIC)
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(source), target, None::<&str>, flags, None::<&str>)?)
}

fn share(path: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_SHARED | MsFlags::MS_REC;
    Ok(mount(None::<&str>, path, None::<&str>, flags, None::<&str>)?)
}

fn on_a_thread<T: Send>(
    label: &str,
    work: impl FnOnce() -> Result<T, DriverError> + Send,
) -> Result<T, DriverError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(failed(label, "starting a thread"))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
